"""Completion in IPython and Jupyter: keywords of `where`, columns and UIDs between quotes, `isocenter.col`.

IPython's own completion runs no property and no call, so it stops at `archive.series`; this matcher reads the
text instead: the name it begins with, and the level that its attributes say. It runs nothing of the user's.
Not here: what is offered (`known`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.client.known import known
from isocenter.dicom.levels import Level

_NESTED = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_CHAIN = rf"(?P<root>[A-Za-z_]\w*)(?P<chain>(?:\.\w+|\[[^\[\]]*\]|{_NESTED})*)"
_ARGUMENTS = r"(?:[^()\"']|\"[^\"]*\"|'[^']*'|" + _NESTED + ")*"
_KEY = re.compile(rf"{_CHAIN}\[\s*[\"'](?P<typed>[^\"'\]]*)$")
_TEXT = re.compile(
    rf"{_CHAIN}\.(?P<method>select|sort|group_by|histogram|describe)\({_ARGUMENTS}[\"'](?P<typed>[\w.]*)$"
)
_EXPRESSION = re.compile(
    rf"{_CHAIN}\.where\({_ARGUMENTS}(?P<quote>[\"'])(?:(?!(?P=quote)).)*?(?P<typed>[A-Za-z_]\w*)?$"
)
_KEYWORD = re.compile(rf"{_CHAIN}\.where\((?:{_ARGUMENTS},)?\s*(?P<typed>\w*)$")
_COLUMN = re.compile(r"(?:^|[^\w.])(?P<chain>(?:isocenter\.)?col)\.(?P<typed>\w*)$")
_LEVELS = {
    "patients": Level.PATIENT,
    "studies": Level.STUDY,
    "series": Level.SERIES,
    "instances": Level.INSTANCE,
}
_ATTRIBUTE = re.compile(rf"\.(\w+)|\[[^\[\]]*\]|{_NESTED}")
_LOOKED_AT = 2000


@dataclass(frozen=True)
class Place:
    """Whose rows a text is about; enough of a frame for `known`."""

    transport: Any
    dataset: str
    level: Level


def complete(text: str, names: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """What the end of a text may become: what is typed already, and what may stand in its place.

    Args:
        text: up to the cursor.
        names: of the user's objects.

    Returns:
        None where it is nothing of ours.
    """
    text = text[-_LOOKED_AT:]
    column = _COLUMN.search(text)
    if column is not None:
        return _columns_of_col(column, names)
    for pattern, offer in ((_KEY, _keys), (_TEXT, _texts), (_EXPRESSION, _words), (_KEYWORD, _keywords)):
        found = pattern.search(text)
        place = None if found is None else _place(found["root"], found["chain"], names)
        if found is not None and place is not None:
            typed = found["typed"] or ""
            return typed, [one for one in offer(place, typed) if _begins(one, typed)]
    return None


def offer() -> None:
    """Add the matcher to the IPython that runs, once; nothing without one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    matchers = getattr(getattr(shell, "Completer", None), "custom_matchers", None)
    if shell is None or matchers is None or any(getattr(one, "is_isocenter", False) for one in matchers):
        return

    def isocenter_matcher(context: Any) -> dict[str, Any]:
        try:
            lines = context.full_text.split("\n")[: context.cursor_line + 1]
            lines[-1] = lines[-1][: context.cursor_position]
            return _as_result(complete("\n".join(lines), shell.user_ns))
        except Exception:  # noqa: BLE001 - a key press never ends in a traceback
            return _as_result(None)

    isocenter_matcher.is_isocenter = True  # type: ignore[attr-defined]
    isocenter_matcher.matcher_api_version = 2  # type: ignore[attr-defined]
    matchers.append(isocenter_matcher)


def _as_result(found: tuple[str, list[str]] | None) -> dict[str, Any]:
    if found is None or not found[1]:
        return {"completions": [], "suppress": False}
    from IPython.core.completer import SimpleCompletion

    completions = [SimpleCompletion(text=one, type="param" if one[-1] == "=" else "text") for one in found[1]]
    return {"completions": completions, "matched_fragment": found[0], "ordered": True, "suppress": True}


def _place(root: str, chain: str, names: Mapping[str, Any]) -> Place | None:
    """The rows that a name and what follows it are about; nothing is run."""
    thing = names.get(root)
    transport = getattr(thing, "transport", None) if _is_ours(thing) else None
    if transport is None:
        return None
    told = [one[1] for one in _ATTRIBUTE.finditer(chain) if one[1]]
    level = next((_LEVELS[one] for one in reversed(told) if one in _LEVELS), getattr(thing, "level", None))
    if level is None or (getattr(thing, "frame", None) is not None):
        return None
    dataset = getattr(thing, "dataset_name", None) or getattr(thing, "dataset", "main")
    return Place(transport, str(dataset), level)


def _is_ours(thing: object) -> bool:
    return type(thing).__module__.startswith("isocenter.client.")


def _columns_of_col(found: re.Match[str], names: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    from isocenter.client.columns import Columns, keywords

    root = names.get(found["chain"].partition(".")[0])
    if not isinstance(root, Columns) and getattr(root, "__name__", "") != "isocenter":
        return None
    typed = found["typed"]
    here: list[str] = []
    for thing in list(names.values()):
        if _is_ours(thing) and hasattr(thing, "dataset_name"):
            here = known.columns(Place(thing.transport, thing.dataset_name, Level.INSTANCE))
            break
    first = [one for one in here if one.isidentifier()]
    return typed, [one for one in dict.fromkeys([*first, *keywords()]) if _begins(one, typed)]


def _keys(place: Place, typed: str) -> list[str]:
    if typed[:1].isdigit():
        return known.uids(place, typed)
    return known.columns(place) + ([] if typed else known.uids(place, ""))


def _texts(place: Place, _typed: str) -> list[str]:
    return known.columns(place)


_words = _texts


def _keywords(place: Place, _typed: str) -> list[str]:
    return [f"{one}=" for one in known.columns(place) if one.isidentifier()]


def _begins(name: str, typed: str) -> bool:
    return name.lower().startswith(typed.lower())
