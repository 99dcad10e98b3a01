"""`TagBrowser`: the header of an instance as a tree to search, or two headers side by side.

Rows are made in Python (`isocenter.client.tags`), so that a masked value never reaches the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from isocenter.client.archive import Archive
from isocenter.client.options import options
from isocenter.client.tags import TagRow, header_of, header_rows, is_instance
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback

_FALLBACK_ROWS = 60


class TagBrowser(ArchiveWidget, module="tags"):
    """The attributes of an instance, of its sequences too; with `other`, what differs.

    Args:
        instance: an `isocenter` instance, a pydicom data set, or a data set in the DICOM JSON Model.
        other: another, to compare: what was before de-identification, say.
        names: what to call the two, in place of their UIDs.
    """

    def __init__(
        self, instance: object, other: object = None, *, names: tuple[str, str] | None = None, **traits: Any
    ) -> None:
        self._sources = [one for one in (instance, other) if one is not None]
        self._headers: list[Mapping[str, Any]] = [] if all(map(is_instance, self._sources)) else self._read()
        self._names = names
        homes = (one for one in self._sources if hasattr(one, "transport"))
        archive = next((Archive(one.transport, one.dataset_name) for one in homes), None)
        super().__init__(archive, **traits)

    def answers(self) -> dict[str, Any]:
        """`rows`: the rows of the tree, with identifiers if `{"show": true}`."""
        return {"rows": self._rows_told}

    def rows(self, *, show_identifiers: bool | None = None) -> list[TagRow]:
        """What the tree shows; identifiers as `isocenter.options` says unless told otherwise."""
        if not self._headers:
            self._headers = self._read()
        show = options.show_identifiers if show_identifiers is None else show_identifiers
        return header_rows(*self._headers, show_identifiers=show)

    def _read(self) -> list[Mapping[str, Any]]:
        return [header_of(one) for one in self._sources]

    def _rows_told(self, content: Any) -> dict[str, Any]:
        show = bool(content and content.get("show"))
        rows = self.rows(show_identifiers=show)
        return {"rows": [row.to_json() for row in rows], "titles": self._titles()}

    def _titles(self) -> list[str]:
        if self._names is not None:
            return list(self._names)
        return [str((header.get("00080018", {}).get("Value") or ["data set"])[0]) for header in self._headers]

    def fallback(self) -> Fallback:
        """The first rows as a plain table; of two headers the rows that differ."""
        every = [row for row in self.rows(show_identifiers=False) if row.change != "same"]
        rows = every[:_FALLBACK_ROWS]
        lines = [f"{row.tag:12}{'  ' * row.depth}{row.name:34} {row.vr:3} {row.said}" for row in rows]
        cells = "".join(
            f"<tr><td>{row.tag}</td><td style='padding-left:{row.depth + 0.5}em'>{escape(row.name)}</td>"
            f"<td>{row.vr}</td><td>{escape(row.said)}</td></tr>"
            for row in rows
        )
        left = len(every) - len(rows)
        more = f"<p>and {left} more rows</p>" if left else ""
        head = "<tr><th>tag</th><th>name</th><th>VR</th><th>value</th></tr>"
        text = "\n".join([*lines, *([f"and {left} more rows"] if left else [])])
        return Fallback(
            text or "no differences", f"<table><thead>{head}</thead><tbody>{cells}</tbody></table>{more}"
        )
