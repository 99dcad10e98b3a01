"""The client inside a real Jupyter kernel: what cells show and what they do not."""

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    "import isocenter\narchive = isocenter.connect({url!r})\narchive",
    "archive.series.where(Modality='CT')",
    "archive.series.where(isocenter.col.SliceThickness < 1).select('PatientName').sort('PatientName')",
    "from pydicom.data import get_testdata_file as get\nreport = archive.store(get('CT_small.dcm'))\nreport",
]


@pytest.mark.slow
def test_cells_show_tables_progress_and_no_names(server):
    cells = [nbformat.v4.new_code_cell(source.replace("{url!r}", repr(server.url))) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [[output["data"].get("text/html", "") for output in cell.outputs] for cell in notebook.cells]
    assert "Isocenter 0.1.0" in shown[0][0]
    assert "12 series" in shown[1][0]
    assert "Doe" not in str(shown)
    assert shown[3][0].count("Storing: 39 kB in") == 1  # what remains of the bar
    assert "1 stored, 0 failed" in shown[3][1]
