"""`/api`: the system, statistics, datasets with their snapshots, and the change log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import isocenter
from isocenter.security import Role
from isocenter.supervisor import only_server_of

Make = Callable[..., bytes]


def test_the_system_says_what_it_is_and_where(serve: Any) -> None:
    web = serve(ae_title="RESEARCH", datasets={"lab": {"ae_title": "LAB"}})
    system = web.get("/api/system").json()
    assert system["Name"] == "Isocenter"
    assert system["Version"] == isocenter.__version__
    assert (system["DicomAet"], system["DicomPort"], system["HttpPort"]) == ("RESEARCH", 11112, web.port)
    assert system["DicomWebRoot"] == f"{web.url}/dicom-web"


def test_every_start_of_a_server_has_an_identity_of_its_own(web: Any) -> None:
    assert web.get("/api/system").json()["ServerIdentity"] == ""
    told = set()
    for _ in range(2):
        with only_server_of(web.context.settings.data):
            told.add(web.get("/api/system").json()["ServerIdentity"])
    assert len(told) == 2


def test_statistics_count_what_is_there(web: Any, make: Make) -> None:
    web.store(make(1), make(2), make(1, study="1.2.4", PatientID="B", pixels=bytes(2_000_000)))
    told = web.get("/api/statistics").json()
    counts = [told[f"Count{level}"] for level in ("Patients", "Studies", "Series", "Instances")]
    assert counts == [2, 2, 2, 3]
    assert int(told["TotalDiskSize"]) > 2_000_000
    assert told["TotalDiskSizeMB"] == 1


def test_changes_are_read_page_by_page(web: Any, make: Make) -> None:
    web.store(make(1), make(2))
    whole = web.get("/api/changes").json()
    assert whole["Done"]
    kinds = [change["ChangeType"] for change in whole["Changes"]]
    assert kinds.count("NewInstance") == 2
    assert {"NewStudy", "NewSeries"} <= set(kinds)
    seen, since = [], 0
    while True:
        page = web.get(f"/api/changes?since={since}&limit=2").json()
        seen += page["Changes"]
        since = page["Last"]
        if page["Done"]:
            break
    assert seen == whole["Changes"]
    assert web.get(f"/api/changes?since={since}").json() == {"Changes": [], "Done": True, "Last": since}
    assert web.get("/api/changes?since=x").status_code == 400
    for last in ("last", "last="):
        assert web.get(f"/api/changes?{last}").json() == {
            "Changes": whole["Changes"][-1:],
            "Done": True,
            "Last": since,
        }


def test_datasets_are_those_one_may_read(serve: Any) -> None:
    web = serve(datasets={"lab": {"ae_title": "LAB"}})
    assert [one["name"] for one in web.get("/api/datasets").json()] == ["main", "lab"]
    secret, _ = web.context.tokens.create("student", datasets=["lab"])
    (lab,) = web.get("/api/datasets", headers={"Authorization": f"Bearer {secret}"}).json()
    assert lab == {
        "name": "lab",
        "ae_title": "LAB",
        "dicomweb": f"{web.url}/datasets/lab/dicom-web",
    }
    system = web.get("/api/system", headers={"Authorization": f"Bearer {secret}"}).json()
    assert [one["Name"] for one in system["Datasets"]] == ["lab"]


def test_a_dataset_returns_to_a_snapshot(web: Any, make: Make) -> None:
    web.store(make(1))
    assert web.post("/api/datasets/main/snapshots", json={"name": "exam"}).status_code == 201
    assert web.post("/api/datasets/main/snapshots", json={"name": "exam"}).status_code == 409
    web.store(make(2), make(3))
    assert len(web.search("/instances")) == 3
    assert web.post("/api/datasets/main/reset", json={"snapshot": "exam"}).status_code == 200
    assert len(web.search("/instances")) == 1
    assert web.post("/api/tables/count", json={}).json() == {"count": 1}
    assert [one["name"] for one in web.get("/api/datasets/main/snapshots").json()] == ["exam"]
    assert web.web.delete(web.url + "/api/datasets/main/snapshots/exam", timeout=60).status_code == 204
    assert web.post("/api/datasets/main/reset", json={"snapshot": "exam"}).status_code == 404


def test_a_reset_needs_a_curator(web: Any) -> None:
    for role, allowed in [(Role.CONTRIBUTOR, 403), (Role.CURATOR, 404)]:
        secret, _ = web.context.tokens.create(role.value, role=role)
        headers = {"Authorization": f"Bearer {secret}"}
        answer = web.post("/api/datasets/main/reset", json={"snapshot": "none"}, headers=headers)
        assert answer.status_code == allowed


def test_a_snapshot_needs_a_name(web: Any) -> None:
    for body in ({}, {"name": " "}, {"name": "a/b"}, {"nam": "x"}):
        assert web.post("/api/datasets/main/snapshots", json=body).status_code == 400
    assert web.post("/api/datasets/none/snapshots", json={"name": "x"}).status_code == 404
