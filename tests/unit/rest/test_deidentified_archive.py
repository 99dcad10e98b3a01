"""Zips of de-identified files: `Deidentify` of `/api/tools/create-archive`, and of the job `archive`."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from deid_files import stored
from job_waits import over
from live_archive import LiveArchive, serving

from isocenter.app import in_job_process
from isocenter.deid.key_ring import KeyRing
from isocenter.deid.report import read_report
from isocenter.jobs.executor import Runner
from isocenter.security import Role


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    with serving(tmp_path_factory.mktemp("zips") / "data") as start:
        server = start()
        stored(server)
        runner = Runner(server.context.settings, in_job_process)
        runner.start()
        yield server
        runner.stop()


def zipped(web: LiveArchive, **asked: Any) -> tuple[dict[str, Any], zipfile.ZipFile]:
    answer = web.post("/api/tools/create-archive", json=asked)
    assert answer.status_code == 200, answer.text
    job = over(web, answer.json()["ID"])
    assert job["State"] == "Success", job
    return job, zipfile.ZipFile(io.BytesIO(web.get(f"/api/jobs/{job['ID']}/archive").content))


def test_a_zip_holds_only_what_was_deidentified_and_says_what_was_kept_back(web: LiveArchive) -> None:
    job, files = zipped(web, Resources=["1.2.3"], Deidentify={})
    assert job["Result"]["instances"] == 2
    assert job["Result"]["quarantined"] == 1
    assert "its pixels are not cleared" in next(iter(job["Result"]["reasons"]))
    assert job["Result"]["reports"] == ["report.json", "report.html"]
    names = [name for name in files.namelist() if not name.startswith("report")]
    assert len(names) == 2
    for name in names:
        assert [len(part) for part in name.split("/")] == [8, 8, 8]
        one = pydicom.dcmread(io.BytesIO(files.read(name)))
        assert one.PatientIdentityRemoved == "YES"
        assert one.PatientID != "P1"


def test_nothing_in_the_zip_says_who_it_was(web: LiveArchive) -> None:
    _, files = zipped(web, Resources=["1.2.3"], Deidentify={}, Media=True)
    everything = b"".join(name.encode() + files.read(name) for name in files.namelist())
    for value in (b"Doe", b"Jane", b"P1\\", b"1.2.3.1", b"20240229"):
        assert value not in everything, value


def test_media_have_a_dicomdir_of_what_is_there(web: LiveArchive) -> None:
    _, files = zipped(web, Resources=["1.2.3"], Deidentify={}, Media=True)
    directory = pydicom.dcmread(io.BytesIO(files.read("DICOMDIR")))
    listed = {
        "/".join(one.ReferencedFileID)
        for one in directory.DirectoryRecordSequence
        if "ReferencedFileID" in one
    }
    assert listed == {name for name in files.namelist() if "/" in name}
    assert len(listed) == 2


def test_the_report_is_signed_by_the_key(web: LiveArchive) -> None:
    _, files = zipped(web, Resources=["1.2.3"], Deidentify={})
    key = KeyRing.of(web.context.settings.data).get("default")
    counts = read_report(files.read("report.json"), key)["counts"]
    assert (counts["files"], counts["out"], counts["quarantined"]) == (3, 2, 1)
    assert b"<html" in files.read("report.html")


def test_the_same_recipe_gives_the_same_files(web: LiveArchive) -> None:
    first, second = (
        zipped(web, Resources=["1.2.3"], Deidentify={"options": ["modified-dates"]})[1] for _ in "12"
    )
    names = [name for name in first.namelist() if "/" in name]
    assert names == [name for name in second.namelist() if "/" in name]
    assert [first.read(name) for name in names] == [second.read(name) for name in names]


@pytest.mark.parametrize(
    ("recipe", "status", "words"),
    [
        ({"option": []}, 400, "has no 'option'"),
        ({"options": ["nonsense"]}, 400, "no option"),
        ({"key": "none"}, 404, "no de-identification key 'none'"),
    ],
)
def test_a_recipe_that_cannot_be_kept_is_refused_before_anything_runs(
    web: LiveArchive, recipe: dict[str, Any], status: int, words: str
) -> None:
    answer = web.post("/api/tools/create-archive", json={"Resources": ["1.2.3"], "Deidentify": recipe})
    assert answer.status_code == status
    assert words in json.dumps(answer.json())


def test_it_needs_the_right_to_deidentify(serve: Callable[..., LiveArchive]) -> None:
    server = serve()
    token, _ = server.context.tokens.create("ann", role=Role.READER)
    asked = {"Resources": ["1.2.3"], "Deidentify": {}}
    bearer = {"Authorization": f"Bearer {token}"}
    assert server.post("/api/tools/create-archive", json=asked, headers=bearer).status_code == 403
    del asked["Deidentify"]
    assert server.post("/api/tools/create-archive", json=asked, headers=bearer).status_code == 200


def test_where_results_are_reviewed_none_leaves_at_once(
    serve: Callable[..., LiveArchive], tmp_path: Path
) -> None:
    server = serve(deid={"review": True})
    asked = {"Resources": ["1.2.3"], "Deidentify": {}}
    answer = server.post("/api/tools/create-archive", json=asked)
    assert answer.status_code == 409
    assert "POST /api/deid" in answer.json()["error"]["hint"]
    parameters = {"uids": ["1.2.3"], "deidentify": {}}
    job = {"Type": "archive", "Parameters": parameters}
    assert server.post("/api/jobs", json=job).status_code == 409
