"""Isocenter at home in Jupyter: an extension of Jupyter Server, made of the client of `isocenter` alone."""

from typing import Any

__version__ = "0.1.0"

_WIDGETS = {
    "CohortTable": "isocenter_jupyter.widgets.cohort",
    "DatasetReset": "isocenter_jupyter.widgets.reset",
    "DeidReview": "isocenter_jupyter.widgets.review",
    "DoseChart": "isocenter_jupyter.widgets.dose",
    "JobProgress": "isocenter_jupyter.widgets.job",
    "SeriesViewer": "isocenter_jupyter.widgets.series_viewer",
    "TagBrowser": "isocenter_jupyter.widgets.tags",
}

__all__ = ["__version__", *_WIDGETS]


def __getattr__(name: str) -> object:
    """Widgets load with first use: the server extension needs none of them."""
    from importlib import import_module

    if name not in _WIDGETS:
        raise AttributeError(f"module 'isocenter_jupyter' has no attribute {name!r}")
    return getattr(import_module(_WIDGETS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from isocenter_jupyter.extension import Isocenter

    return [{"module": "isocenter_jupyter", "app": Isocenter}]
