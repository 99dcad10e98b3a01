"""One object on its way into the index: what can be worked out of it before the transaction, and its rows.

Not here: what becomes of it (`ingest`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from isocenter.dicom.uids import key_of
from isocenter.index import schema
from isocenter.index.columns import INSTANCE_SQL, encode_instance, plain
from isocenter.index.epochs import Epoch
from isocenter.index.familiar import Place
from isocenter.index.records import Put
from isocenter.index.summary import Batch
from isocenter.index.told import Told, told_by

INSTANCE = (
    "sop_key",
    "study_key",
    "series_key",
    "upper_id",
    "seq",
    *INSTANCE_SQL,
    "transfer_syntax",
    "data_set_offset",
    "object",
    "odd_path",
    "size",
    "sha256",
    "file_sha256",
    "source_aet",
    "called_aet",
    "received",
    "problems",
    "v0",
)
TAIL = tuple(column.name for column in schema.tail.columns)
CONFLICT = (*schema.conflict.content, "v0")

UNIQUE_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
"""What every instance must have."""

_upper_key = lru_cache(maxsize=4096)(key_of)


@dataclass(slots=True)
class Candidate:
    """An object of the group, prepared before the transaction: everything that needs no database."""

    put: Put
    study_uid: str
    series_uid: str
    sop_uid: str
    study_key: int
    series_key: int
    sop_key: int
    place: Place
    cells: list[Any]
    seq: int = 0
    operation: str = "put"

    @property
    def uids(self) -> tuple[str, str, str]:
        """Study, series and SOP Instance UID."""
        return self.study_uid, self.series_uid, self.sop_uid

    @property
    def told(self) -> Told:
        """What it says of its patient, study and series."""
        return self.place[3]


def prepare(put: Put) -> Candidate:
    """Work out keys and column values. Raises KeyError when a unique key is missing."""
    study, series, sop = (plain(put.keys[name]) for name in UNIQUE_KEYS)
    if not (study and series and sop):
        raise KeyError(next(name for name in UNIQUE_KEYS if not plain(put.keys[name])))
    keys = _upper_key(study), _upper_key(series), key_of(sop)
    place = keys[0], keys[1], plain(put.keys.get("SOPClassUID", "")), told_by(put.keys)
    return Candidate(put, study, series, sop, *keys, place, encode_instance(put.keys))


def batches(fresh: Sequence[Candidate]) -> list[Batch]:
    """New instances in order of sequence, those together that change the rows above them alike."""
    found: dict[Place, Batch] = {}
    for c in fresh:
        batch = found.get(c.place)
        if batch is None:
            batch = found[c.place] = Batch(*c.place, first_seq=c.seq)
        batch.take(c.seq, c.put.size, c.put.received)
    return list(found.values())


def is_odd_path(path: str, sop_uid: str) -> bool:
    """Whether the SOP Instance UID cannot be read from the name of the object."""
    name = path.rpartition("/")[2]
    return not name.startswith(f"{sop_uid}.")


def instance_cells(candidate: Candidate, upper: int, epoch: Epoch) -> list[Any]:
    """The row of `instance` for a new instance."""
    put = candidate.put
    return [
        candidate.sop_key,
        candidate.study_key,
        candidate.series_key,
        upper,
        candidate.seq,
        *candidate.cells,
        put.transfer_syntax,
        put.data_set_offset,
        put.object,
        int(is_odd_path(put.object, candidate.sop_uid)),
        put.size,
        put.sha256,
        put.file_sha256,
        put.source_aet,
        put.called_aet,
        put.received,
        json.dumps(put.problems) if put.problems else None,
        epoch.now,
    ]


def tail_cells(candidate: Candidate) -> tuple[Any, ...]:
    """The row of `tail` for a new instance."""
    put = candidate.put
    return (
        candidate.seq,
        candidate.operation,
        candidate.study_key,
        candidate.series_key,
        candidate.sop_key,
        candidate.sop_uid,
        put.transfer_syntax,
        put.data_set_offset,
        put.object,
        put.size,
        put.sha256,
        put.file_sha256,
        put.source_aet,
        put.called_aet,
        put.received,
        put.header,
    )


def conflict_cells(candidate: Candidate, epoch: Epoch) -> tuple[Any, ...]:
    """The row of `conflict` for an object that stays beside the visible one."""
    put = candidate.put
    return (
        candidate.sop_key,
        candidate.sop_uid,
        candidate.series_uid,
        candidate.study_uid,
        put.transfer_syntax,
        put.data_set_offset,
        put.object,
        put.size,
        put.sha256,
        put.file_sha256,
        put.source_aet,
        put.called_aet,
        put.received,
        json.dumps(put.problems) if put.problems else None,
        json.dumps(dict(put.keys)),
        put.header,
        candidate.seq,
        epoch.now,
    )
