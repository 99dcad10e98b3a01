"""The index as plain dictionaries: slow, obvious, and what the real one is compared with.

It also plays the catalog: a table version is a set of (SOP Instance UID, sequence), and what a reader of the
catalog sees is the head's version and the tail, without what tombstones hide.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

from isocenter.index import Put

PATIENT = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientSex")
STUDY = (*PATIENT, "StudyDescription", "StudyInstanceUID")
SERIES = ("SeriesInstanceUID", "Modality", "SeriesDescription")


@dataclass
class Stored:
    put: Put
    seq: int


@dataclass
class State:
    """What a snapshot remembers."""

    visible: dict[str, Stored] = field(default_factory=dict)
    conflicts: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass
class Model:
    state: State = field(default_factory=State)
    seq: int = 0
    snapshots: dict[str, State] = field(default_factory=dict)
    described: dict[str, Put] = field(default_factory=dict)

    def put(self, put: Put, on_conflict: str) -> str:
        uid = put.keys["SOPInstanceUID"]
        self.described[put.sha256] = put
        known = self.state.visible.get(uid)
        if known is None:
            return self._show(put, "stored")
        if known.put.sha256 == put.sha256:
            return "duplicate"
        if on_conflict == "reject":
            return "rejected"
        if on_conflict == "replace":
            self.state.conflicts.pop((uid, put.sha256), None)
            return self._show(put, "replaced")
        if (uid, put.sha256) in self.state.conflicts:
            return "duplicate"
        self.seq += 1
        self.state.conflicts[uid, put.sha256] = self.seq
        return "conflict"

    def _show(self, put: Put, kind: str) -> str:
        self.seq += 1
        self.state.visible[put.keys["SOPInstanceUID"]] = Stored(put, self.seq)
        return kind

    def delete(self, gone: Iterable[str]) -> int:
        gone = list(gone)
        if gone:
            self.seq += 1
        for uid in gone:
            del self.state.visible[uid]
            for key in [key for key in self.state.conflicts if key[0] == uid]:
                del self.state.conflicts[key]
        return len(gone)

    def adopt(self, uid: str, sha: str) -> None:
        displaced = self.state.visible[uid]
        del self.state.conflicts[uid, sha]
        self._show(self.described[sha], "replaced")
        self.state.conflicts[uid, displaced.put.sha256] = displaced.seq

    def snapshot(self, name: str) -> None:
        self.snapshots[name] = copy.deepcopy(self.state)

    def reset(self, name: str) -> None:
        self.state = copy.deepcopy(self.snapshots[name])

    # -- what the levels must show -----------------------------------------------------------------------

    def instances(self) -> list[Stored]:
        return sorted(self.state.visible.values(), key=lambda stored: stored.seq)

    def studies(self) -> dict[str, dict[str, object]]:
        rows = _grouped(self.instances(), lambda keys: keys["StudyInstanceUID"])
        return {uid: _row(below, STUDY, study=True) for uid, below in rows.items()}

    def series(self) -> dict[tuple[str, str], dict[str, object]]:
        rows = _grouped(self.instances(), lambda keys: (keys["StudyInstanceUID"], keys["SeriesInstanceUID"]))
        return {uids: _row(below, SERIES) for uids, below in rows.items()}

    def patients(self) -> dict[str, dict[str, object]]:
        studies = self.studies()

        def identity(keys: dict[str, str]) -> str:
            study = studies[keys["StudyInstanceUID"]]
            if not study["PatientID"]:
                return keys["StudyInstanceUID"]
            return f"{study['IssuerOfPatientID']}|{study['PatientID']}"

        rows = _grouped(self.instances(), identity)
        return {one: _row(below, PATIENT) for one, below in rows.items()}


def _grouped(instances, key):
    found = {}
    for stored in instances:
        found.setdefault(key(stored.put.keys), []).append(stored)
    return found


def _row(below: list[Stored], names: tuple[str, ...], *, study: bool = False) -> dict[str, object]:
    row: dict[str, object] = {}
    others = set()
    for name in names:
        told = [text for stored in below if (text := stored.put.keys.get(name, "").strip())]
        row[name] = told[0] if told else ""
        others |= {(name, text) for text in told if text != told[0]}
    row["others"] = others
    row["instances"] = len(below)
    row["size"] = sum(stored.put.size for stored in below)
    row["first_seq"] = below[0].seq
    row["received"] = max(stored.put.received for stored in below)
    if study:
        series = _grouped(below, lambda keys: keys["SeriesInstanceUID"])
        modalities = {_row(one, SERIES)["Modality"] for one in series.values()} - {""}
        row["series"] = len(series)
        row["ModalitiesInStudy"] = "\\".join(sorted(modalities))
    return row
