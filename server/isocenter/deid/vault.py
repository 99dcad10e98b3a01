"""The crosswalk of real and new identifiers, sealed so that only the holder of a private key can read it.

Whoever de-identifies needs the public key alone. An entry is a subject in a study; each is sealed by itself
(`envelope`, bound to the new patient ID), so that one subject can be looked up without opening any other. A
look-up is written to an audit log, whose lines hang together by their digests, before its answer is given.
Not here: SOP Instance UIDs, which follow from the project key.
"""

from __future__ import annotations

import base64
import getpass
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from pydicom.dataset import Dataset

from isocenter.deid.audit_log import Locked, add_line
from isocenter.deid.envelope import Private, Public, fingerprint, open_sealed, seal
from isocenter.errors import BadRequest, NotFound

FORMAT, VERSION = "isocenter-deid-vault", 1


@dataclass(frozen=True)
class Entry:
    """One subject in one study: what it was called, and what it is called now."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    accession: str
    study: str
    new_patient_id: str
    new_accession: str
    new_study: str

    @classmethod
    def of(cls, source: Dataset, result: Dataset) -> Entry:
        """The entry of an object and its result."""
        return cls(
            _text(source, "PatientID"),
            _text(source, "IssuerOfPatientID"),
            _text(source, "PatientName"),
            _text(source, "PatientBirthDate"),
            _text(source, "AccessionNumber"),
            _text(source, "StudyInstanceUID"),
            _text(result, "PatientID"),
            _text(result, "AccessionNumber"),
            _text(result, "StudyInstanceUID"),
        )


class Vault:
    """A file of sealed entries. Several processes may put into one at a time.

    Args:
        path: the file; made, readable by its owner alone, when something is put into it first.
        public: of whoever may look up.

    Raises:
        BadRequest: the file is no vault, or one of another key.
    """

    def __init__(self, path: Path, public: Public) -> None:
        self.path = path
        self.public = public
        self._seen: set[Entry] = set()
        if path.exists() and path.stat().st_size and _head(path)["holder"] != fingerprint(public):
            raise BadRequest(
                f"{path} is a vault of another key", hint="put this project's entries into its own"
            )

    def put(self, entry: Entry) -> None:
        """Seal an entry; one that was put before is not put again."""
        if entry in self._seen:
            return
        self._seen.add(entry)
        sealed = seal(json.dumps(asdict(entry)).encode(), self.public, entry.new_patient_id.encode())
        line = {"subject": entry.new_patient_id, "study": entry.new_study, "sealed": _base64(sealed)}
        with Locked(self.path) as stream:
            if os.fstat(stream.fileno()).st_size == 0:
                head = {"format": FORMAT, "version": VERSION, "holder": fingerprint(self.public)}
                stream.write(json.dumps(head) + "\n")
            stream.write(json.dumps(line) + "\n")


def audit_of(path: Path) -> Path:
    """The audit log beside a vault."""
    return path.with_name(path.name + ".audit")


def subjects(path: Path) -> list[str]:
    """The new patient IDs in a vault; they are no secret. Raises NotFound, BadRequest."""
    return sorted({str(line["subject"]) for line in _lines(path)})


def reidentify(
    path: Path, subject: str, private: Private, *, reason: str, audit: Path | None = None
) -> list[Entry]:
    """Who a subject is, studies included. The look-up is in the audit log even if it finds nobody.

    Args:
        path: the vault.
        subject: the new patient ID.
        private: of the holder.
        reason: why; it goes into the log.
        audit: the log; beside the vault by default.

    Raises:
        NotFound: there is no vault, or no such subject in it.
        BadRequest: no reason was told, the log or the vault was changed, or it is of another key.
    """
    if not reason.strip():
        raise BadRequest("Say why: a look-up is written to the audit log with its reason")
    log = audit or audit_of(path)
    if _head(path)["holder"] != fingerprint(private.public_key()):
        note(log, "refused", subject, reason)
        raise BadRequest("The vault is of another key")
    sealed = [str(line["sealed"]) for line in _lines(path) if line["subject"] == subject]
    note(log, "found" if sealed else "not found", subject, reason)
    if not sealed:
        raise NotFound(f"There is no subject {subject!r} in the vault")
    found: dict[Entry, None] = {}
    for one in sealed:
        try:
            told = json.loads(open_sealed(base64.b64decode(one), private, subject.encode()))
        except (InvalidTag, ValueError) as error:
            raise BadRequest("An entry of the vault was changed", hint=str(error)) from None
        found[Entry(**told)] = None
    return list(found)


def note(log: Path, what: str, subject: str, reason: str) -> None:
    """Add a look-up to an audit log. Raises BadRequest when a line before it was changed."""
    add_line(log, {"user": getpass.getuser(), "what": what, "subject": subject, "reason": reason.strip()})


def _head(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as stream:
            head = json.loads(stream.readline())
    except FileNotFoundError:
        raise NotFound(f"There is no vault {path}") from None
    except (OSError, ValueError):
        head = None
    if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("version") != VERSION:
        raise BadRequest(f"{path} is no vault of version {VERSION}")
    return head


def _lines(path: Path) -> list[dict[str, Any]]:
    _head(path)
    try:
        made = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    except ValueError:
        raise BadRequest(f"{path} is cut or changed") from None
    return made


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword, "") or "")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
