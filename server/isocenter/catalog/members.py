"""The members of a frozen cohort, as tables and packed for the index.

A member is an instance: its UIDs at every level and the first 8 bytes of its identity digest, so that other
bytes under the same UID are noticed. Members are sorted by SOPInstanceUID.

Not here: what a cohort is (`isocenter.cohort`), where the parts are kept (`index.cohorts`), how members are
found (`selecting`, which loads DuckDB: this module does not).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence

import pyarrow as pa

from isocenter.dicom.levels import Level
from isocenter.dicom.uids import key_of

PATH = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_CODED = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("StudyInstanceUID", _CODED),
        ("SeriesInstanceUID", _CODED),
        ("SOPInstanceUID", pa.string()),
        ("identity", pa.binary(8)),
    ]
)
"""Of the members as they are packed."""

PLAIN = pa.schema([*((name, pa.string()) for name in PATH), ("identity", pa.binary(8))])
"""Of the members as they are unpacked."""


MOMENT = b"isocenter.moment"
"""Metadata of a selection's schema: JSON with the heads of the catalog, the last sequence, the resets."""

NONE = hashlib.sha256().hexdigest()
"""The digest of no parts at all."""


def path_of(level: Level) -> tuple[str, ...]:
    """The keywords of the UIDs that tell two rows of a level apart, from the study down."""
    return tuple(one.unique_key for one in level.and_above if one is not Level.PATIENT)


# -- packed ----------------------------------------------------------------------------------------------


def pack(batch: pa.RecordBatch) -> bytes:
    """Members as bytes: an Arrow stream of `SCHEMA`, compressed."""
    made = pa.record_batch([_stored(batch.column(item.name), item.type) for item in SCHEMA], schema=SCHEMA)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(made)
    return sink.getvalue()


def unpack(part: bytes) -> pa.RecordBatch:
    """What `pack` was given, with plain strings."""
    with pa.ipc.open_stream(part) as reader:
        batch = reader.read_next_batch()
    return batch.cast(PLAIN)


def _stored(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column.dictionary_encode() if kind == _CODED else column.cast(kind)


def table(parts: Iterable[bytes]) -> pa.Table:
    """All members, with `_sop_key` beside their UIDs."""
    batches = [unpack(part) for part in parts]
    made = pa.Table.from_batches(batches, PLAIN)
    keys = [key_of(uid) for batch in batches for uid in batch.column("SOPInstanceUID").to_pylist()]
    return made.append_column("_sop_key", pa.array(keys, pa.int64()))


def at_level(batch: pa.RecordBatch, level: Level, seen: set[tuple[str, ...]]) -> pa.RecordBatch:
    """The rows of a level that these members lie in, without those that were seen before."""
    names = path_of(level)
    if level is Level.INSTANCE:
        return batch.select(list(names))
    rows: Sequence[tuple[str, ...]] = list(
        dict.fromkeys(zip(*(batch.column(name).to_pylist() for name in names), strict=True))
    )
    fresh = [row for row in rows if row not in seen]
    seen.update(fresh)
    columns = list(zip(*fresh, strict=True)) if fresh else [()] * len(names)
    return pa.record_batch([pa.array(column, pa.string()) for column in columns], names=list(names))
