"""Tables as text, for terminals: aligned, masked, and no wider than the terminal.

Not here: what a value looks like (`cells`).
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Mapping, Sequence

from isocenter.client.display.cells import Preview, broken

_WIDEST = 32
_GAP = "  "
_MORE = "…"
_BAR = 20


def table_text(preview: Preview, width: int | None = None) -> str:
    """The text of a preview.

    Args:
        preview: what to show.
        width: of the terminal, in characters; found when absent.
    """
    if preview.error:
        return f"{preview.error}\n{preview.title}"
    title = f"{preview.title}{' · ' if preview.summary else ''}{preview.summary}"
    if not (preview.columns and preview.rows):
        return f"{title}\n{preview.question}".rstrip()
    width = shutil.get_terminal_size().columns if width is None else width
    lines = [title, *_lines(preview, width), *preview.notes]
    return "\n".join(lines)


def facts_text(title: str, facts: Mapping[str, object]) -> str:
    """A title, and names and values below it."""
    longest = max((text_width(name) for name in facts), default=0)
    return "\n".join([title, *(f"  {_fitted(name, longest)}  {value}" for name, value in facts.items())])


def text_width(text: str) -> int:
    """How many places a text takes in a terminal: ideographs take two, accents none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )


def _lines(preview: Preview, width: int) -> list[str]:
    rows = [list(map(_one_line, row)) for row in preview.texts()]
    heads = _headings(preview.columns, rows)
    columns = zip(*heads, *rows, strict=True)
    widths = [min(max(map(text_width, column)), _WIDEST) for column in columns]
    fit = _that_fit(widths, width)
    right = [name in preview.numeric for name in preview.columns]
    more = [_MORE] if fit < len(widths) else []

    def line(row: Sequence[str]) -> str:
        return _GAP.join([*map(_fitted, row[:fit], widths, right), *more]).rstrip()

    rule = _GAP.join(["─" * one for one in widths[:fit]] + more)
    bars = ["█" * round(share * _BAR) for share in preview.shares()] or [""] * len(rows)
    drawn = [f"{line(row)}{_GAP}{bar}".rstrip() for row, bar in zip(rows, bars, strict=True)]
    return [*map(line, heads), rule, *drawn]


def _headings(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The names in one or more lines: long ones are broken where what is below them is shorter."""
    below = [max((text_width(row[at]) for row in rows), default=0) for at in range(len(columns))]
    parts = [
        [name] if text_width(name) <= room else broken(name)
        for name, room in zip(columns, below, strict=True)
    ]
    deep = max(map(len, parts))
    return [[([""] * (deep - len(p)) + p)[row] for p in parts] for row in range(deep)]


def _that_fit(widths: Sequence[int], width: int) -> int:
    """How many columns the line has room for, at least one; a mark that there are more needs room too."""
    used = 0
    for at, one in enumerate(widths):
        used += one + (len(_GAP) if at else 0)
        left = 0 if at == len(widths) - 1 else len(_GAP) + len(_MORE)
        if used + left > width:
            return max(at, 1)
    return len(widths)


def _fitted(text: str, width: int, right: bool = False) -> str:
    """Cut or filled up to a width."""
    if text_width(text) > width:
        if "/" in text and " " not in text:  # of a path the end tells most
            return _MORE + text[-(width - 1) :]
        while text_width(text) > width - 1:
            text = text[:-1]
        text += _MORE
    space = " " * (width - text_width(text))
    return space + text if right else text + space


def _one_line(text: str) -> str:
    return " ".join(text.split())
