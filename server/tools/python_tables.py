"""The tables of `python.md`: the public methods of the client, from their docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from isocenter.client.archive import Archive
from isocenter.client.changes import Change, Changes
from isocenter.client.columns import Column
from isocenter.client.deid import Plan
from isocenter.client.deid_keys import Deid
from isocenter.client.deid_run import Run
from isocenter.client.download import DownloadReport
from isocenter.client.frame import Frame
from isocenter.client.options import Options
from isocenter.client.resource import Resource
from isocenter.client.resources import Instance, Patient, Series, Study
from isocenter.client.store import StoreReport
from isocenter.client.summaries import Counts, Description, Histogram
from isocenter.client.table import Table
from isocenter.client.volume import Volume

_LEFT_OUT = frozenset({"request", "preview", "is_time", "summarise", "question", "uid", "level"})
_CLASSES: dict[str, tuple[type, ...]] = {
    "python-archive": (Archive,),
    "python-frame": (Frame,),
    "python-table": (Table,),
    "python-summaries": (Counts, Histogram, Description),
    "python-column": (Column,),
    "python-resources": (Resource, Patient, Study, Series, Instance),
    "python-volume": (Volume,),
    "python-download": (DownloadReport,),
    "python-store": (StoreReport,),
    "python-deid": (Plan, Run, Deid),
    "python-changes": (Changes, Change),
    "python-options": (Options,),
}


def python_tables() -> dict[str, str]:
    """Every table by its name in the page."""
    return {name: _rows(classes) for name, classes in _CLASSES.items()}


def _rows(classes: tuple[type, ...]) -> str:
    lines = ["| | |", "|---|---|"]
    for kind in classes:
        shown = f"{kind.__name__.lower()}." if len(classes) > 1 else ""
        shared = {
            Table,
            *(base for one in classes if one is not kind for base in one.__mro__ if one in kind.__mro__),
        }
        told: dict[str, str] = {}
        for base in kind.__mro__:
            if base is kind or (base not in shared and base.__module__.startswith("isocenter.")):
                told = {**dict(_members(base)), **told}
        lines += [f"| `{shown}{name}` | {says} |" for name, says in told.items()]
    return "\n".join(lines)


def _members(kind: type) -> Iterator[tuple[str, str]]:
    for name, member in vars(kind).items():
        if name.startswith("_") or (name in _LEFT_OUT and kind is not Plan):
            continue
        if isinstance(member, property):
            yield name, _first(member.fget)
        elif inspect.isfunction(member):
            yield f"{name}({_arguments(member)})", _first(member)
    if kind is Options:
        yield from _options()


def _options() -> Iterator[tuple[str, str]]:
    for line in re.findall(r"^ {4}(\w+: .+(?:\n {8}.+)*)", Options.__doc__ or "", re.M):
        name, _, says = " ".join(line.split()).partition(": ")
        yield f"{name} = {getattr(Options(), name)!r}", says


def _arguments(function: Any) -> str:
    shown = []
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        value = parameter.default
        text = str(value) if isinstance(value, Enum) else repr(value)
        default = "" if value is parameter.empty else f"={text}"
        shown.append(f"{star}{name}{default}")
    return ", ".join(shown)


def _first(function: Any) -> str:
    """The first paragraph of a docstring, as a cell."""
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")
