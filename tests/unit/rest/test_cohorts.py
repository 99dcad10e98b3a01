"""`/api/cohorts` over a served archive: freezing, members, differences, tables of a cohort, and who may."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from live_archive import LiveArchive, instance, serving

from isocenter.rest.formats import ARROW, CSV, NDJSON
from isocenter.security import Role

CT_ONLY = "Modality=CT"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """One server for all tests that delete nothing: its query process takes a second to start."""
    with serving(tmp_path_factory.mktemp("cohorts") / "data") as start:
        server = start()
        files = [instance(n, SliceThickness=str(n)) for n in (1, 2, 3)]
        files.append(instance(1, study="1.2.4", Modality="MR"))
        assert server.store(*files).status_code == 200
        yield server


def freeze(web: Any, name: str, **asked: Any) -> dict[str, Any]:
    answer = web.post("/api/cohorts", json={"name": name, **asked})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_what_is_frozen_is_listed_and_told(web: Any) -> None:
    made = freeze(web, "thin", expression="SliceThickness<2.5 and Modality=CT", description="thin slices")
    assert (made["id"], made["instances"], made["frozen_by"]) == ("thin@1", 2, "local")
    assert made["digest"].startswith("sha256:")
    assert web.get("/api/cohorts/thin").json() == made
    assert web.get("/api/cohorts/thin@1").json() == made
    assert made in web.get("/api/cohorts").json()


def test_members_stream_in_every_form_and_at_every_level(web: Any) -> None:
    freeze(web, "all", level="study")
    answer = web.get("/api/cohorts/all/members", headers={"Accept": ARROW})
    assert pa.ipc.open_stream(answer.content).read_all().num_rows == 4
    lines = web.get("/api/cohorts/all/members?level=study&accept=" + NDJSON).text.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"StudyInstanceUID": "1.2.3"},
        {"StudyInstanceUID": "1.2.4"},
    ]
    rows = list(
        csv.DictReader(io.StringIO(web.get("/api/cohorts/all/members?level=series&accept=" + CSV).text))
    )
    assert rows[1] == {"StudyInstanceUID": "1.2.4", "SeriesInstanceUID": "1.2.4.1"}


def test_uids_may_be_sent_as_lines(web: Any) -> None:
    answer = web.post(
        "/api/cohorts?name=listed&level=instance",
        data="1.2.3.1.1\n1.2.3.1.3\n",
        headers={"Content-Type": "text/plain"},
    )
    assert (answer.status_code, answer.json()["instances"]) == (201, 2)
    unknown = web.post(
        "/api/cohorts", json={"name": "listed", "level": "instance", "uids": ["1.2.3.1.1", "1.9"]}
    )
    assert unknown.status_code == 404
    assert unknown.json()["error"]["detail"] == {"unknown": 1, "first": ["1.9"]}


def test_a_table_may_be_limited_to_a_cohort(web: Any) -> None:
    freeze(web, "two", expression="InstanceNumber<=2 and Modality=CT")
    asked = {"cohort": "two", "columns": ["SOPInstanceUID"], "order": ["SOPInstanceUID"]}
    answer = web.post("/api/tables/query", json=asked, headers={"Accept": NDJSON})
    assert [json.loads(line)["SOPInstanceUID"] for line in answer.text.splitlines()] == [
        "1.2.3.1.1",
        "1.2.3.1.2",
    ]
    assert answer.headers["Isocenter-Missing"] == "0"
    count = web.post("/api/tables/count", json={"cohort": "two@1", "level": "series"}).json()
    assert count == {"count": 1, "missing": 0}
    assert web.post("/api/tables/count", json={"cohort": "none"}).status_code == 404


def test_summaries_may_be_limited_to_a_cohort(web: Any) -> None:
    freeze(web, "ct", expression="Modality=CT")
    asked = {"cohort": "ct", "level": "instance", "facets": [{"column": "Modality"}]}
    told = web.post("/api/tables/facets", json=asked).json()
    assert (told["count"], told["missing"]) == (3, 0)
    assert [one["value"] for one in told["facets"][0]["values"]] == ["CT"]
    answer = web.post(
        "/api/tables/group", json={"cohort": "ct", "columns": ["Modality"]}, headers={"Accept": NDJSON}
    )
    assert [json.loads(line) for line in answer.text.splitlines()] == [{"Modality": "CT", "count": 3}]


def test_two_cohorts_can_be_compared(web: Any) -> None:
    freeze(web, "was", expression="InstanceNumber in (1, 2) and Modality=CT")
    freeze(web, "is", expression="InstanceNumber in (2, 3) and Modality=CT")
    assert web.get("/api/cohorts/was/diff/is").json() == {
        "old": "was@1",
        "new": "is@1",
        "level": "instance",
        "added": 1,
        "removed": 1,
        "common": 1,
    }
    rows = web.get("/api/cohorts/was/diff/is", headers={"Accept": NDJSON}).text.splitlines()
    assert [(row["what"], row["SOPInstanceUID"]) for row in map(json.loads, rows)] == [
        ("added", "1.2.3.1.3"),
        ("removed", "1.2.3.1.1"),
    ]
    assert web.get("/api/cohorts/was/diff/is?level=series").json()["common"] == 1


def test_mistakes_are_named(web: Any) -> None:
    def code(**asked: Any) -> tuple[int, str]:
        answer = web.post("/api/cohorts", json=asked)
        return answer.status_code, answer.json()["error"]["code"]

    assert code() == (400, "bad-request")
    assert code(name="a/b") == (400, "bad-request")
    assert code(name="x", expression="Modalty=CT") == (400, "unknown-attribute")
    assert code(name="x", expression="Modality=CT", where={}) == (400, "bad-request")
    assert code(name="x", level="patient")[0] == 400
    assert code(name="x", uids=[]) == (400, "bad-request")
    assert code(name="x", limit=-1) == (400, "bad-request")
    assert code(name="x", dataset="none") == (404, "not-found")
    assert code(name="x", cohort="none") == (404, "not-found")
    assert web.get("/api/cohorts/none").status_code == 404
    assert web.get("/api/cohorts/thin@x").status_code == 400
    assert web.get("/api/cohorts/none/members").status_code == 404
    assert web.get("/api/cohorts?dataset=none").status_code == 404


def test_the_change_log_tells_of_it(web: Any) -> None:
    before = web.get("/api/changes?limit=1000").json()["Last"]
    freeze(web, "told")
    (line,) = web.get(f"/api/changes?since={before}").json()["Changes"]
    assert (line["ChangeType"], line["ResourceType"]) == ("CohortFrozen", "Cohort")
    assert line["Cohort"] == "told@1"


def test_members_that_were_deleted_since_are_told(serve: Callable[..., LiveArchive]) -> None:
    web = serve()
    web.store(*[instance(n) for n in (1, 2)])
    freeze(web, "both")
    assert web.get("/api/cohorts/both/verify").json()["ok"] is True
    assert web.web.delete(f"{web.url}/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1").ok
    rows = web.get("/api/cohorts/both/lost", headers={"Accept": NDJSON}).text.splitlines()
    assert [(row["what"], row["SOPInstanceUID"]) for row in map(json.loads, rows)] == [
        ("missing", "1.2.3.1.1")
    ]
    assert web.post("/api/tables/count", json={"cohort": "both"}).json() == {"count": 1, "missing": 1}
    answer = web.post("/api/tables/query", json={"cohort": "both"}, headers={"Accept": ARROW})
    assert answer.headers["Isocenter-Missing"] == "1"
    assert web.get("/api/cohorts/both/verify").json() == {
        "ok": False,
        "digest": True,
        "members": 2,
        "missing": 1,
        "changed": 0,
    }


def test_who_may_freeze_and_delete(serve: Callable[..., LiveArchive]) -> None:
    web = serve()
    web.store(instance(1))
    headers = {}
    for name, role in (
        ("read", Role.READER),
        ("ada", Role.CONTRIBUTOR),
        ("bob", Role.DEIDENTIFIER),
        ("eve", Role.CURATOR),
    ):
        secret, _ = web.context.tokens.create(name, role=role)
        headers[name] = {"Authorization": f"Bearer {secret}"}

    def post(who: str) -> int:
        return int(web.post("/api/cohorts", json={"name": "x"}, headers=headers[who]).status_code)

    def delete(who: str, what: str) -> int:
        return int(web.web.delete(f"{web.url}/api/cohorts/{what}", headers=headers[who]).status_code)

    assert [post(who) for who in ("read", "ada", "bob")] == [403, 201, 201]
    assert web.get("/api/cohorts/x@1", headers=headers["read"]).json()["frozen_by"] == "ada"
    assert [delete("read", "x@1"), delete("bob", "x@1"), delete("bob", "x")] == [403, 403, 403]
    assert [delete("ada", "x@1"), delete("ada", "x@1")] == [204, 404]
    assert web.web.put(f"{web.url}/api/cohorts/x/pinned", headers=headers["bob"]).status_code == 403
    assert web.web.put(f"{web.url}/api/cohorts/x/pinned", headers=headers["eve"]).json()["pinned"] is True
    assert delete("eve", "x") == 204
    assert web.get("/api/cohorts", headers=headers["read"]).json() == []
