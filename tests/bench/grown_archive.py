"""Data folders with an index and a catalog of many instances, for measurements: rows without objects.

The instances are those of `generated_catalog`, given to the index's own writer in groups, moved into the
catalog batch by batch as a flush does, then compacted, as the keeper leaves an archive that grew. A folder is
built once and kept below `BENCH_CACHE` (the system's temporary folder when that is not set); its name tells
how many instances it has and the shape of its index.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from generated_catalog import facts, header, instances, quick_batches, series, template

from isocenter.archive import Archive, Dataset
from isocenter.catalog.catalog import INSTANCES
from isocenter.catalog.columns import OWN
from isocenter.config import Settings
from isocenter.dicom.attributes import INDEX, lookup
from isocenter.dicom.levels import Level
from isocenter.index import schema
from isocenter.index.records import Put

_BATCH, _GROUP = 20_000, 2_000
_VERSION = 2
"""To be raised when the rows made here or in `generated_catalog` become others."""

_TAGS = {name: f"{lookup(name).tag:08X}" for names in INDEX.values() for name in names if "." not in name}


def wanted() -> int:
    """How many instances the large archive of a measurement has."""
    return int(os.environ.get("BENCH_INSTANCES", "1000000"))


def grown(count: int) -> Path:
    """A data folder whose dataset `main` has `count` instances. Copy it before a server writes to it."""
    cache = Path(os.environ.get("BENCH_CACHE", tempfile.gettempdir()))
    folder = cache / f"isocenter-bench-{count}-{_shape()}"
    if not folder.exists():
        began = time.perf_counter()
        making = folder.with_name(f"{folder.name}.{os.getpid()}")
        try:
            _make(making, count)
            making.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        print(f"{count:,} instances made in {time.perf_counter() - began:.0f} s: {folder}", file=sys.stderr)
    return folder


def _shape() -> str:
    """A few letters that are others when index or catalog have other columns, or the index other indices."""
    tables = schema.metadata.tables.values()
    told = [(t.name, [c.name for c in t.columns], sorted(str(i.name) for i in t.indexes)) for t in tables]
    return hashlib.sha256(repr((_VERSION, str(OWN), sorted(told))).encode()).hexdigest()[:8]


def copy(count: int, to: Path) -> Path:
    """A copy of `grown(count)` that may be written to."""
    shutil.copytree(grown(count), to)
    return to


def _make(folder: Path, count: int) -> None:
    with Archive.open(Settings(data=folder)) as archive:
        dataset = archive.datasets["main"]
        puts = _puts(count)
        for batch in quick_batches(count, _BATCH):
            last = 0
            left = batch.num_rows
            while group := list(islice(puts, min(_GROUP, left))):
                left -= len(group)
                last = _commit(dataset, group)
            _flush(dataset, batch, last)
        assert dataset.count(Level.INSTANCE) == count
        dataset.compact()
        dataset.vacuum(hours=0.0)


def _flush(dataset: Dataset, batch: pa.RecordBatch, last: int) -> None:
    """What a flush does, with rows that are made already; no series is in two batches."""
    derived = dataset.flushing.derived([], pa.Table.from_batches([batch]), ())
    rows = {INSTANCES: [batch], **derived}
    heads = dataset.catalog.append(rows, seq=last, heads=dataset.index.reader.heads())
    dataset.index.writer.flush_done(last, heads)


def _commit(dataset: Dataset, group: Sequence[Put]) -> int:
    outcomes = dataset.index.writer.commit(group)
    assert {outcome.kind for outcome in outcomes} == {"stored"}
    return outcomes[-1].seq


def _puts(count: int) -> Iterator[Put]:
    """What the index is told of the same instances, in the same order, as `quick_batches` has them."""
    bases = {modality: template(modality) for modality in ("CT", "MR")}
    seq = 0
    for one in series():
        document = header(one, bases[one["Modality"]])
        common = _keys(document)
        identity = {tag: document[tag] for tag in ("0020000D", "0020000E")}
        for varying in instances(one, document):
            seq += 1
            yield _put(common | _keys(varying), facts(identity | varying, seq))
            if seq == count:
                return


def _put(keys: dict[str, str], told: Any) -> Put:
    return Put(
        keys=keys,
        header=b"",  # it goes from the tail with its group, unread
        transfer_syntax=told.transfer_syntax,
        data_set_offset=told.data_set_offset,
        object=told.object,
        size=told.size,
        sha256=told.sha256,
        file_sha256=told.sha256,
        source_aet=told.source_aet,
        called_aet=told.called_aet,
        received=told.received,
    )


def _keys(document: dict[str, Any]) -> dict[str, str]:
    """The index keys of a DICOM JSON document; sequences have none here."""
    return {name: _text(document[tag]) for name, tag in _TAGS.items() if "Value" in document.get(tag, {})}


def _text(element: dict[str, Any]) -> str:
    values = [one.get("Alphabetic", "") if isinstance(one, dict) else one for one in element["Value"]]
    return "\\".join("" if one is None else str(one) for one in values)
