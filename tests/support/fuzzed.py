"""Requests that schemathesis makes from an OpenAPI description, led to what is stored and given bodies."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import requests
import schemathesis
from hostile_archive import Place, fill
from hypothesis import strategies as st
from live_archive import LiveArchive, instance
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from workitem_documents import elements, performed, workitem

SCHEDULED = "1.2.3.4.5"
DICOM = "application/dicom"
_ACCEPTS = (
    "*/*",
    "application/dicom+json",
    "application/dicom+xml",
    'multipart/related; type="application/dicom+xml"',
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80",
    "application/zip",
    "application/octet-stream",
    'multipart/related; type="image/jp2"; transfer-syntax=1.2.840.10008.1.2.4.90',
    "image/*",
    "image/png",
    "image/gif",
    "video/mp4",
    "text/html, application/pdf;q=0.5",
)
_ELEMENTS = (
    "PixelData",
    "7FE00010",
    "00081140/1/00081155",
    "00081140/0",
    "52009229/1/00289110",
    "x",
    "+1234567",
)
_DOCUMENTS = (
    workitem(),
    performed(),
    elements(ProcedureStepState="IN PROGRESS", TransactionUID="1.2.9"),
    elements(ReasonForCancellation="why"),
)


@dataclass
class Fuzzed:
    """A server with one of everything, and what it says of itself."""

    web: LiveArchive
    places: list[Place]
    operations: dict[str, Any]
    takes: dict[str, list[str]]
    document: Any

    def ask(self, label: str, data: st.DataObject) -> requests.Response:
        """Send one request of an operation (`GET /studies`), drawn from `data`."""
        operation = self.operations[label]
        varied = operation.path_parameters or operation.query or operation.headers
        mode = data.draw(st.sampled_from(list(GenerationMode) if varied else [GenerationMode.POSITIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        self._lead(case, data)
        told = case.as_transport_kwargs(base_url=self.web.url + "/dicom-web")
        if label in self.takes and data.draw(st.integers(0, 3)):
            told.pop("json", None)
            kind = data.draw(st.sampled_from(self.takes[label]))
            told["data"], told["headers"]["Content-Type"] = data.draw(_body(kind))
        return requests.request(**told, timeout=60, allow_redirects=False)

    def is_described(self, label: str, answer: requests.Response) -> bool:
        """Whether status and media type of a success are among those that the description names."""
        method, path = label.split(" ")
        told = self.document["paths"][path][method.lower()]["responses"].get(str(answer.status_code))
        if told is None or not answer.content:
            return told is not None
        kinds = {kind.partition(";")[0] for kind in told.get("content", {})}
        return answer.headers["Content-Type"].partition(";")[0] in kinds

    def _lead(self, case: Any, data: st.DataObject) -> None:
        """Mostly name what is there; what is deleted was stored for it."""
        if case.method == "DELETE":
            self.web.store(instance(study="1.9"))
            place = Place("1.9", "1.9.1", "1.9.1.1")
        else:
            place = data.draw(st.sampled_from(self.places))
        real = {
            "study": place.study,
            "series": place.series,
            "instance": place.instance,
            "workitem": SCHEDULED,
            "uid": "1.2.840.3",
            "frames": data.draw(st.sampled_from(("1", "1,1", "2", "30"))),
            "element": data.draw(st.sampled_from(_ELEMENTS)),
        }
        path = dict(case.path_parameters or {})
        if data.draw(st.integers(0, 3)):
            case.path_parameters = {name: real.get(name, value) for name, value in path.items()}
        if "accept" in (case.query or {}) and data.draw(st.integers(0, 3)):
            case.query = {**case.query, "accept": data.draw(st.sampled_from(_ACCEPTS))}


def fuzzed(web: LiveArchive) -> Fuzzed:
    """Fill the archive and read its description."""
    places = fill(web)
    headers = {"Content-Type": "application/dicom+json"}
    answer = web.post(f"/dicom-web/workitems?{SCHEDULED}", data=json.dumps(workitem()), headers=headers)
    assert answer.status_code == 201, answer.text
    document = web.get("/dicom-web/openapi.json").json()
    described, takes = _without_files(document)
    schema = schemathesis.openapi.from_dict(described, config=SchemathesisConfig.from_dict({}))
    schema.config.base_url = web.url + "/dicom-web"
    found = {one.ok().label: one.ok() for one in schema.get_all_operations()}
    return Fuzzed(web, places, found, takes, document)


def _without_files(document: Any) -> tuple[Any, dict[str, list[str]]]:
    """The description without bodies that are no JSON, which schemathesis cannot make, and their types."""
    made, takes = copy.deepcopy(document), {}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if content:
                takes[f"{method.upper()} {path}"] = list(content)
            for kind in [kind for kind in content if kind != "application/dicom+json"]:
                del content[kind]
            if not content:
                operation.pop("requestBody", None)
    return made, takes


@st.composite
def _body(draw: st.DrawFn, kind: str) -> tuple[bytes, str]:
    """A body of a media type, right or damaged, and its Content-Type."""
    inner = kind.partition('type="')[2].rstrip('"') or kind
    if inner == DICOM:
        raw = instance(draw(st.integers(1, 5)), study="1.8", pixels=bytes(64), Rows=4, Columns=8)
    elif inner == "application/dicom+json":
        raw = json.dumps([draw(st.sampled_from(_DOCUMENTS))]).encode()
    else:
        raw = b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO" keyword="PatientID">'
        raw += b'<Value number="1">P</Value></DicomAttribute></NativeDicomModel>'
    if kind.startswith("multipart"):
        raw = b"--x\r\nContent-Type: " + inner.encode() + b"\r\n\r\n" + raw + b"\r\n--x--\r\n"
        kind += "; boundary=x"
    how = draw(st.sampled_from(("whole", "whole", "cut", "changed", "repeated", "noise")))
    if how == "cut":
        raw = raw[: draw(st.integers(0, len(raw)))]
    elif how == "changed":
        at = draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + draw(st.binary(min_size=1, max_size=8)) + raw[at + 1 :]
    elif how == "repeated":
        raw += raw
    elif how == "noise":
        raw = draw(st.binary(max_size=200))
    return raw, kind
