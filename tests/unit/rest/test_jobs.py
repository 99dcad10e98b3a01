"""`/api/jobs` over a served archive, with a runner as the keeper has one: verify, zip, compact; who may."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pydicom
import pytest
from job_waits import over
from live_archive import LiveArchive, instance, serving

from isocenter.app import in_job_process
from isocenter.jobs.executor import Runner
from isocenter.security import Role

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    with serving(tmp_path_factory.mktemp("jobs") / "data") as start:
        server = start()
        server.store(*[instance(n) for n in (1, 2)], instance(1, study="1.2.4", Modality="MR"))
        runner = Runner(server.context.settings, in_job_process)
        runner.start()
        yield server
        runner.stop()


def submit(web: Any, kind: str, **parameters: Any) -> dict[str, Any]:
    answer = web.post("/api/jobs", json={"Type": kind, "Parameters": parameters})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_verification_tells_what_it_looked_at(web: Any) -> None:
    job = over(web, submit(web, "verify")["ID"])
    assert (job["State"], job["Progress"], job["ErrorCode"], job["Creator"]) == ("Success", 100, 0, "local")
    assert job["Result"]["ok"] is True
    assert (job["Result"]["objects"], job["Total"]) == (3, 5)
    assert web.get(f"/api/jobs/{job['ID']}/findings.json").json() == []


def test_a_zip_of_studies_is_made_and_downloaded_in_ranges(web: Any) -> None:
    asked = {"Resources": ["1.2.3", "1.9"], "Asynchronous": True, "Filename": "two.zip"}
    answer = web.post("/api/tools/create-archive", json=asked).json()
    assert answer["Path"] == f"/jobs/{answer['ID']}"
    job = over(web, answer["ID"])
    assert job["Result"] == {
        "instances": 2,
        "size": job["Total"],
        "missing": 1,
        "first_missing": ["1.9"],
    }
    whole = web.get(f"/api/jobs/{job['ID']}/archive")
    assert whole.headers["Content-Type"] == "application/zip"
    assert "two.zip" in whole.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        names = archive.namelist()
        assert names == ["1.2.3/1.2.3.1/1.2.3.1.1.dcm", "1.2.3/1.2.3.1/1.2.3.1.2.dcm"]
        assert pydicom.dcmread(io.BytesIO(archive.read(names[1]))).SOPInstanceUID == "1.2.3.1.2"
    part = web.get(f"/api/jobs/{job['ID']}/archive", headers={"Range": "bytes=4-"})
    assert (part.status_code, part.content) == (206, whole.content[4:])


def test_a_zip_of_a_cohort_has_what_was_frozen(web: Any) -> None:
    web.post("/api/cohorts", json={"name": "mr", "expression": "Modality=MR"})
    job = over(web, submit(web, "archive", cohort="mr", media=True)["ID"])
    assert job["Content"]["cohort"] == "mr@1"
    with zipfile.ZipFile(io.BytesIO(web.get(f"/api/jobs/{job['ID']}/archive").content)) as archive:
        assert archive.namelist() == ["DICOM/ST000001/SE000001/IM000001", "DICOMDIR"]


def test_a_catalog_is_compacted(web: Any) -> None:
    job = over(web, submit(web, "compact")["ID"])
    assert job["State"] == "Success", job
    assert job["Result"]["flushed"] == 3


def test_jobs_are_listed_as_orthanc_lists_them(web: Any) -> None:
    id = over(web, submit(web, "verify", digests=False)["ID"])["ID"]
    assert web.get("/api/jobs").json()[0] == id
    first = web.get("/api/jobs?expand").json()[0]
    orthanc = {
        "CompletionTime",
        "Content",
        "CreationTime",
        "EffectiveRuntime",
        "ErrorCode",
        "ErrorDescription",
    }
    orthanc |= {"ErrorDetails", "ID", "Priority", "Progress", "State", "Timestamp", "Type"}
    assert first.keys() >= orthanc
    assert all(job["State"] == "Success" for job in web.get("/api/jobs?expand&state=success").json())
    assert web.get("/api/jobs?dataset=none").json() == []
    assert {kind["Type"] for kind in web.get("/api/jobs/kinds").json()} >= {"archive", "compact", "verify"}


def test_who_waits_for_a_change_is_told_at_once(web: Any) -> None:
    last = web.get("/api/jobs/changes").json()["Last"]
    assert web.get(f"/api/jobs/changes?since={last}").json() == {"Jobs": [], "Last": last}
    told: list[Any] = []
    waiting = threading.Thread(
        target=lambda: told.append(
            __import__("requests").get(f"{web.url}/api/jobs/changes?since={last}&wait=30", timeout=60).json()
        )
    )
    waiting.start()
    id = submit(web, "verify", digests=False)["ID"]
    waiting.join(60)
    assert [job["ID"] for job in told[0]["Jobs"]] == [id]
    over(web, id)


def test_one_that_fails_says_why_and_can_be_submitted_again(web: Any) -> None:
    job = over(web, submit(web, "archive", uids=["1.9"])["ID"])
    assert (job["State"], job["ErrorCode"], job["Error"]["code"]) == ("Failure", 17, "not-found")
    assert web.get(f"/api/jobs/{job['ID']}/archive").status_code == 404
    again = web.post(f"/api/jobs/{job['ID']}/resubmit").json()
    assert again["State"] == "Pending"
    assert over(web, job["ID"])["State"] == "Failure"
    assert web.web.delete(f"{web.url}/api/jobs/{job['ID']}").status_code == 204
    assert web.get(f"/api/jobs/{job['ID']}").status_code == 404


def test_mistakes_are_named(web: Any) -> None:
    def status(**asked: Any) -> int:
        return int(web.post("/api/jobs", json=asked).status_code)

    assert status() == 400
    assert status(Type="nothing") == 400
    assert status(Type="verify", Parameters={"digest": True}) == 400
    assert status(Type="verify", Parameters={"digests": 1}) == 400
    assert status(Type="archive", Parameters={}) == 400
    assert status(Type="archive", Parameters={"uids": ["x"]}) == 400
    assert status(Type="archive", Parameters={"members": "ab"}) == 400
    assert status(Type="archive", Parameters={"cohort": "none"}) == 404
    assert status(Type="archive", Parameters={"uids": ["1.2.3"]}, Dataset="none") == 404
    assert (
        web.post("/api/tools/create-archive", json={"Resources": ["1.2.3"], "Synchronous": True}).status_code
        == 400
    )
    assert web.get(f"/api/jobs/{NOBODY}").status_code == 404
    assert web.post(f"/api/jobs/{NOBODY}/cancel").status_code == 404
    assert web.get("/api/jobs?state=odd").status_code == 400


def test_who_may(serve: Callable[..., LiveArchive]) -> None:
    web = serve()
    web.store(instance(1))
    headers = {}
    for name, role in (
        ("ada", Role.READER),
        ("bob", Role.READER),
        ("eve", Role.CURATOR),
        ("root", Role.ADMIN),
    ):
        secret, _ = web.context.tokens.create(name, role=role)
        headers[name] = {"Authorization": f"Bearer {secret}"}

    def post(who: str, path: str, **asked: Any) -> Any:
        return web.post(path, json=asked, headers=headers[who])

    assert post("ada", "/api/jobs", Type="verify").status_code == 403
    assert post("eve", "/api/jobs", Type="verify").status_code == 403
    verify = post("root", "/api/jobs", Type="verify").json()["ID"]
    assert post("ada", "/api/jobs", Type="compact").status_code == 403
    zipping = post("ada", "/api/jobs", Type="archive", Parameters={"uids": ["1.2.3"]}).json()["ID"]
    assert web.get(f"/api/jobs/{verify}", headers=headers["ada"]).status_code == 404
    assert web.get("/api/jobs", headers=headers["bob"]).json() == [zipping]
    assert post("bob", f"/api/jobs/{zipping}/cancel").status_code == 403
    assert post("ada", f"/api/jobs/{zipping}/pause").json()["State"] == "Paused"
    assert post("ada", f"/api/jobs/{zipping}/resume").json()["State"] == "Pending"
    assert post("eve", f"/api/jobs/{zipping}/cancel").json()["ErrorCode"] == 37
