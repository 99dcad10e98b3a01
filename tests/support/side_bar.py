"""A page of Jupyter with the panel, and what its Jupyter Server and data server say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_jupyter import TOKEN, Jupyter
from live_panel import PANEL
from pydicom.data import get_testdata_file

FILES = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "693_J2KI.dcm")


@dataclass
class Page:
    """A page of Jupyter, what it asked for and what went wrong on it."""

    page: Any
    pictures: Path
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def picture(self, name: str) -> None:
        self.page.screenshot(path=str(self.pictures / f"{name}.png"))

    def open_panel(self) -> Any:
        """The panel, shown."""
        panel = self.page.locator("#isocenter-panel")
        panel.wait_for(state="attached")
        if not panel.is_visible():
            self.page.locator('[data-id="isocenter-panel"]').click()
        panel.wait_for()
        return panel

    def wait_for_server(self) -> Any:
        """The panel once it shows a running server."""
        panel = self.open_panel()
        start = panel.get_by_role("button", name="Start", exact=True)
        panel.get_by_text("Running").or_(start).first.wait_for()
        if start.is_visible():
            start.click()
        panel.get_by_text("Datasets").wait_for(timeout=60_000)
        return panel

    def code(self) -> list[str]:
        """The cells of the notebook in view."""
        cells = self.page.locator(".jp-Notebook:visible .jp-CodeCell .cm-content")
        cells.first.wait_for()
        return list(cells.all_inner_texts())

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait, while the page goes on."""
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, self.page.locator("body").inner_text()
            self.page.wait_for_timeout(50)

    def asks_no_more(self) -> bool:
        """Whether nothing was asked for in a while, longer than that between two looks at the server."""
        asked = len(self.asked)
        self.page.wait_for_timeout(2000)
        return len(self.asked) == asked

    def close(self) -> None:
        """Nothing of ours may have gone wrong on it."""
        self.page.close()
        assert [error for error in self.errors if "isocenter" in error.lower()] == []


def count(jupyter: Jupyter, dataset: str = "main") -> int:
    """Instances in a dataset."""
    told = jupyter.ask(f"isocenter/proxy/api/statistics?dataset={dataset}").json()
    return int(told["CountInstances"])


def store(jupyter: Jupyter, *names: str) -> None:
    for name in names:
        body = Path(str(get_testdata_file(name))).read_bytes()
        headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/dicom"}
        answer = jupyter.ask("isocenter/proxy/dicom-web/studies", "POST", body, headers)
        assert answer.status == 200, answer.body


def last_activity(jupyter: Jupyter) -> str:
    return str(jupyter.ask("api/status").json()["last_activity"])


def at_rest(jupyter: Jupyter) -> str:
    """The last activity, as soon as that of pages that were closed has ended."""
    deadline = time.monotonic() + 60
    before = last_activity(jupyter)
    while True:
        time.sleep(1)
        if before == (now := last_activity(jupyter)):
            return now
        assert time.monotonic() < deadline, "somebody is active all the time"
        before = now


def settings_of(jupyter: Jupyter) -> dict[str, Any]:
    """The user's settings of the panel."""
    return dict(jupyter.ask(f"lab/api/settings/{PANEL}").json()["settings"])
