"""Arrow tables of the client as pandas and Polars hold them best. Not here: fetching them (`table`)."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_INTEGERS = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")


def to_pandas(table: pyarrow.Table, is_time: Callable[[str], bool]) -> pandas.DataFrame:
    """A data frame: dates as datetime64, times as timedelta64, integers nullable.

    Args:
        table: with times of day as int64 microseconds.
        is_time: whether the column of this name holds them.
    """
    import pandas as pd
    import pyarrow as pa

    types = {pa.type_for_alias(name.lower()): getattr(pd, f"{name}Dtype")() for name in _INTEGERS}
    table = _without_decimals(table)
    frame: pandas.DataFrame = table.to_pandas(types_mapper=types.get, date_as_object=False)
    for field in table.schema:
        if is_time(field.name) and field.type == pa.int64():
            frame[field.name] = pd.to_timedelta(frame[field.name].astype("Int64"), unit="us")
        elif is_time(field.name) and field.type == pa.list_(pa.int64()):
            lists = frame[field.name]
            frame[field.name] = lists.map(lambda one: pd.to_timedelta(one, unit="us"), na_action="ignore")
    return frame


def to_polars(stream: io.BytesIO, is_time: Callable[[str], bool]) -> polars.DataFrame:
    """A Polars data frame of an Arrow stream: times of day become `Time`."""
    import polars as pl

    frame = pl.read_ipc_stream(stream)
    times = [
        _clock(pl.col(name), pl.element() if isinstance(kind, pl.List) else None)
        for name, kind in frame.schema.items()
        if is_time(name) and kind in (pl.Int64, pl.List(pl.Int64))
    ]
    return frame.with_columns(times) if times else frame


def _clock(column: Any, element: Any) -> Any:
    import polars as pl

    if element is None:
        return (column * 1000).cast(pl.Time)
    return column.list.eval((element * 1000).cast(pl.Time))


def _without_decimals(table: pyarrow.Table) -> pyarrow.Table:
    """Decimals as whole numbers where they are whole and fit, else as doubles; pandas has no such type."""
    import pyarrow as pa

    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            try:
                whole = field.type.scale == 0
                column = table.column(at).cast(pa.int64() if whole else pa.float64())
            except pa.ArrowInvalid:
                column = table.column(at).cast(pa.float64())
            table = table.set_column(at, field.name, column)
    return table
