"""Isocenter: a research data server for medical images, at home in Jupyter.

::

    import isocenter
    archive = isocenter.connect()
    archive.series.where(Modality="CT").where(isocenter.col.SliceThickness < 2).to_pandas()

Importing this loads nothing but the standard library; each name below loads its module on first use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it as true; importing typing would cost more than all the rest

__version__ = "0.1.0"

__all__ = ["Archive", "Frame", "__version__", "col", "connect", "errors", "options", "servers", "start"]

if TYPE_CHECKING:
    from isocenter import errors
    from isocenter.client.archive import Archive
    from isocenter.client.columns import col
    from isocenter.client.connect import connect, servers
    from isocenter.client.frame import Frame
    from isocenter.client.options import options
    from isocenter.client.start import start

_HOME = {
    "Archive": "isocenter.client.archive",
    "Frame": "isocenter.client.frame",
    "col": "isocenter.client.columns",
    "connect": "isocenter.client.connect",
    "options": "isocenter.client.options",
    "servers": "isocenter.client.connect",
    "start": "isocenter.client.start",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("isocenter.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'isocenter' has no attribute {name!r}{_meant(name)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def _meant(name: str) -> str:
    if name.startswith("_"):
        return ""
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), __all__, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def __dir__() -> list[str]:
    return sorted(__all__)
