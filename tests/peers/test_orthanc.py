"""Beside a real Orthanc: the same requests get answers of the same shape, by the same ids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests
from deid_files import IMAGE
from foreign_orthanc import orthanc
from live_archive import instance, serving

from isocenter.app import in_job_process
from isocenter.jobs.executor import Runner


class Both(NamedTuple):
    """The roots of both, and the ids that Orthanc gave to what both have."""

    orthanc: str
    ours: str
    ids: dict[str, str]

    def post(self, path: str, asked: Any) -> tuple[requests.Response, requests.Response]:
        """Ask both the same; Orthanc's answer, and ours."""
        first, second = (requests.post(root + path, json=asked, timeout=60) for root in self[:2])
        return first, second


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("orthanc")
    with orthanc(folder) as theirs, serving(folder / "data") as start:
        server = start()
        for number in (1, 2):
            raw = instance(number, **IMAGE)
            told = requests.post(f"{theirs}/instances", data=raw, timeout=60).json()
            assert server.store(raw).status_code == 200
        runner = Runner(server.context.settings, in_job_process)
        runner.start()
        names = {
            "instances": "ID",
            "series": "ParentSeries",
            "studies": "ParentStudy",
            "patients": "ParentPatient",
        }
        yield Both(theirs, f"{server.url}/api", {place: told[name] for place, name in names.items()})
        runner.stop()


def shape(told: Any) -> Any:
    """Names and types: what does not differ from answer to answer."""
    if isinstance(told, dict):
        return {name: shape(value) for name, value in told.items()}
    return [shape(told[0])] if isinstance(told, list) and told else type(told)


def has(ours: Any, theirs: Any) -> bool:
    """Whether an answer of ours has all that theirs has, of the same types."""
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and all(has(ours.get(name), of) for name, of in theirs.items())
    return bool(ours == theirs)


@pytest.mark.parametrize("place", ["patients", "studies", "series"])
def test_what_is_above_an_instance_is_answered_in_its_shape(both: Both, place: str) -> None:
    theirs, ours = both.post(f"/{place}/{both.ids[place]}/anonymize", {})
    assert (ours.status_code, theirs.status_code) == (200, 200), ours.text
    assert has(shape(ours.json()), shape(theirs.json())), (ours.json(), theirs.json())
    same = ("InstancesCount", "FailedInstancesCount", "Type", "IsAnonymization")
    assert [ours.json()[name] for name in same] == [theirs.json()[name] for name in same]


def test_an_instance_is_answered_as_a_file(both: Both) -> None:
    theirs, ours = both.post(f"/instances/{both.ids['instances']}/anonymize", {"Keep": ["0010-0040"]})
    assert (ours.status_code, theirs.status_code) == (200, 200), ours.text
    assert ours.headers["Content-Type"] == theirs.headers["Content-Type"] == "application/dicom"
    assert ours.content[128:132] == theirs.content[128:132] == b"DICM"


def test_a_job_tells_its_content_in_its_shape(both: Both) -> None:
    theirs, ours = both.post(f"/studies/{both.ids['studies']}/anonymize", {"Asynchronous": True})
    assert shape(ours.json()) == shape(theirs.json())
    contents = []
    for root, told in ((both.ours, ours.json()), (both.orthanc, theirs.json())):
        assert told["Path"] == f"/jobs/{told['ID']}"
        contents.append(shape(over(f"{root}{told['Path']}")["Content"]))
    assert has(*contents), contents


def over(url: str) -> dict[str, Any]:
    """A job when it has succeeded."""
    end = time.monotonic() + 60
    while (job := requests.get(url, timeout=60).json())["State"] != "Success":
        assert time.monotonic() < end, job
        time.sleep(0.1)
    return dict(job)


def test_several_are_told_in_its_shape(both: Both) -> None:
    theirs, ours = both.post("/tools/bulk-anonymize", {"Resources": [both.ids["series"]]})
    assert (ours.status_code, theirs.status_code) == (200, 200), ours.text
    assert has(shape(ours.json()), shape(theirs.json())), (ours.json(), theirs.json())
    levels = [[one["Type"] for one in answer.json()["Resources"]] for answer in (ours, theirs)]
    assert levels[0] == levels[1]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"Keep": ["PatientID"]}, 400),
        ({"Remove": ["StudyInstanceUID"]}, 400),
        ({"Replace": {"SeriesInstanceUID": "1.2"}}, 400),
        ({"Keep": ["ReferencedImageSequence.ReferencedSOPInstanceUID"]}, 400),
        ({"DicomVersion": "2099z"}, 400),
        ({"Force": "yes"}, 400),
        ([], 400),
        ({"Keep": ["ReferencedImageSequence[*].ReferencedSOPInstanceUID", "(0008,103e)"]}, 200),
        ({"Replace": {"PatientID": "T1", "PatientName": "Trial^One"}, "Force": True}, 200),
    ],
)
def test_what_it_refuses_is_refused_and_what_it_takes_is_taken(both: Both, asked: Any, status: int) -> None:
    answers = both.post(f"/instances/{both.ids['instances']}/anonymize", asked)
    assert [answer.status_code for answer in answers] == [status, status], [a.text[:200] for a in answers]
