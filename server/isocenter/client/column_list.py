"""`ColumnList`: the columns that may be asked for, as `archive.columns` gives them."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.client.display.cells import Preview
from isocenter.client.display.html import table_html
from isocenter.client.display.text import table_text


@dataclass(frozen=True)
class ColumnInfo:
    """A column that may be asked for: its name, its Arrow type by name, and what it is."""

    name: str
    type: str
    description: str = ""


class ColumnList(tuple[ColumnInfo, ...]):
    """Columns, shown as a table; `find` narrows them."""

    __slots__ = ()

    @property
    def names(self) -> list[str]:
        """The names alone."""
        return [column.name for column in self]

    def find(self, text: str) -> ColumnList:
        """Those whose name or description has this text; case does not count."""
        wanted = text.lower()
        return ColumnList(c for c in self if wanted in c.name.lower() or wanted in c.description.lower())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        return table_html(self._preview())

    def __str__(self) -> str:
        return table_text(self._preview())

    def __repr__(self) -> str:
        return f"<{len(self)} columns: {', '.join(self.names[:5])}{', …' if len(self) > 5 else ''}>"

    def _preview(self) -> Preview:
        rows = [{"name": c.name, "type": c.type, "description": c.description} for c in self]
        return Preview(f"{len(rows)} columns", ("name", "type", "description"), rows, len(rows))
