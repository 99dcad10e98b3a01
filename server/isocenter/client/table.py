"""What every table of the client can do: become Arrow, pandas, Polars, rows or a file, and show itself.

The server streams it; nothing is fetched before one of these is asked for. Not here: what is asked (`frame`).
"""

from __future__ import annotations

import io
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from isocenter.client.display.html import Preview, table_html
from isocenter.client.options import options
from isocenter.dicom.attributes import is_own_column, lookup
from isocenter.errors import IsocenterError, UnknownAttribute

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from isocenter.client.transport import Response

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
_BUFFER = 1 << 20


class Table(ABC):
    """A table that is still on the server."""

    @abstractmethod
    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask for the rows in a media type, at most `limit` of them."""

    @abstractmethod
    def preview(self, rows: int) -> Preview:
        """What a display shows: the first rows, and what is known of the whole."""

    def to_batches(self) -> pyarrow.RecordBatchReader:
        """The rows as a stream of Arrow record batches: memory does not grow with the answer."""
        import pyarrow.ipc

        return pyarrow.ipc.open_stream(io.BufferedReader(self.request(ARROW), _BUFFER))

    def to_arrow(self) -> pyarrow.Table:
        """The rows as a `pyarrow.Table`; dates are date32, times int64 microseconds since midnight."""
        import pyarrow.ipc

        source = self.request(ARROW)
        with source, pyarrow.ipc.open_stream(io.BufferedReader(source, _BUFFER)) as reader:
            table = reader.read_all()
            source.finish()
            return table

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a pandas data frame.

        Dates become datetime64, times timedelta64 since midnight, integers nullable integers.
        """
        import pandas as pd

        types = {
            kind: getattr(pd, f"{name}Dtype")()
            for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
            for kind in [_arrow_type(name.lower())]
        }
        table = self.to_arrow()
        frame: pandas.DataFrame = table.to_pandas(types_mapper=types.get, date_as_object=False)
        for name in _times(table.schema):
            frame[name] = pd.to_timedelta(frame[name], unit="us")
        return frame

    def to_polars(self) -> polars.DataFrame:
        """The rows as a Polars data frame; times become `Time`."""
        import polars as pl

        with self.request(ARROW) as response:
            frame = pl.read_ipc_stream(io.BytesIO(response.readall()))
        times = [name for name, kind in frame.schema.items() if kind == pl.Int64 and _is_time(name)]
        return frame.with_columns((pl.col(name) * 1000).cast(pl.Time) for name in times)

    def rows(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows as dictionaries, one after the other; needs nothing but the standard library."""
        with io.BufferedReader(self.request(NDJSON, limit), 1 << 16) as lines:
            for line in lines:
                if line.strip():
                    yield json.loads(line)

    def to_csv(self, path: str | os.PathLike[str] | IO[bytes] | None = None) -> str | None:
        """The rows as CSV in UTF-8: into a file, by its path or open for bytes; without one, as text."""
        with self.request(CSV) as response:
            if path is None:
                return response.readall().decode("utf-8")
            if isinstance(path, (str, os.PathLike)):
                with open(path, "wb") as file:
                    shutil.copyfileobj(response, file, _BUFFER)
            else:
                shutil.copyfileobj(response, path, _BUFFER)
        return None

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow stream of the PyCapsule interface: `polars.DataFrame(frame)`, `duckdb.sql(...)`, …"""
        return self.to_batches().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        try:
            return table_html(self.preview(options.display_rows))
        except IsocenterError as error:
            return table_html(Preview(title=repr(self), error=str(error)))


def _arrow_type(name: str) -> Any:
    import pyarrow

    return pyarrow.type_for_alias(name)


def _times(schema: Any) -> list[str]:
    """Names of the columns that hold times of day as int64 microseconds."""
    integer = _arrow_type("int64")
    return [field.name for field in schema if field.type == integer and _is_time(field.name)]


def _is_time(name: str) -> bool:
    if is_own_column(name):
        return False
    try:
        return lookup(name.rpartition(".")[2]).vr == "TM"
    except UnknownAttribute:
        return False  # a column named in SQL
