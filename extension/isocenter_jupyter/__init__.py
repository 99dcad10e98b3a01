"""Isocenter at home in Jupyter: an extension of Jupyter Server, made of the client of `isocenter` alone."""

from typing import Any

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from isocenter_jupyter.extension import Isocenter

    return [{"module": "isocenter_jupyter", "app": Isocenter}]
