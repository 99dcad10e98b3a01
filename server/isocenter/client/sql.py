"""`SqlTable`: the answer to a SQL query over the catalog, as `archive.sql` gives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from isocenter.client.display.cells import Preview
from isocenter.client.display.masking import masked_in_sql
from isocenter.client.table import Table

if TYPE_CHECKING:
    from isocenter.client.transport import Response, Transport


@dataclass(frozen=True, repr=False)
class SqlTable(Table):
    """The answer to a SQL query over the catalog; made by `archive.sql`. Runs each time it is fetched."""

    transport: Transport
    dataset: str
    text: str

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask `POST /api/tables/sql`; the whole answer, since SQL has its own LIMIT."""
        question = {"dataset": self.dataset, "sql": self.text}
        return self.transport.post("/api/tables/sql", question, accept=accept)

    def rows(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows as dictionaries; the stream is dropped after `limit` of them."""
        return islice(super().rows(), limit)

    def preview(self, rows: int) -> Preview:
        """The first rows; the rest is not fetched, so their number stays unknown."""
        lines = super().rows()
        first = list(islice(lines, rows + 1))
        close = getattr(lines, "close", None)
        if close is not None:
            close()
        columns = tuple(first[0]) if first else ()
        more = len(first) > rows
        title = f"first {rows} rows" if more else f"{len(first)} row{'s' if len(first) != 1 else ''}"
        masked = masked_in_sql(self.text, columns) | {
            name for name in columns if any(_holds_rows(row.get(name)) for row in first)
        }
        return Preview(title, columns, first[:rows], masked=masked, question=self._short())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.rows()

    def __repr__(self) -> str:
        return f"<SQL on {self.dataset!r}: {self._short()}>"

    def _short(self) -> str:
        text = " ".join(self.text.split())
        return text if len(text) <= 80 else text[:79] + "…"


def _holds_rows(value: object) -> bool:
    """Whether a value is a row, or a list of rows, whose columns nobody looked at."""
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_rows, value)))
