"""Tables as text, for terminals: aligned, masked, and no wider than the terminal.

Not here: what a value looks like (`cells`).
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Mapping, Sequence

from isocenter.client.display.cells import Preview

_WIDEST = 32
_GAP = "  "
_MORE = "…"


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
    table = [list(preview.columns), *(list(map(_one_line, row)) for row in preview.texts())]
    widths = [min(max(map(text_width, column)), _WIDEST) for column in zip(*table, strict=True)]
    fit = _that_fit(widths, width)
    right = [name in preview.numeric for name in preview.columns]
    more = [_MORE] if fit < len(widths) else []
    rule = [["─" * one for one in widths[:fit]] + more]
    lines = [
        [_fitted(text, widths[at], right[at]) for at, text in enumerate(row[:fit])] + more for row in table
    ]
    return [_GAP.join(cells).rstrip() for cells in [lines[0], *rule, *lines[1:]]]


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
        while text_width(text) > width - 1:
            text = text[:-1]
        text += _MORE
    space = " " * (width - text_width(text))
    return space + text if right else text + space


def _one_line(text: str) -> str:
    return " ".join(text.split())
