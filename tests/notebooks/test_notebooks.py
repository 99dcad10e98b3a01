"""Every notebook runs from top to bottom against a fresh server, and is stored without outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from isocenter.cli.throwaway import Running, server
from isocenter.datasets.phantoms import demonstration

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    from isocenter.client.connect import connect

    with server(workers=1) as made:
        with connect(made.url, made.token) as archive:
            report = archive.store(list(demonstration(slices=6, size=256)), progress=False)
            assert not report.failed
        yield made


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
@pytest.mark.timeout(300)
# The kernel's own machinery (zmq, tornado) warns; what the notebook's cells do is what is tested here.
@pytest.mark.filterwarnings("default")
def test_it_runs_against_a_fresh_server(
    path: Path, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_URL", running.url)
    monkeypatch.setenv("ISOCENTER_TOKEN", running.token)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    shown = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert shown, "a notebook that shows nothing"
    assert not [o for o in shown if o.output_type == "stream" and o.name == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_is_stored_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
