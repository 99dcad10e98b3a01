"""Notebooks run from top to bottom against a fresh server, show what they say, and are stored without outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from isocenter.cli.throwaway import Running, server
from isocenter.datasets.gathering import installed_files
from isocenter.datasets.phantoms import demonstration

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]

# What a reader must find among the outputs, whatever else is shown.
SHOWS: dict[str, tuple[str, ...]] = {
    "00_start": ("studies", "identifiers masked", "megabytes", "stored, 0 failed"),
    "01_query": (
        "3 series",
        "'of Röntgen': ",
        "values of Modality",
        "SliceThickness: ",
        "ExposureTime",
        "Phantom CT",
        "CBCT mandible 0.4 mm",
        "did you mean SliceThickness",
        "not a date YYYYMMDD",
        "at position 21",
    ),
    "02_cohort": (
        "Cohort ct-volumes@1",
        "Phantom CBCT",
        "1 added, 0 removed",
        "ct-volumes, version 1, dataset main",
        "sha256:",
        "ok=True",
        "downloaded, 0 present, 0 failed",
    ),
    "03_pixels": (
        "HU, 5 x 0.9375 x 0.9375 mm",
        "values from -1000 to",
        "CTDIvol 42.5 mGy",
        "Mean of three slices; values are rounded to steps of 0.0",
        "differ by at most 0.01",
        "bone: ",
        "BINARY with 1 segment: Bone",
    ),
    "04_deidentify": (
        "Cohort for-the-study",
        "'study-42'",
        "did you mean modified-dates",
        "previewed",
        " findings",
        "8 quarantined",
        "review pending",
        "held until somebody has looked at them",
        "review accepted",
        "1 rejected",
        "the segmentation still lies on its CT: 6 slices",
        "Page of",
        "the same pseudonym as before: True",
    ),
}
# Before the first cell: a warning that a cell raises is an error. What the kernel's machinery does is not ours.
STRICT = """
import warnings
warnings.simplefilter("error")
for module in ("zmq", "tornado", "ipykernel", "jupyter_client", "traitlets", "IPython"):
    warnings.filterwarnings("default", module=module)
"""


@pytest.fixture(params=NOTEBOOKS, ids=IDS)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A server with what `make lab` has, save that phantoms have fewer and smaller slices."""
    from isocenter.client.connect import connect

    with server(workers=1) as made:
        with connect(made.url, made.token) as archive:
            archive.store([found.path for found in installed_files()], progress=False)
            report = archive.store(list(demonstration(slices=6, size=256)), progress=False)
            assert not report.failed
        yield made


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default")  # of the machinery in this process
def test_it_runs_against_a_fresh_server_and_shows_what_it_says(
    path: Path, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_URL", running.url)
    monkeypatch.setenv("ISOCENTER_TOKEN", running.token)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    shown = "\n".join(map(text_of, outputs))
    assert not [words for words in SHOWS[path.stem] if words not in shown], shown
    assert "Traceback" not in shown
    assert "<script" not in "".join(html_of(o) for o in outputs)


def text_of(output: Any) -> str:
    """What an output says to whoever has no browser."""
    return str(output.text if output.output_type == "stream" else output.data.get("text/plain", ""))


def html_of(output: Any) -> str:
    return "" if output.output_type == "stream" else str(output.data.get("text/html", ""))


def test_it_is_said_what_a_reader_must_find(path: Path) -> None:
    assert path.stem in SHOWS


def test_it_is_stored_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
