"""Headless Chromium, a running server with studies in it, and viewers as their users install them.

Pictures of what was seen are written to the folder that ISOCENTER_PICTURES names, else to pytest's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from viewer_modules import RUN, Run
from viewer_objects import studies
from viewer_pages import LOADED, Show, Shown, foreign, named
from widget_pages import WidgetPages, widget_pages

import isocenter
from isocenter.cli.throwaway import Running, server
from isocenter.client.archive import Archive
from isocenter.client.resources import Series
from isocenter.client.transport import Transport
from isocenter.datasets.phantoms import Subject, demonstration
from isocenter_jupyter.widgets.series_viewer import SeriesViewer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass
class Seen:
    """A page, and what went wrong on it."""

    page: Any
    pictures: Path
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def picture(self, name: str) -> None:
        """Keep what is seen now."""
        self.page.screenshot(path=str(self.pictures / f"{name}.png"))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = os.environ.get("ISOCENTER_PICTURES")
    folder = Path(told) if told else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """While Playwright runs, the main thread has an event loop: no asynchronous test may run beside."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def context(browser: Any) -> Iterator[Any]:
    """One for all pages of a module: what JupyterLab is made of is fetched and compiled once."""
    made = browser.new_context()
    made.set_default_timeout(60_000)
    yield made
    made.close()


@pytest.fixture
def see(browser: Any, pictures: Path) -> Iterator[Callable[[str], Seen]]:
    """Opens an address in a page of its own."""
    pages = []

    def opens(url: str) -> Seen:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        pages.append(page)
        seen = Seen(page, pictures)
        page.on("requestfailed", lambda request: seen.failed.append(f"{request.url} {request.failure}"))
        page.on("response", lambda one: one.status >= 400 and seen.failed.append(f"{one.url} {one.status}"))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.goto(url, wait_until="load", timeout=60_000)
        return seen

    yield opens
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that holds the studies of `viewer_objects`."""
    with server(tmp_path_factory.mktemp("browser") / "data") as started:
        with isocenter.connect(started.url) as archive:
            report = archive.store([one for some in studies().values() for one in some])
        assert not report.failed
        yield started


@pytest.fixture(scope="session")
def installed(running: Running) -> Callable[[str], str]:
    """Installs a viewer by the command, fetched by npm; its address."""

    def install(viewer: str) -> str:
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed, which fetches viewers")
        command = [
            sys.executable,
            "-m",
            "isocenter",
            "viewer",
            "install",
            viewer,
            "--data",
            str(running.data),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if "npm could not fetch" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        return f"{running.url}/viewers/{viewer}"

    return install


@pytest.fixture(scope="module")
def run(browser: Any) -> Iterator[Run]:
    """Runs JavaScript with modules of the viewer as `m` and JSON as `given`."""
    with widget_pages(Transport("http://127.0.0.1:9")) as pages:
        page = browser.new_page()
        page.goto(f"{pages.url}/blank")

        def work(modules: str, source: str, **given: Any) -> Any:
            return page.evaluate(RUN, [modules.split(), source, given])

        yield work
        page.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    running: Running
    with (
        server(tmp_path_factory.mktemp("viewer") / "data") as running,
        isocenter.connect(running.url) as opened,
    ):
        objects = [*demonstration(Subject(), slices=9, size=128), *foreign()]
        report = opened.store(objects, progress=False)
        assert not report.failed
        yield opened


@pytest.fixture(scope="module")
def pages(archive: Archive) -> Iterator[WidgetPages]:
    with widget_pages(archive.transport) as served:
        yield served


@pytest.fixture
def head(archive: Archive) -> Series:
    return named(archive, SeriesDescription="Head 5.0 mm")


@pytest.fixture
def show(browser: Any, pages: WidgetPages) -> Iterator[Show]:
    opened = []

    def shows(viewer: SeriesViewer, *, dark: bool = False, direct: bool = True, width: int = 1000) -> Shown:
        page = browser.new_page(viewport={"width": width, "height": 640})
        page.set_default_timeout(60_000)
        opened.append(page)
        shown = Shown(page, [])
        page.on("pageerror", lambda error: shown.errors.append(str(error)))
        page.goto(pages.put(viewer, direct=direct, dark=dark))
        page.wait_for_function(LOADED)
        page.locator(".viewer-stage").focus()
        return shown

    yield shows
    for page in opened:
        page.close()
