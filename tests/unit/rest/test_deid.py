"""`/api/deid` over a served archive, with a runner as the keeper has one: previews, runs, reviews."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from job_waits import over
from live_archive import LiveArchive, instance, serving

from isocenter.app import in_job_process
from isocenter.config import DatasetSettings, DeidSettings
from isocenter.deid import KeyRing
from isocenter.deid.audit_log import read_audit
from isocenter.deid.report import read_report
from isocenter.dicom.levels import Level
from isocenter.jobs.executor import Runner
from isocenter.security import Role

ORIGINALS = ("Stradivari", "Antonio", "SECRET-7", "19440218", "1.2.77", "Cremona", "ACC-4711")
SECRETS: dict[str, Any] = {
    "PatientName": "Stradivari^Antonio",
    "PatientID": "SECRET-7",
    "PatientBirthDate": "19440218",
    "InstitutionName": "Hospital of Cremona",
    "AccessionNumber": "ACC-4711",
    "SeriesDescription": "thorax of Stradivari",
}


def secret(number: int, *, series: str = "1", **values: Any) -> bytes:
    return instance(number, study="1.2.77", series=series, **SECRETS | values)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    with serving(tmp_path_factory.mktemp("deid") / "data") as start:
        server = start(
            datasets={name: DatasetSettings(ae_title=name.upper()) for name in ("research", "held")}
        )
        server.store(*[secret(n) for n in (1, 2, 3)])
        image = {"Rows": 2, "Columns": 2, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
        image |= {"SamplesPerPixel": 1, "PixelRepresentation": 0}
        server.store(secret(1, series="2", BurnedInAnnotation="YES", pixels=bytes(8), **image))
        with running(server):
            yield server


def submit(web: Any, **asked: Any) -> str:
    answer = web.post("/api/deid", json={"Resources": ["1.2.77"], "Recipe": {}, **asked})
    assert answer.status_code == 201, answer.text
    assert answer.json() == {
        "ID": answer.json()["ID"],
        "Path": f"/jobs/{answer.json()['ID']}",
        "Type": "deidentify",
    }
    return str(answer.json()["ID"])


def done(web: Any, **asked: Any) -> str:
    id = submit(web, **asked)
    job = over(web, id)
    assert job["State"] == "Success", job
    return id


def state(web: Any, id: str) -> dict[str, Any]:
    return dict(web.get(f"/api/deid/{id}").json())


def review(web: Any, id: str, **said: Any) -> dict[str, Any]:
    """Say something, and wait until what may leave has left."""
    answer = web.post(f"/api/deid/{id}/review", json=said)
    assert answer.status_code == 200, answer.text
    if answer.json()["Release"]:
        assert over(web, answer.json()["Release"])["State"] == "Success"
    return state(web, id)


def folder(web: Any, id: str) -> Path:
    return Path(web.context.settings.data) / "jobs" / id


def search(web: Any, dataset: str) -> list[Any]:
    answer = web.get(f"/datasets/{dataset}/dicom-web/instances")
    return list(answer.json()) if answer.status_code == 200 else []


COUNTS = {"in": 4, "out": 3, "quarantined": 1, "skipped": 0, "missing": 0, "rejected": 0}


def test_a_preview_tells_everything_and_writes_no_result(web: Any) -> None:
    id = done(web, Preview=True)
    told = state(web, id)
    assert (told["State"], told["Review"], told["Counts"]) == ("Success", "none", COUNTS)
    assert sorted(path.name for path in folder(web, id).iterdir()) == [
        "report.html",
        "report.json",
        "review.json",
    ]
    assert web.get(f"/api/deid/{id}/report").json()["counts"]["out"] == 3
    assert web.get(f"/api/jobs/{id}/archive").status_code == 404


def test_the_review_document_is_what_the_widget_shows(web: Any) -> None:
    id = done(web, Preview=True)
    told = web.get(f"/api/deid/{id}/review").json()
    assert told.keys() == {"title", "profile", "attributes", "images", "quarantined", "counts"}
    rows = {row["tag"]: row for row in told["attributes"]}
    assert all(
        row.keys() == {"tag", "name", "action", "before", "after", "distinct", "note", "flag"}
        for row in rows.values()
    )
    name = rows["(0010,0010)"]
    assert (name["action"], name["before"], name["distinct"]) == (
        "replace",
        [{"value": "Stradivari^Antonio", "count": 3}],
        1,
    )
    assert rows["(0008,0018)"]["action"] == "new UID"
    assert rows["(0008,0018)"]["distinct"] == 3
    assert rows["(0008,0080)"]["action"] == "remove"
    assert rows["(0008,0080)"]["after"] == []
    assert rows["(0008,0020)"]["action"] in ("empty", "replace")
    assert [one["id"] for one in told["quarantined"]] == ["1.2.77.2.1"]
    assert told["quarantined"][0]["reason"] == "its pixels are not cleared: Burned In Annotation is YES"
    assert [picture.keys() for picture in told["images"]] == [
        {"id", "label", "path", "width", "height", "boxes", "note"}
    ]
    path = "/dicom-web/studies/1.2.77/series/1.2.77.2/instances/1.2.77.2.1/thumbnail"
    assert told["images"][0]["path"] == path
    assert folder(web, id).joinpath("review.json").stat().st_mode & 0o777 == 0o600


def test_a_report_is_signed_and_holds_no_value_of_an_original(web: Any) -> None:
    id = done(web, Preview=True)
    raw = web.get(f"/api/deid/{id}/report").content
    page = web.get(f"/api/deid/{id}/report.html")
    assert page.headers["Content-Type"].startswith("text/html")
    key = KeyRing.of(web.context.settings.data).get("default")
    assert read_report(raw, key)["counts"]["files"] == 4
    for value in ORIGINALS:
        assert value.encode() not in raw, value
        assert value.encode() not in page.content, value


def test_without_review_results_go_straight_into_the_dataset_and_once(web: Any) -> None:
    for _ in range(2):  # the second run gives the same bytes by the same key
        id = done(web, Into="research")
        found = search(web, "research")
        assert len(found) == 3
        assert not any(value in json.dumps(found) for value in ORIGINALS)
        assert not folder(web, id).joinpath("held").exists()
        assert state(web, id)["Released"] is True
    assert over(web, id)["Result"]["released"].items() >= {"into": "research", "duplicate": 3}.items()


def test_without_a_target_the_result_is_a_zip_with_a_dicomdir(web: Any) -> None:
    id = done(web)
    with zipfile.ZipFile(io.BytesIO(web.get(f"/api/jobs/{id}/archive").content)) as archive:
        names = archive.namelist()
        assert names[-1] == "DICOMDIR"
        assert len(names) == 4
        results = [pydicom.dcmread(io.BytesIO(archive.read(name))) for name in names]
    assert {str(one.PatientIdentityRemoved) for one in results[:3]} == {"YES"}
    assert len(results[3].DirectoryRecordSequence) == 6
    assert not folder(web, id).joinpath("held").exists()


def test_what_is_held_is_nowhere_before_it_is_accepted(web: Any) -> None:
    id = done(web, Into="held", Review=True)
    assert state(web, id)["Review"] == "pending"
    assert search(web, "held") == []
    assert web.get(f"/api/jobs/{id}/archive").status_code == 404
    held = [path for path in folder(web, id).joinpath("held").rglob("*") if path.is_file()]
    assert len(held) == 3
    for name in (held[0].name, "held", "held.jsonl", "review.json"):
        assert web.get(f"/api/jobs/{id}/{name}").status_code == 404
    told = review(
        web,
        id,
        verdict="accepted",
        rejected=["1.2.77.1.2", "1.2.77.2.1"],
        decisions={"(0010,0010)": "accepted"},
    )
    assert (told["Review"], told["Reviewer"], told["Released"]) == ("accepted", "local", True)
    assert told["Counts"]["rejected"] == 1
    assert len(search(web, "held")) == 2
    assert sorted(path.name for path in folder(web, id).iterdir()) == [
        "report.html",
        "report.json",
        "review.json",
    ]
    (*_, line) = read_audit(Path(web.context.settings.data, "audit", "deid.jsonl"))
    said = {"user": "local", "what": "review accepted", "job": id, "into": "held", "rejected": 1}
    assert said.items() <= line.items()
    report = web.get(f"/api/deid/{id}/report").json()
    assert (report["review"]["verdict"], report["review"]["rejected"]) == ("accepted", 1)
    read_report(json.dumps(report), KeyRing.of(web.context.settings.data).get("default"))


def test_rejected_ones_are_in_no_zip(web: Any) -> None:
    id = done(web, Review=True)
    assert web.get(f"/api/jobs/{id}/archive").status_code == 404
    review(web, id, verdict="accepted", rejected=["1.2.77.1.1", "1.2.77.1.3"])
    with zipfile.ZipFile(io.BytesIO(web.get(f"/api/jobs/{id}/archive").content)) as archive:
        assert len(archive.namelist()) == 2


def test_a_rejected_run_is_deleted_and_stays_rejected(web: Any) -> None:
    id = done(web, Review=True)
    assert review(web, id, verdict="rejected")["Review"] == "rejected"
    assert not folder(web, id).joinpath("held").exists()
    assert web.post(f"/api/deid/{id}/review", json={"verdict": "accepted"}).status_code == 409
    assert web.get(f"/api/jobs/{id}/archive").status_code == 404


def test_a_verdict_is_given_once_and_names_results_alone(web: Any) -> None:
    id = done(web, Review=True)

    def said(**what: Any) -> int:
        return int(web.post(f"/api/deid/{id}/review", json=what).status_code)

    assert said(verdict="accepted", rejected=["1.2.3.4.5.6"]) == 400
    assert said(verdict="accepted", rejected=[7]) == 400
    assert id in [one["ID"] for one in web.get("/api/deid?review=pending").json()]
    review(web, id, verdict="accepted")
    assert id not in [one["ID"] for one in web.get("/api/deid?review=pending").json()]
    assert said(verdict="accepted") == 200  # again is as once
    assert said(verdict="accepted", rejected=["1.2.77.1.1"]) in (400, 409)
    assert said(verdict="rejected") == 409


def test_a_deleted_member_of_a_cohort_is_told(web: Any) -> None:
    web.store(*[instance(n, study="1.2.88") for n in (1, 2)])
    web.post("/api/cohorts", json={"name": "pair", "expression": "StudyInstanceUID=1.2.88"})
    web.main.delete(Level.INSTANCE, "1.2.88.1.2")
    id = done(web, Resources=None, Cohort="pair", Preview=True)
    told = state(web, id)
    assert (told["Cohort"], told["Counts"]["in"], told["Counts"]["missing"]) == ("pair@1", 1, 1)
    assert over(web, id)["Result"]["first_missing"] == ["1.2.88.1.2"]


def test_keys_are_told_by_name_and_fingerprint(web: Any) -> None:
    made = web.post("/api/deid/keys", json={"name": "trial-7"})
    assert made.status_code == 201
    assert made.json() in web.get("/api/deid/keys").json()
    assert made.json().keys() == {"name", "fingerprint"}
    assert web.post("/api/deid/keys", json={"name": "trial-7"}).status_code == 409
    assert web.post("/api/deid/keys", json={"name": "../x"}).status_code == 400


def test_mistakes_are_named(web: Any) -> None:
    def refused(**asked: Any) -> tuple[int, str]:
        answer = web.post("/api/deid", json={"Resources": ["1.2.77"], **asked})
        return answer.status_code, answer.json()["error"]["message"] + answer.json()["error"].get("hint", "")

    status, words = refused(Recipe={"key": "none"})
    assert (status, "isocenter deid-key new none" in words) == (404, True)
    assert refused(Recipe={"option": []})[0] == 400
    assert refused(Recipe={"options": ["retain-uids"]}, Into="main")[0] == 400
    assert refused(Into="nowhere")[0] == 404
    assert refused(Cohort="pair")[0] == 400
    assert refused(Resources=[])[0] == 400
    release = {"Type": "release-deidentified", "Parameters": {"job": "x"}}
    assert web.post("/api/jobs", json=release).status_code == 400
    id = done(web, Preview=True)
    assert web.post(f"/api/deid/{id}/review", json={"verdict": "accepted"}).status_code == 409
    assert web.post(f"/api/deid/{id}/review", json={"verdict": "good"}).status_code == 400


def test_who_may(serve: Callable[..., LiveArchive]) -> None:
    web = serve(datasets={"research": DatasetSettings(ae_title="RESEARCH")}, deid=DeidSettings(review=True))
    web.store(secret(1))
    headers = {}
    for role in Role:
        token, _ = web.context.tokens.create(role.value, role=role)
        headers[role] = {"Authorization": f"Bearer {token}"}

    def asked(role: Role, path: str = "/api/deid", **body: Any) -> Any:
        body = body or {"Resources": ["1.2.77"]}
        return web.post(path, json=body, headers=headers[role])

    for role in (Role.READER, Role.CONTRIBUTOR, Role.CURATOR):
        assert asked(role).status_code == 403, role
        assert web.get("/api/deid/keys", headers=headers[role]).status_code == 403
    assert (
        asked(Role.READER, "/api/jobs", Type="deidentify", Parameters={"uids": ["1.2.77"]}).status_code == 403
    )
    assert asked(Role.DEIDENTIFIER, "/api/deid/keys", name="x").status_code == 403
    research = {"Resources": ["1.2.77"], "Into": "research"}
    of_main, _ = web.context.tokens.create("of main", role=Role.DEIDENTIFIER, datasets=["main"])
    held = {"Authorization": f"Bearer {of_main}"}
    assert web.post("/api/deid", json=research, headers=held).status_code == 403
    assert asked(Role.DEIDENTIFIER, Resources=["1.2.77"], Review=False).status_code == 403
    made = asked(Role.DEIDENTIFIER).json()["ID"]
    assert web.context.jobs.get(made).parameters["review"] is True  # type: ignore[union-attr]
    assert asked(Role.DEIDENTIFIER, **research).status_code == 201
    free = asked(Role.ADMIN, **research, Review=False).json()["ID"]
    assert web.context.jobs.get(free).parameters["review"] is False  # type: ignore[union-attr]
    assert web.get("/api/deid/keys", headers=headers[Role.DEIDENTIFIER]).status_code == 200
    accepted = {"verdict": "accepted"}
    assert asked(Role.DEIDENTIFIER, f"/api/deid/{made}/review", **accepted).status_code == 403
    assert asked(Role.CURATOR, f"/api/deid/{made}/review", **accepted).status_code == 409  # not done yet
    assert web.get(f"/api/deid/{made}/review", headers=headers[Role.READER]).status_code == 403
    assert web.get(f"/api/deid/{made}", headers=headers[Role.READER]).status_code == 200


def test_a_review_outlives_the_server_and_what_waits_is_not_forgotten(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as start:
        web = start()
        web.store(secret(1))
        with running(web):
            id = done(web, Review=True)
    with serving(tmp_path / "data") as start:
        web = start()
        assert web.context.jobs.trim(0.0) == []  # type: ignore[union-attr]
        assert state(web, id)["Review"] == "pending"
        with running(web):
            assert review(web, id, verdict="accepted")["Released"] is True
            assert web.get(f"/api/jobs/{id}/archive").status_code == 200
        assert id in web.context.jobs.trim(0.0)  # type: ignore[union-attr]
        assert web.context.jobs.reviews.get(id) is None  # type: ignore[union-attr]


@contextmanager
def running(web: LiveArchive) -> Iterator[None]:
    runner = Runner(web.context.settings, in_job_process)
    runner.start()
    try:
        yield
    finally:
        runner.stop()
