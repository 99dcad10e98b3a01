"""JupyterLab and Notebook 7 as a user has them, with the extension's files of this checkout."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from live_jupyter import Jupyter, jupyter

ROOT = Path(__file__).parents[2]
PANEL = "isocenter-jupyterlab:panel"


@contextlib.contextmanager
def lab(
    home: Path, settings: dict[str, dict[str, Any]], *options: str, **variables: str
) -> Iterator[Jupyter]:
    """Start one that serves `/lab` and `/tree`.

    Args:
        home: its home; notebooks are written there.
        settings: of plugins of JupyterLab, by their id, as a user has set them.
        options: more of Jupyter Server.
        variables: more of its environment.
    """
    for plugin, values in settings.items():
        write_settings(home, plugin, values)
    with jupyter(home, *options, JUPYTER_PATH=str(ROOT / "extension"), **variables) as running:
        running.of_ours_alone = True
        yield running


def write_settings(home: Path, plugin: str, values: dict[str, Any]) -> None:
    """What the settings editor of JupyterLab writes."""
    package, name = plugin.split(":")
    folder = home / "config" / "lab" / "user-settings" / package
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(values))
