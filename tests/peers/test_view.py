"""A server with a view: every face answers in new identifiers; nothing that it sends has an original one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pydicom
import pytest
import requests
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from isocenter.cli.throwaway import Running, server
from isocenter.deid.key_ring import KeyRing
from isocenter.deid.recipe import Recipe

pytestmark = [pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::UserWarning")]

NAME, ID, STUDY = "Mustermann^Erika", "PID-7788123", "1.2.3.4.5001"
ORIGINALS = [b"Mustermann", b"PID-7788123", b"1.2.3.4.5001", b"20040119", b"SCANNER7", b"ACC4711"]
SETTINGS = """
[datasets.research]
ae_title = "RESEARCH"
view_of = "main"

[datasets.research.deid]
options = ["modified-dates"]
"""


class Web(NamedTuple):
    """A caller of the server."""

    url: str
    token: str = ""

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= more.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=120, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return self.ask("POST", path, **more)

    def in_step(self) -> dict[str, Any]:
        answer = self.post("/api/datasets/research/refresh", json={"Wait": 120})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def ct(number: int, **more: Any) -> Dataset:
    made = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    made.PatientName, made.PatientID, made.InstanceNumber = NAME, ID, number
    made.AccessionNumber = "ACC4711"
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, f"{STUDY}.2"
    made.SOPInstanceUID = f"{STUDY}.2.{number}"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def send(running: Running, title: str, *objects: Dataset) -> list[int]:
    caller = AE("SCANNER7")
    caller.add_requested_context(CTImageStorage)
    association = caller.associate(running.dicom_host, running.dicom_port, ae_title=title)
    assert association.is_established
    statuses = [int(association.send_c_store(one).Status) for one in objects]
    association.release()
    return statuses


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("view")
    (folder / "data").mkdir()
    (folder / "data" / "isocenter.toml").write_text(SETTINGS)
    with server(folder / "data", workers=1, log=folder / "log") as made:
        assert send(made, "ISOCENTER", ct(1), ct(2), ct(3, BurnedInAnnotation="YES")) == [0, 0, 0]
        yield made


@pytest.fixture(scope="module")
def web(running: Running) -> Web:
    made = Web(running.url, running.token)
    assert made.in_step()["Quarantined"] == 1
    return made


@pytest.fixture(scope="module")
def found(web: Web) -> list[dict[str, Any]]:
    answer = web.get("/datasets/research/dicom-web/instances?includefield=all")
    assert answer.status_code == 200
    return list(answer.json())


def path_of(one: dict[str, Any]) -> str:
    study, series, instance = (one[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
    return f"/datasets/research/dicom-web/studies/{study}/series/{series}/instances/{instance}"


def has_no_original(content: bytes) -> bool:
    return not any(value in content for value in ORIGINALS)


def test_the_list_of_datasets_says_how_far_it_is(web: Web) -> None:
    told = {one["name"]: one for one in web.get("/api/datasets").json()}
    view = told["research"]["View"]
    assert (view["Of"], view["Behind"], view["Quarantined"]) == ("main", 0, 1)
    assert view["Recipe"]["options"] == ["modified-dates"]
    assert "View" not in told["main"]


def test_http_answers_have_no_original(web: Web, found: list[dict[str, Any]]) -> None:
    assert len(found) == 2
    one = path_of(found[0])
    series = one.partition("/instances")[0]
    paths = [
        "/datasets/research/dicom-web/studies?includefield=all",
        f"{series}/metadata",
        f"{one}/frames/1",
        f"{one}/rendered",
        f"{one}/thumbnail",
        series,
        "/api/changes?dataset=research",
        "/api/statistics?dataset=research",
        "/api/datasets",
    ]
    for path in paths:
        answer = web.get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        assert has_no_original(answer.content + repr(dict(answer.headers)).encode()), path


def test_tables_and_sql_have_no_original(web: Web) -> None:
    asked = {"dataset": "research", "level": "instance", "columns": ["*"]}
    answer = web.post("/api/tables/query", json=asked, headers={"Accept": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    assert len(answer.text.splitlines()) == 2
    assert has_no_original(answer.content)
    asked = {"dataset": "research", "sql": "SELECT * FROM instances"}
    answer = web.post("/api/tables/sql", json=asked, headers={"Accept": "text/csv"})
    assert answer.status_code == 200, answer.text
    assert answer.text.count("\n") == 3
    assert has_no_original(answer.content)


def test_a_file_is_what_isocenter_deid_makes(
    web: Web, running: Running, found: list[dict[str, Any]], tmp_path: Path
) -> None:
    by_number = {one["00200013"]["Value"][0]: one for one in found}
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    ct(1).save_as(source)
    key = KeyRing.of(running.data).get("default")
    Recipe(options=("modified-dates",)).deidentifier(key).file(source, target)
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    got = web.get(path_of(by_number[1]), headers=accept).content
    assert has_no_original(got)
    one, other = pydicom.dcmread(io.BytesIO(got)), pydicom.dcmread(target)
    assert one == other
    data_set = got[1536:]
    assert target.read_bytes().endswith(data_set)
    assert len(data_set) > len(one.PixelData)


def test_c_find_and_c_get_have_no_original(running: Running, web: Web) -> None:
    got: list[Dataset] = []

    def keep(event: Any) -> int:
        got.append(event.dataset)
        return 0

    caller = AE("RESEARCHER")
    caller.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    caller.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    caller.add_requested_context(CTImageStorage)
    association = caller.associate(
        running.dicom_host,
        running.dicom_port,
        ae_title="RESEARCH",
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.PatientName = asked.PatientID = asked.StudyInstanceUID = asked.StudyDate = asked.AccessionNumber = (
        ""
    )
    answers = [
        one
        for status, one in association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind)
        if status.Status == 0xFF00
    ]
    assert len(answers) == 1
    assert has_no_original(str(answers[0]).encode())
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", answers[0].StudyInstanceUID
    list(association.send_c_get(asked, StudyRootQueryRetrieveInformationModelGet))
    association.release()
    assert len(got) == 2
    for one in got:
        assert one.PatientID == answers[0].PatientID
        assert has_no_original(str(one).encode())
        assert one.PixelData == ct(1).PixelData


def test_a_zip_of_a_job_has_no_original(web: Web) -> None:
    study = web.get("/datasets/research/dicom-web/studies").json()[0]["0020000D"]["Value"][0]
    job = web.post("/api/tools/create-archive", json={"Dataset": "research", "Resources": [study]})
    assert job.status_code == 200, job.text
    path = f"/api{job.json()['Path']}"
    until = time.monotonic() + 60
    while web.get(path).json()["State"] not in ("Success", "Failure"):
        assert time.monotonic() < until
        time.sleep(0.2)
    answer = web.get(f"{path}/archive")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        names = zipped.namelist()
        assert len([name for name in names if "DICOMDIR" not in name]) == 2
        assert has_no_original(repr(names).encode())
        assert all(has_no_original(zipped.read(name)) for name in names)


def test_a_token_for_the_view_does_not_reach_the_source(web: Web, running: Running) -> None:
    command = ["token", "create", "reader", "--role", "reader", "--dataset", "research", "--json"]
    made = subprocess.run(
        [sys.executable, "-m", "isocenter", *command, "--data", str(running.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    reader = Web(running.url, json.loads(made.stdout)["secret"])
    assert reader.get("/datasets/research/dicom-web/studies").status_code == 200
    original = f"/dicom-web/studies/{STUDY}"
    for path in (
        "/dicom-web/studies",
        f"{original}/metadata",
        "/api/statistics",
        f"/datasets/main{original}",
    ):
        assert reader.get(path).status_code in (403, 404), path
    query = {"dataset": "main", "level": "instance"}
    assert reader.post("/api/tables/query", json=query).status_code == 403
    wado = {"requestType": "WADO", "studyUID": STUDY, "seriesUID": f"{STUDY}.2", "objectUID": f"{STUDY}.2.1"}
    assert reader.get(f"/wado?{urlencode(wado)}").status_code == 403
    assert reader.get(f"/datasets/research/wado?{urlencode(wado)}").status_code == 404
    assert [one["name"] for one in reader.get("/api/datasets").json()] == ["research"]


def test_a_view_takes_nothing_and_loses_nothing(
    web: Web, running: Running, found: list[dict[str, Any]]
) -> None:
    assert send(running, "RESEARCH", ct(9)) == [0x0124]
    stream = io.BytesIO()
    ct(9).save_as(stream)
    file = {"Content-Type": "application/dicom"}
    study = path_of(found[0]).partition("/series")[0]
    refused = [
        web.post("/datasets/research/dicom-web/studies", data=stream.getvalue(), headers=file),
        web.ask("DELETE", study),
        web.post("/api/datasets/research/snapshots", json={"name": "x"}),
        web.post("/api/datasets/research/reset", json={"snapshot": "x"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert all("view of main" in answer.text for answer in refused)
    assert web.post("/api/datasets/main/refresh").status_code == 409


def test_what_comes_and_goes_in_the_source_is_followed(web: Web, running: Running) -> None:
    assert send(running, "ISOCENTER", ct(4)) == [0]
    web.in_step()
    path = "/datasets/research/dicom-web/instances?InstanceNumber=4"
    (one,) = web.get(path).json()
    assert web.ask("DELETE", f"/dicom-web/studies/{STUDY}/series/{STUDY}.2/instances/{STUDY}.2.4").ok
    gone = web.get(path_of(one)).status_code
    assert gone in (404, 410)
    web.in_step()
    assert web.get(path).json() == []


def test_verify_finds_nothing_wrong(web: Web, running: Running) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "isocenter", "verify", "--data", str(running.data), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    findings = json.loads(told.stdout)["findings"]
    assert {one["kind"] for one in findings} <= {"orphan"}  # of main: deleted, and not swept yet
