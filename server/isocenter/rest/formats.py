"""Tables on the wire: Arrow IPC streams with lz4 record batches, NDJSON and CSV, batch by batch.

Dates and times are ISO 8601 text in NDJSON and CSV; lists are JSON arrays in NDJSON and, as DICOM writes
multiple values, joined by backslash in CSV. Not here: queries.
"""

from __future__ import annotations

import base64
import csv
import datetime
import decimal
import io
import json
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import pyarrow as pa

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
OFFERED = (ARROW, NDJSON, CSV)


def encode(reader: pa.RecordBatchReader, media_type: str) -> Iterator[bytes]:
    """The table in `media_type`, in pieces; closing the iterator closes the reader."""
    try:
        yield from _ENCODERS[media_type](reader)
    finally:
        reader.close()


class _Pipe(io.RawIOBase):
    """A sink whose contents are taken out between writes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _arrow(reader: pa.RecordBatchReader) -> Iterator[bytes]:
    pipe = _Pipe()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(pipe, reader.schema, options=options) as writer:
        yield pipe.take()
        for batch in reader:
            writer.write_batch(batch)
            yield pipe.take()
    yield pipe.take()


def _ndjson(reader: pa.RecordBatchReader) -> Iterator[bytes]:
    for batch in reader:
        for part in _slices(batch):
            yield "".join(_line(row) for row in part.to_pylist()).encode()


def _line(row: dict[str, Any]) -> str:
    """One row of NDJSON; numbers that JSON does not have (NaN, infinity) are null."""
    try:
        return json.dumps(row, ensure_ascii=False, default=_json, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps(_finite(row), ensure_ascii=False, default=_json) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _csv(reader: pa.RecordBatchReader) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(reader.schema.names)
    for batch in reader:
        for part in _slices(batch):
            writer.writerows(zip(*(_texts(column.to_pylist()) for column in part.columns), strict=True))
            yield _taken(text)
    yield _taken(text)


def _slices(batch: pa.RecordBatch, rows: int = 2000) -> Iterator[pa.RecordBatch]:
    """Python objects of a whole batch would be a spike of memory: a part at a time."""
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _taken(text: io.StringIO) -> bytes:
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken


def _texts(values: list[Any]) -> list[str]:
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "\\".join(_text(one) for one in value)
    if isinstance(value, str | int | float):
        return str(value)
    return json.dumps(value, default=_json) if isinstance(value, dict) else str(_json(value))


def _json(value: Any) -> str | int | float:
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime.date | datetime.time | datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


_ENCODERS: dict[str, Callable[[pa.RecordBatchReader], Iterator[bytes]]] = {
    ARROW: _arrow,
    NDJSON: _ndjson,
    CSV: _csv,
}
