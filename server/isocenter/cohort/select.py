"""Selecting: a question becomes members, packed and counted, of one moment of the dataset.

What is selected streams from the query process into parts; only a digest and the UIDs of series are kept, so
that a million instances cost no more memory than their packed parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from isocenter.archive import Dataset
from isocenter.archive.dataset import Order
from isocenter.catalog.members import MOMENT, pack
from isocenter.cohort.cohort import Scale
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, Predicate, to_json
from isocenter.dicom.wording import to_text
from isocenter.errors import NotFound

EVERYTHING = Everything()


@dataclass(frozen=True)
class Wanted:
    """The question of a cohort.

    Attributes:
        level: study, series or instance; with a row all its instances are selected.
        predicate: that the rows satisfy.
        order, limit, offset: which of these rows, as of a table.
        uids: the unique keys of the rows, in place of a predicate or beside it.
        within: members of another cohort, which then are all that there is; and how that one is called.
    """

    level: Level = Level.INSTANCE
    predicate: Predicate = EVERYTHING
    order: Order = ()
    limit: int | None = None
    offset: int = 0
    uids: tuple[str, ...] | None = None
    within: tuple[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """The question as it is kept: with the text of the predicate, and of UIDs only their number."""
        told: dict[str, Any] = {"level": self.level.value}
        if not isinstance(self.predicate, Everything):
            told |= {"where": to_json(self.predicate), "text": to_text(self.predicate)}
        if self.order:
            told["order"] = [list(one) for one in self.order]
        told |= {} if self.limit is None else {"limit": self.limit}
        told |= {"offset": self.offset} if self.offset else {}
        told |= {} if self.uids is None else {"uids": len(self.uids)}
        told |= {} if self.within is None else {"cohort": self.within[0]}
        return told


@dataclass
class Selected:
    """What a question selected.

    Attributes:
        parts: the members, packed.
        digest: of the SOP Instance UIDs.
        members: digest of the parts.
        scale: how much it is.
        moment: what the question saw: heads, last sequence, resets.
    """

    parts: list[bytes]
    digest: str
    members: str
    scale: Scale
    moment: dict[str, Any]


@dataclass
class _Count:
    """What is kept of the members that went by."""

    uids: Any = field(default_factory=hashlib.sha256)
    packed: Any = field(default_factory=hashlib.sha256)
    studies: set[str] = field(default_factory=set)
    series: set[tuple[str, str]] = field(default_factory=set)
    instances: int = 0
    size: int = 0

    def take(self, batch: pa.RecordBatch) -> bytes:
        studies, series, sops = (batch.column(n).to_pylist() for n in range(3))
        self.uids.update("".join(f"{uid}\n" for uid in sops).encode())
        self.studies.update(studies)
        self.series.update(zip(studies, series, strict=True))
        self.instances += batch.num_rows
        self.size += sum(batch.column("_size").to_pylist())
        part = pack(batch)
        self.packed.update(part)
        return part


def select(dataset: Dataset, wanted: Wanted) -> Selected:
    """Select the members. Raises NotFound for UIDs that are not there, else as `Dataset.table`."""
    unknown = set(wanted.uids or ())
    count, parts = _Count(), []
    with dataset.select(
        wanted.level,
        wanted.predicate,
        order=wanted.order,
        limit=wanted.limit,
        offset=wanted.offset,
        uids=wanted.uids,
        members=wanted.within[1] if wanted.within else None,
    ) as reader:
        moment = json.loads(reader.schema.metadata[MOMENT])
        for batch in _filled(reader):
            parts.append(count.take(batch))
            if unknown:
                unknown.difference_update(batch.column(wanted.level.unique_key).to_pylist())
    if unknown:
        _refuse(wanted, unknown)
    scale = Scale(len(count.studies), len(count.series), count.instances, count.size)
    return Selected(parts, count.uids.hexdigest(), count.packed.hexdigest(), scale, moment)


def _filled(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    return (batch for batch in reader if batch.num_rows)


def _refuse(wanted: Wanted, unknown: set[str]) -> None:
    some, count = sorted(unknown)[:3], len(set(wanted.uids or ()))
    raise NotFound(
        f"{len(unknown)} of the {count} UIDs are not there at the {wanted.level.value} level",
        hint=f"the first: {', '.join(some)}",
        detail={"unknown": len(unknown), "first": some},
    )
