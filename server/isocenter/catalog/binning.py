"""Histograms of counted values: intervals of equal width over numbers, dates and moments.

Not here: counting the values (`summaries`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Binned:
    """A histogram.

    Attributes:
        table: `low`, `high` (of the values' type; whole numbers in 64 bits) and `count`, an interval a row.
        type: Arrow type of the values, by name.
        missing: rows without a value; what is no finite number counts as none.
        distinct: how many different values there are.
    """

    table: pa.Table
    type: str
    missing: int
    distinct: int


def is_binnable(kind: pa.DataType) -> bool:
    """Whether values of this type lie on a line."""
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return bool(numbers or pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def binned(counted: pa.Table, bins: int) -> Binned:
    """The histogram of a table of values `v` and how many rows have each, `n`."""
    kind = counted.schema.field("v").type
    valid = pc.is_valid(counted["v"])
    if pa.types.is_floating(kind):
        valid = pc.fill_null(pc.is_finite(counted["v"]), False)
    present = counted.filter(valid)
    counts = present["n"].to_numpy()
    missing = int(counted["n"].to_numpy().sum() - counts.sum())
    values = _as_numbers(present["v"], kind)
    edges = _edges(values, bins)
    held = np.zeros(max(len(edges) - 1, 0), dtype=np.int64)
    if len(held):
        at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(held) - 1)
        np.add.at(held, at, counts)
    bounds = pa.array(edges)
    if not pa.types.is_integer(kind):
        bounds = bounds.cast(_storage(kind)).cast(kind)
    table = pa.table({"low": bounds[:-1], "high": bounds[1:], "count": pa.array(held)})
    return Binned(table, str(kind), missing, present.num_rows)


def _storage(kind: pa.DataType) -> pa.DataType:
    """The numbers that a type is made of."""
    if pa.types.is_date32(kind):
        return pa.int32()
    return pa.float64() if pa.types.is_floating(kind) else pa.int64()


def _as_numbers(values: pa.ChunkedArray, kind: pa.DataType) -> Any:
    storage = _storage(kind)
    return values.cast(storage).to_numpy().astype(np.float64 if storage == pa.float64() else np.int64)


def _edges(values: Any, bins: int) -> Any:
    """The bounds of the intervals, one more than there are; none without values."""
    if not len(values):
        return values
    low, high = values.min(), values.max()
    if values.dtype == np.int64:
        span = int(high) - int(low) + 1
        width = -(-span // bins)
        edges = [int(low) + width * step for step in range(-(-span // width) + 1)]
        return np.array([min(edge, 2**63 - 1) for edge in edges], dtype=np.int64)
    if low == high:
        return np.array([low, high])
    steps = np.linspace(0.0, 1.0, bins + 1)
    return np.unique(low * (1.0 - steps) + high * steps)
