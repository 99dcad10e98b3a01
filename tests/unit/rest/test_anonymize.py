"""`anonymize` of patients, studies, series and several resources, by Orthanc's client and by HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyorthanc
import pytest
from deid_files import IMAGE, stored
from job_waits import over
from live_archive import LiveArchive, instance, serving

from isocenter.app import in_job_process
from isocenter.config import DatasetSettings
from isocenter.dicom.public_ids import public_id
from isocenter.jobs.executor import Runner

PATIENT, STUDY = public_id("P1"), public_id("P1", "1.2.3")
SERIES, RISKY = public_id("P1", "1.2.3", "1.2.3.1"), public_id("P1", "1.2.3", "1.2.3.2")
TOLD = {
    "Description",
    "FailedInstancesCount",
    "ID",
    "InstancesCount",
    "IsAnonymization",
    "Path",
    "PatientID",
    "Type",
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LiveArchive]]:
    with serving(tmp_path_factory.mktemp("anonymize") / "data") as start:
        runners = []

        def starts(**settings: Any) -> LiveArchive:
            server = start(**settings)
            stored(server)
            server.store(instance(1, study="1.2.4", PatientName="Roe^Richard", PatientID="P2", **IMAGE))
            runner = Runner(server.context.settings, in_job_process)
            runners.append(runner)
            runner.start()
            return server

        yield starts
        for runner in runners:
            runner.stop()


@pytest.fixture(scope="module")
def web(started: Callable[..., LiveArchive]) -> LiveArchive:
    return started(
        datasets={name: DatasetSettings(ae_title=name.upper()) for name in ("research", "several")}
    )


@pytest.fixture
def orthanc(web: LiveArchive) -> Iterator[pyorthanc.Orthanc]:
    with pyorthanc.Orthanc(f"{web.url}/api", timeout=60) as client:
        yield client


def studies(web: LiveArchive, dataset: str = "main") -> dict[str, dict[str, Any]]:
    """Study Instance UID to what the index says of each study."""
    from isocenter.dicom.levels import Level

    found = web.archive.datasets[dataset].find(Level.STUDY)
    return {str(row["StudyInstanceUID"]): row for row in found}


def test_a_study_is_anonymized_by_orthancs_client(web: LiveArchive, orthanc: pyorthanc.Orthanc) -> None:
    before = studies(web)
    made = pyorthanc.Study(STUDY, orthanc).anonymize(keep=["StudyDescription"], force=True)
    new = {uid: row for uid, row in studies(web).items() if uid not in before}
    (uid, row), *more = new.items()
    assert not more
    assert made.id_ == public_id(row["PatientID"], uid)
    assert (row["NumberOfStudyRelatedInstances"], row["PatientID"] in ("P1", "P2")) == (2, False)
    assert before.items() <= studies(web).items()


def test_the_answer_is_as_orthanc_gives_it(web: LiveArchive) -> None:
    for path, level in (
        (f"studies/{STUDY}", "Study"),
        (f"series/{SERIES}", "Series"),
        (f"patients/{PATIENT}", "Patient"),
    ):
        answer = web.post(f"/api/{path}/anonymize", json={"Permissive": True})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told.keys() >= TOLD
        assert told["Type"] == level
        assert told["Path"] == f"/{path.partition('/')[0]}/{told['ID']}"
        assert told["InstancesCount"] - told["FailedInstancesCount"] == 2
        again = web.post(f"/api/{path}/anonymize", json={})
        assert again.json()["ID"] == told["ID"]


def test_what_was_kept_back_is_counted_with_its_reason(web: LiveArchive) -> None:
    told = web.post(f"/api/studies/{STUDY}/anonymize", json={"Into": "research"}).json()
    assert (told["InstancesCount"], told["FailedInstancesCount"], told["Quarantined"]) == (3, 1, 1)
    assert "its pixels are not cleared" in next(iter(told["Reasons"]))


def test_a_series_of_which_nothing_may_leave_is_refused(web: LiveArchive) -> None:
    answer = web.post(f"/api/series/{RISKY}/anonymize", json={})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "quarantined"
    assert "its pixels are not cleared" in answer.json()["error"]["hint"]


def test_a_job_tells_what_it_made_as_orthancs_client_reads_it(
    web: LiveArchive, orthanc: pyorthanc.Orthanc
) -> None:
    job = pyorthanc.Study(STUDY, orthanc).anonymize_as_job(priority=3)
    over(web, job.id_)
    assert (job.state.value, job.priority, job.progress) == ("Success", 3, 100)
    assert job.content["Type"] == "Study"
    assert job.content["ID"] == web.post(f"/api/studies/{STUDY}/anonymize", json={}).json()["ID"]


@pytest.mark.parametrize("asked", [{"Asynchronous": True}, {"Synchronous": False}])
def test_who_does_not_wait_is_told_the_job(web: LiveArchive, asked: dict[str, Any]) -> None:
    told = web.post(f"/api/series/{SERIES}/anonymize", json=asked).json()
    assert told == {"ID": told["ID"], "Path": f"/jobs/{told['ID']}"}
    assert over(web, told["ID"])["Content"]["Type"] == "Series"


def test_results_go_into_another_dataset_where_one_is_named(web: LiveArchive) -> None:
    before = studies(web)
    answer = web.post(
        "/api/studies/1.2.4/anonymize", json={"Into": "research", "Keep": ["StudyInstanceUID"], "Force": True}
    )
    assert answer.status_code == 200, answer.text
    assert studies(web) == before
    assert "1.2.4" in studies(web, "research")


def test_several_resources_of_any_level_are_told_with_all_that_was_made(web: LiveArchive) -> None:
    asked = {"Resources": [SERIES, "1.2.4", "1.2.3.1.1"], "Into": "several"}
    told = web.post("/api/tools/bulk-anonymize", json=asked).json()
    assert (told["InstancesCount"], told["FailedInstancesCount"]) == (3, 0)
    levels = [one["Type"] for one in told["Resources"]]
    assert levels == ["Instance"] * 3 + ["Series"] * 2 + ["Study"] * 2 + ["Patient"] * 2
    assert {"ID", "Path", "Type"} == told["Resources"][0].keys()


@pytest.mark.parametrize(
    ("path", "asked", "status", "words"),
    [
        (f"studies/{SERIES}", {}, 404, "of this id"),
        (f"studies/{STUDY}", {"Into": "nowhere"}, 404, "no dataset"),
        (f"studies/{STUDY}", {"Keep": ["SOPInstanceUID"], "Force": True}, 400, "beside the originals"),
        (f"studies/{STUDY}", {"Recipe": {"options": ["uids"]}}, 400, "beside the originals"),
        (f"studies/{STUDY}", {"Replace": {"0008-0018": "1.2"}, "Force": True}, 400, "many instances"),
        (f"studies/{STUDY}", {"Keep": ["StudyInstanceUID"]}, 400, "Force"),
        (f"studies/{STUDY}", {"KeepSource": False}, 400, "not deleted"),
        ("tools/bulk", {"Resources": []}, 400, "not empty"),
        ("tools/bulk", {"Resources": ["nonsense"]}, 404, "of this id"),
    ],
)
def test_what_cannot_be_had_starts_no_job(
    web: LiveArchive, path: str, asked: dict[str, Any], status: int, words: str
) -> None:
    before = web.get("/api/jobs").json()
    path = f"/api/{path}-anonymize" if path.startswith("tools") else f"/api/{path}/anonymize"
    answer = web.post(path, json=asked)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]
    assert web.get("/api/jobs").json() == before


def test_other_settings_by_the_same_key_do_not_take_the_place_of_results(web: LiveArchive) -> None:
    first = web.post("/api/studies/1.2.4/anonymize", json={})
    assert first.status_code == 200
    answer = web.post("/api/studies/1.2.4/anonymize", json={"Keep": ["StudyDate"]})
    assert answer.status_code == 409, answer.text
    assert "another key" in answer.json()["error"]["hint"]


def test_where_results_are_reviewed_a_job_holds_them_and_its_release_tells_of_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with serving(tmp_path_factory.mktemp("reviewed") / "data") as start:
        server = start(deid={"review": True})
        stored(server)
        runner = Runner(server.context.settings, in_job_process)
        runner.start()
        try:
            before = studies(server)
            assert server.post(f"/api/studies/{STUDY}/anonymize", json={}).status_code == 409
            told = server.post(f"/api/studies/{STUDY}/anonymize", json={"Asynchronous": True}).json()
            over(server, told["ID"])
            assert server.get(f"/api/deid/{told['ID']}").json()["Review"] == "pending"
            assert studies(server) == before
            said = {"verdict": "accepted", "rejected": ["1.2.3.1.2"]}
            accepted = server.post(f"/api/deid/{told['ID']}/review", json=said).json()
            content = over(server, accepted["Release"])["Content"]
            assert (content["Type"], content["InstancesCount"], content["FailedInstancesCount"]) == (
                "Study",
                3,
                2,
            )
            (new,) = studies(server).keys() - before.keys()
            assert content["ID"] == public_id(studies(server)[new]["PatientID"], new)
        finally:
            runner.stop()
