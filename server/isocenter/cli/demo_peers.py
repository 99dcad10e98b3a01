"""The demonstration's foreign peer: pynetdicom as sender and finder, plain HTTP as STOW and QIDO client.

Other code than the server's own, so that the demonstration proves something.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pynetdicom import AE, build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from isocenter.cli.throwaway import Running
from isocenter.datasets.gathering import Gathered

_FAILED = ("00081198", "0008119A")  # Failed SOP Sequence, Other Failures Sequence (PS3.18 I.2)
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the server is on this machine
MOST_CONTEXTS = 128  # presentation contexts of one association (PS3.8 7.1.1.13)


@dataclass
class Sent:
    """What became of one round of sending: every file is stored or refused, those that were not sent too."""

    way: str
    files: int = 0
    unsent: int = 0
    size: int = 0
    seconds: float = 0.0
    stored: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """For `isocenter demo --json`."""
        return {**self.__dict__, "refused": dict(self.refused)}


def c_store(server: Running, files: list[Gathered], tell: Callable[[], None]) -> Sent:
    """Send every file by C-STORE, as it is, over as few associations as its contexts need."""
    sendable = [file for file in files if file.transfer_syntax]
    told = Sent("C-STORE", files=len(files), unsent=len(files) - len(sendable))
    told.refused["not sent: no transfer syntax in its file meta information"] = told.unsent
    for _ in range(told.unsent):
        tell()
    started = time.perf_counter()
    ordered = sorted(sendable, key=lambda f: (f.sop_class, f.transfer_syntax))
    kinds = [list(group) for _, group in groupby(ordered, key=lambda f: (f.sop_class, f.transfer_syntax))]
    for at in range(0, len(kinds), MOST_CONTEXTS):
        _associate_and_send(server, kinds[at : at + MOST_CONTEXTS], told, tell)
    told.seconds = time.perf_counter() - started
    told.refused = +told.refused
    return told


def _associate_and_send(
    server: Running, kinds: list[list[Gathered]], told: Sent, tell: Callable[[], None]
) -> None:
    sender = AE("DEMO")
    contexts = [build_context(group[0].sop_class, group[0].transfer_syntax) for group in kinds]
    association = sender.associate(
        server.dicom_host, server.dicom_port, contexts, ae_title=server.ae_title, max_pdu=0
    )
    for file in (file for group in kinds for file in group):
        tell()
        try:
            status = _send(association, file)
        except NotSent as error:
            told.unsent += 1
            told.refused[f"not sent: {error}"] += 1
            continue
        told.size += file.size
        if status in (0x0000, 0xB000):
            told.stored += 1
        else:
            told.refused[status if isinstance(status, str) else f"status {status:04X}"] += 1
    if association.is_established:
        association.release()


class NotSent(Exception):
    """The sender itself cannot send a file."""


def _send(association: Any, file: Gathered) -> int | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = association.send_c_store(file.path)
    except (ValueError, RuntimeError, AttributeError, InvalidDicomError, OSError) as error:
        raise NotSent(f"{type(error).__name__} {str(error)[:90]}".splitlines()[0]) from error
    if "Status" not in answer:
        return "no answer"
    comment = answer.get("ErrorComment", "")
    return f"status {answer.Status:04X} {comment}" if comment else int(answer.Status)


def stow(server: Running, files: Iterable[Gathered], tell: Callable[[], None]) -> Sent:
    """Send every file by STOW-RS, a dozen a request."""
    told = Sent("STOW-RS")
    started = time.perf_counter()
    batch: list[Gathered] = []
    for file in files:
        batch.append(file)
        if len(batch) == 12:
            _post(server, batch, told)
            batch = []
        tell()
    if batch:
        _post(server, batch, told)
    told.seconds = time.perf_counter() - started
    return told


def _post(server: Running, batch: list[Gathered], told: Sent) -> None:
    boundary = uuid.uuid4().hex
    parts = []
    for file in batch:
        told.files += 1
        told.size += file.size
        parts += [
            f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(),
            file.path.read_bytes(),
            b"\r\n",
        ]
    parts.append(f"--{boundary}--\r\n".encode())
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    answer = _http(server, "/dicom-web/studies", b"".join(parts), {"Content-Type": kind})
    stored = answer.get("00081199", {}).get("Value", [])
    failed = [item for tag in _FAILED for item in answer.get(tag, {}).get("Value", [])]
    told.stored += len(stored)
    for item in failed:
        told.refused[_reason(item)] += 1
    if missing := len(batch) - len(stored) - len(failed):
        told.refused["not mentioned in the answer"] += missing


def _reason(item: dict[str, Any]) -> str:
    """As C-STORE words it: the status, which is the failure reason here, and the comment."""
    reason, comment = (item.get(tag, {}).get("Value", [""])[0] for tag in ("00081197", "00000902"))
    status = f"{reason:04X}" if isinstance(reason, int) else "unknown"
    return f"status {status} {comment}".rstrip()


def c_find_studies(server: Running) -> int:
    """How many studies a C-FIND on the Study Root finds."""
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID, asked.PatientName = "STUDY", "", ""
    finder = AE("DEMO")
    finder.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = finder.associate(server.dicom_host, server.dicom_port, ae_title=server.ae_title)
    answers = association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sum(1 for status, _ in answers if status and status.Status in (0xFF00, 0xFF01))
    association.release()
    return found


def qido_studies(server: Running) -> int:
    """How many studies QIDO-RS finds."""
    return len(_http(server, "/dicom-web/studies?limit=100000", None, {}))


def _http(server: Running, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
    headers = {"Accept": "application/dicom+json", "Authorization": f"Bearer {server.token}", **headers}
    request = urllib.request.Request(server.url + path, data=body, headers=headers)
    try:
        with _direct.open(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.headers.get_content_type() == "application/dicom+json":
                return json.load(error)
        raise
