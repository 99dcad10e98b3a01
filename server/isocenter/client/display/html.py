"""HTML of tables: escaped, masked, in the colours of the Jupyter theme, without script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from isocenter.client.display.masking import MASK, is_identifier
from isocenter.client.options import options
from isocenter.dicom.attributes import is_own_column, lookup
from isocenter.errors import UnknownAttribute

_STYLE = """<style>
.isocenter{color:var(--jp-ui-font-color1,#212121);font-family:var(--jp-ui-font-family,sans-serif);
font-size:var(--jp-ui-font-size1,13px)}
.isocenter .head{margin:2px 0 4px}.isocenter .head b{font-weight:600}
.isocenter .quiet{color:var(--jp-ui-font-color2,#616161)}
.isocenter .error{color:var(--jp-error-color1,#b00020)}
.isocenter table{border-collapse:collapse;border:1px solid var(--jp-border-color2,#ccc)}
.isocenter th,.isocenter td{padding:2px 8px;text-align:left;max-width:22em;overflow:hidden;
text-overflow:ellipsis;white-space:nowrap;border-bottom:1px solid var(--jp-border-color3,#e0e0e0)}
.isocenter th{background:var(--jp-layout-color2,#eee);font-weight:600}
.isocenter td.number{text-align:right;font-variant-numeric:tabular-nums}
</style>"""


@dataclass(frozen=True)
class Preview:
    """What a display shows of a table.

    Attributes:
        title: its first line.
        columns: names, in order.
        rows: the first rows.
        total: how many rows there are; None: unknown.
        facts: what the server told beside the count, e.g. `size` in bytes.
        masked: columns to mask beyond those whose name says it.
        error: what went wrong, in place of the table.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    total: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    masked: frozenset[str] = frozenset()
    error: str = ""


def table_html(preview: Preview) -> str:
    """The HTML of a preview."""
    if preview.error:
        parts = [f'<div class="{kind}">{escape(text)}</div>' for kind, text in _error_lines(preview)]
        return f'{_STYLE}<div class="isocenter">{"".join(parts)}</div>'
    hidden = frozenset() if options.show_identifiers else preview.masked | _identifiers(preview.columns)
    parts = [f'<div class="head"><b>{escape(preview.title)}</b>{_facts(preview.facts)}</div>']
    if preview.columns:
        parts.append(_table(preview, hidden))
    parts += [f'<div class="quiet">{escape(note)}</div>' for note in _notes(preview, hidden)]
    return f'{_STYLE}<div class="isocenter">{"".join(parts)}</div>'


def _error_lines(preview: Preview) -> list[tuple[str, str]]:
    return [("head error", preview.error), ("quiet", preview.title)]


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """A title and a small table of names and values."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items()
    )
    table = f"<table><tbody>{rows}</tbody></table>" if facts else ""
    return f'{_STYLE}<div class="isocenter"><div class="head"><b>{escape(title)}</b></div>{table}</div>'


def bytes_text(count: int | float) -> str:
    """A number of bytes for people: `524 kB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit in ("B", "kB") or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("the last unit returns")


def cell_text(name: str, value: object) -> str:
    """A value for people: lists joined, times of day as 10:30:15, long numbers shortened."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "\\".join(cell_text(name, one) for one in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int) and not isinstance(value, bool):
        if _vr(name) == "TM":
            seconds = value // 1_000_000
            return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return str(value)
    return str(value)


def _table(preview: Preview, hidden: frozenset[str]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in preview.columns)
    rows = "".join(f"<tr>{''.join(_cells(row, preview.columns, hidden))}</tr>" for row in preview.rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(row: Mapping[str, Any], columns: Iterable[str], hidden: frozenset[str]) -> Iterable[str]:
    for name in columns:
        value = row.get(name)
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and name not in hidden
        text = MASK if name in hidden and value not in (None, "") else cell_text(name, value)
        yield f'<td class="number">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"


def _facts(facts: Mapping[str, Any]) -> str:
    said = []
    if isinstance(facts.get("instances"), int):
        said.append(f"{facts['instances']:,} instances")
    if isinstance(facts.get("size"), (int, float)):
        said.append(bytes_text(facts["size"]))
    return f'<span class="quiet"> · {" · ".join(said)}</span>' if said else ""


def _notes(preview: Preview, hidden: frozenset[str]) -> list[str]:
    notes = []
    if preview.total is not None and preview.total > len(preview.rows) > 0:
        notes.append(f"the first {len(preview.rows)} of {preview.total:,}")
    if hidden and preview.rows:
        notes.append("identifiers masked: isocenter.options.show_identifiers = True shows them")
    return notes


def _identifiers(columns: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in columns if is_identifier(name))


def _vr(name: str) -> str:
    if is_own_column(name):
        return ""
    try:
        return lookup(name.rpartition(".")[2]).vr
    except UnknownAttribute:
        return ""
