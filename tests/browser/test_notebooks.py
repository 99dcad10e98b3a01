"""The notebooks in JupyterLab, as their reader sees them: every cell run, widgets drawn, nothing red."""

from __future__ import annotations

import os
import shutil
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_jupyter import TOKEN, Jupyter
from live_jupyter import jupyter as live_jupyter
from live_panel import write_settings

import isocenter
from isocenter.cli.throwaway import Running, server
from isocenter.datasets.gathering import installed_files
from isocenter.datasets.phantoms import demonstration

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUIET = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    # Every cell is in the page, in view or not.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}


@pytest.fixture(scope="module")
def filled() -> Iterator[Running]:
    """A server with what `make lab` has, in fewer slices."""
    with server(workers=1) as made:
        with isocenter.connect(made.url, made.token) as archive:
            archive.store([found.path for found in installed_files()], progress=False)
            archive.store(list(demonstration(slices=20, size=256)), progress=False).raise_for_failures()
        yield made


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory, filled: Running) -> Iterator[Jupyter]:
    """JupyterLab whose kernels find that server, with the displays that the extension declares."""
    home = tmp_path_factory.mktemp("lab")
    for path in NOTEBOOKS:
        shutil.copy(path, home)
    paths = [str(declared(home)), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    told = {
        "ISOCENTER_URL": filled.url,
        "ISOCENTER_TOKEN": filled.token,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "JUPYTER_PATH": str(ROOT / "extension"),
    }
    for plugin, values in QUIET.items():
        write_settings(home, plugin, values)
    with live_jupyter(home, "--LabApp.expose_app_in_browser=True", **told) as running:
        yield running


def declared(home: Path) -> Path:
    """A folder for the path with the entry points of this checkout, as its installation would have them."""
    project = tomllib.loads((ROOT / "extension" / "pyproject.toml").read_text())["project"]
    info = home / "declared" / "isocenter_jupyter_checkout-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: isocenter-jupyter-checkout\nVersion: 0\n")
    lines = [f"{name} = {where}" for name, where in project["entry-points"]["isocenter.displays"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[isocenter.displays]", *lines, ""]))
    return info.parent


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_in_jupyterlab(path: Path, jupyter: Jupyter, context: Any, pictures: Path) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 1400, "height": 1000})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{jupyter.url}lab/tree/{path.name}?token={TOKEN}&reset", wait_until="load", timeout=60_000)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'",
        timeout=60_000,
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    prompts = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt")
    deadline = time.monotonic() + 180
    while any(told in ("[ ]:", "[*]:") for told in prompts.all_inner_texts()):
        assert time.monotonic() < deadline, prompts.all_inner_texts()
        page.wait_for_timeout(200)
    page.wait_for_timeout(2000)  # pictures in widgets
    height = page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollHeight")
    page.set_viewport_size({"width": 1400, "height": min(height + 120, 9000)})
    page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    page.wait_for_timeout(1500)
    page.screenshot(path=str(pictures / f"notebook-{path.stem}.png"))
    red = page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.stderr']")
    assert red.all_inner_texts() == []
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert errors == []
    page.close()
