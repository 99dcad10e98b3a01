# ruff: noqa: E501 - JavaScript in strings
"""The series viewer in a real JupyterLab: both ways to the server, keys, values in Python, themes, 3-D."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from live_lab import Lab, lab
from pydicom import dcmread
from pydicom.data import get_testdata_file

import isocenter
from isocenter.cli.throwaway import server
from isocenter.datasets.phantoms import Subject, demonstration

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
START = """import isocenter
from isocenter_jupyter.widgets.series_viewer import SeriesViewer
archive = isocenter.connect()
def named(**keys):
    return next(iter(archive.series.where(**keys).rows(1)))
"""
HEAD = "viewer = SeriesViewer(named(SeriesDescription='Head 5.0 mm'), archive=archive{})\nviewer"


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("viewer-lab")
    with server(folder / "data") as running:
        with isocenter.connect(running.url) as archive:
            objects = list(demonstration(Subject(), slices=12, size=256))
            cine = dcmread(get_testdata_file("examples_ybr_color.dcm"))
            assert not archive.store([*objects, cine], progress=False).failed
        environment = {**running.environment(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        with lab(folder, environment) as started:
            yield started


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    opened = context.new_page()
    opened.set_viewport_size({"width": 1300, "height": 1000})
    opened.failures = []
    opened.on("pageerror", lambda error: opened.failures.append(str(error)))
    yield opened
    opened.close()


def ready(page: Any, count: int = 1) -> None:
    script = f"document.querySelectorAll('[data-first-image]').length >= {count}"
    page.wait_for_function(script, timeout=90_000)


def run_cell_until(page: Any, number: int, text: str) -> None:
    """Run a cell again and again until it says this: what is changed in the page reaches Python a little later."""
    cell = page.locator(".jp-CodeCell").nth(number)
    deadline = time.monotonic() + 60
    while not any(text in said for said in cell.locator(".jp-OutputArea-output").all_inner_texts()):
        assert time.monotonic() < deadline, cell.inner_text()
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(500)


def test_two_viewers_in_one_notebook(jupyter: Lab, page: Any, pictures: Path) -> None:
    cine = "SeriesViewer(named(Modality='US'), archive=archive, height=360)"
    jupyter.run(page, "two", START, HEAD.format(""), cine)
    ready(page, 2)
    page.wait_for_timeout(1500)  # overlays, for the picture
    page.screenshot(path=str(pictures / "viewer-lab-light.png"))
    times = page.evaluate(
        "[...document.querySelectorAll('[data-first-image]')].map((one) => Number(one.dataset.firstImage))"
    )
    print(f"first images after {times} ms")
    page.wait_for_function(
        "performance.getEntriesByType('resource').some((one) => one.name.includes('/isocenter/proxy/dicom-web/'))"
    )
    assert not page.failures


def test_keys_of_the_viewer_are_not_the_notebooks(jupyter: Lab, page: Any) -> None:
    """`d d` deletes a cell, `a` and `b` make one, where the notebook has the keyboard."""
    jupyter.run(page, "keys", START, HEAD.format(", index=3"), "print('seen', viewer.index, viewer.window)")
    ready(page)
    before = page.locator(".jp-Cell").count()
    page.locator(".viewer-stage").click(position={"x": 300, "y": 30})
    for key in ("d", "d", "a", "b", "m", "m", "m", "m", "m", "m", "w", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_timeout(600)
    assert page.locator(".jp-Cell").count() == before
    run_cell_until(page, 2, "seen 5 [40.0, 400.0]")


def test_dark_and_over_the_comm_alone(jupyter: Lab, page: Any, pictures: Path) -> None:
    jupyter.theme("JupyterLab Dark")
    try:
        cells = (START, HEAD.format(", direct=False"), "viewer.index = 2\nviewer.window = [300, 1500]")
        jupyter.run(page, "dark", *cells)
        ready(page)
        page.wait_for_function("document.querySelector('.viewer-number').textContent.startsWith('3 /')")
        page.locator(".viewer-stage").focus()
        page.keyboard.press("l")
        page.wait_for_function("document.querySelectorAll('.viewer-overlay').length === 3")
        page.screenshot(path=str(pictures / "viewer-lab-dark.png"))
        asked = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
        assert not [name for name in asked if "/isocenter/proxy/" in name]
    finally:
        jupyter.theme("JupyterLab Light")


@pytest.mark.skipif(find_spec("ipyniivue") is None, reason="ipyniivue is not installed")
def test_the_volume_is_handed_over_to_ipyniivue(jupyter: Lab, page: Any, pictures: Path) -> None:
    jupyter.run(
        page,
        "volume",
        START,
        HEAD.format(", overlays=None"),
        "print('volume', type(viewer._volume).__name__)",
    )
    ready(page)
    page.get_by_label("In 3-D, by ipyniivue").click()
    page.wait_for_selector(".viewer-volume canvas")
    page.wait_for_timeout(4000)
    page.screenshot(path=str(pictures / "viewer-3d.png"))
    run_cell_until(page, 2, "volume NiiVue")
    page.get_by_label("Close the volume").click()
    page.locator(".viewer-volume").wait_for(state="detached")
