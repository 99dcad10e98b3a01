"""Values as people read them: dates with hyphens, times with colons, sizes with units, identifiers masked.

Not here: what is an identifier (`masking`), HTML and text around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isocenter.client.display.masking import MASK, is_identifier
from isocenter.client.options import options
from isocenter.dicom.attributes import find, is_own_column

_SIZES = frozenset({"_size", "size"})
_COUNTS = frozenset({"count", "missing", "distinct", "instances"})
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)").fullmatch
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?").fullmatch
NOTHING = "—"
"""What stands for no value where that is itself a value, in counts."""
_LONGEST = 2000
_HEADING = 18
_WORDS = re.compile(r"[^A-Z]+|[A-Z]+(?![a-z])|[A-Z][^A-Z]*").findall


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
        question: what was asked, shown where nothing answers it.
        right: columns set flush right though not all of their values are numbers.
        bars: a column of counts that is drawn as bars too.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    total: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    masked: frozenset[str] = frozenset()
    error: str = ""
    question: str = ""
    right: frozenset[str] = frozenset()
    bars: str = ""

    @property
    def hidden(self) -> frozenset[str]:
        """The columns that are masked now."""
        if options.show_identifiers:
            return frozenset()
        return self.masked | frozenset(name for name in self.columns if is_identifier(name))

    @property
    def numeric(self) -> frozenset[str]:
        """The columns that are set flush right: all their values are numbers."""
        found = frozenset(name for name in self.columns if self._is_numeric(name))
        return (found | self.right) - self.hidden

    def texts(self) -> list[list[str]]:
        """The cells as people read them, row by row."""
        hidden = self.hidden
        return [[shown(name, row.get(name), name in hidden) for name in self.columns] for row in self.rows]

    def shares(self) -> list[float]:
        """The length of each row's bar, 0 to 1; none without bars."""
        counts = [float(row[self.bars]) for row in self.rows] if self.bars else []
        largest = max(counts, default=0.0)
        return [count / largest if largest else 0.0 for count in counts]

    @property
    def summary(self) -> str:
        """What stands beside the title: instances and their size."""
        return " · ".join(_summary(self.facts)) if self.rows else ""

    @property
    def notes(self) -> list[str]:
        """What stands below the table."""
        notes = []
        if self.total is not None and self.total > len(self.rows) > 0:
            notes.append(f"the first {len(self.rows):,} of {self.total:,}")
        if self.rows and any(MASK in row for row in self.texts()):
            notes.append("identifiers masked: isocenter.options.show_identifiers = True shows them")
        return notes

    def _is_numeric(self, name: str) -> bool:
        found = [row[name] for row in self.rows if row.get(name) not in (None, NOTHING)]
        return bool(found) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in found)


def shown(name: str, value: object, hidden: bool = False) -> str:
    """The text of a cell; a value that is there and hidden is the mask."""
    if hidden:
        return MASK if value not in (None, "", []) else ""
    return cell_text(name, value)


def cell_text(name: str, value: object) -> str:
    """A value for people: lists joined, dates and times of day as ISO 8601, long numbers shortened."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(cell_text(name, one) for one in value)
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return _integer(name, value)
    if isinstance(value, float):
        return bytes_text(value) if name in _SIZES else f"{value:.6g}"
    text = str(value)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return _moment(_vr(name), text)


def broken(name: str) -> list[str]:
    """A long keyword in the parts between which a heading may break: `NumberOfStudy`, `RelatedSeries`."""
    if len(name) <= _HEADING:
        return [name]
    words = _WORDS(name) or [name]
    parts = [words[0]]
    for word in words[1:]:
        if len(parts[-1]) + len(word) <= _HEADING:
            parts[-1] += word
        else:
            parts.append(word)
    return parts


def bytes_text(count: int | float) -> str:
    """A number of bytes for people: `524 kB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit in ("B", "kB") or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("the last unit returns")


def time_text(microseconds: int) -> str:
    """A time of day in microseconds as `10:30:15`."""
    seconds = microseconds // 1_000_000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _integer(name: str, value: int) -> str:
    if name in _SIZES:
        return bytes_text(value)
    if name in _COUNTS or name.startswith("NumberOf"):
        return f"{value:,}"
    return time_text(value) if _vr(name) == "TM" else str(value)


def _moment(vr: str, text: str) -> str:
    found = _MOMENT(text)
    if found is not None:
        zone = found[3] or ""
        return f"{found[1]} {found[2]}{'' if zone in ('Z', '+00', '+00:00') else zone}"
    if vr == "DA" and (day := _DATE(text)) is not None:
        return "-".join(day.groups())
    return text


def _vr(name: str) -> str:
    if is_own_column(name):
        return ""
    attribute = find(name.rpartition(".")[2])
    return attribute.vr if attribute is not None else ""


def _summary(facts: Mapping[str, Any]) -> Iterable[str]:
    if isinstance(facts.get("instances"), int):
        yield f"{facts['instances']:,} instance{'s' if facts['instances'] != 1 else ''}"
    if isinstance(facts.get("size"), (int, float)):
        yield bytes_text(facts["size"])
