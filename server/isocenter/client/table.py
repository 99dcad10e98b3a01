"""What every table of the client can do: become Arrow, pandas, Polars, rows or a file, and show itself.

The server streams it; nothing is fetched before one of these is asked for. Not here: what is asked (`frame`,
`summaries`, `sql`).
"""

from __future__ import annotations

import io
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from isocenter.client.display.cells import Preview
from isocenter.client.display.html import table_html
from isocenter.client.display.text import table_text
from isocenter.client.options import options
from isocenter.client.suggesting import did_you_mean, no_attribute
from isocenter.client.values import Values
from isocenter.dicom.attributes import find, is_own_column
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
_INTERNAL = frozenset({"request", "preview", "transport", "is_time"})


class Table(ABC):
    """A table that is still on the server.

    pyarrow, Polars, DuckDB, pandas and whatever else knows the Arrow stream interface take it as it is.
    """

    @abstractmethod
    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask for the rows in a media type, at most `limit` of them."""

    @abstractmethod
    def preview(self, rows: int) -> Preview:
        """What a display shows: the first rows, and what is known of the whole."""

    def is_time(self, name: str) -> bool:
        """Whether a column holds times of day, which travel as microseconds since midnight."""
        attribute = None if is_own_column(name) else find(name.rpartition(".")[2])
        return attribute is not None and attribute.vr == "TM"

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

        Dates become datetime64, times timedelta64 since midnight, integers nullable integers; decimals, which
        sums of SQL are, become numbers.
        """
        from isocenter.client.conversion import to_pandas

        return to_pandas(self.to_arrow(), self.is_time)

    def to_polars(self) -> polars.DataFrame:
        """The rows as a Polars data frame; times become `Time`."""
        from isocenter.client.conversion import to_polars

        with self.request(ARROW) as response:
            return to_polars(io.BytesIO(response.readall()), self.is_time)

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

    def __getitem__(self, name: str) -> Any:
        """The values of one column."""
        rows = list(self.rows())
        if rows and name not in rows[0]:
            raise UnknownAttribute(f"There is no column {name!r} here", hint=did_you_mean(name, rows[0]))
        return Values(name, (row[name] for row in rows))

    def __iter__(self) -> Iterator[Any]:
        return self.rows()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow stream of the PyCapsule interface: `polars.DataFrame(frame)`, `duckdb.sql(...)`, …"""
        return self.to_batches().__arrow_c_stream__(requested_schema)

    def __dir__(self) -> list[str]:
        return sorted(name for name in super().__dir__() if name[0] != "_" and name not in _INTERNAL)

    if not TYPE_CHECKING:  # a type checker says it better

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

    # -- displays

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        preview = self._previewed()
        return {"text/plain": table_text(preview), "text/html": table_html(preview)}

    def _repr_html_(self) -> str:
        return table_html(self._previewed())

    def __str__(self) -> str:
        return table_text(self._previewed())

    def _previewed(self) -> Preview:
        try:
            return self.preview(options.display_rows)
        except IsocenterError as error:
            return Preview(title=repr(self), error=str(error))
