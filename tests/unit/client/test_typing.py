"""A user's script passes `mypy --strict`, and a mistake in it is found."""

import subprocess
import sys
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[3] / "server"
SCRIPT = """
import datetime

import isocenter
from isocenter import col

archive = isocenter.connect()
ct = archive.series.where(Modality="CT").where(col.SliceThickness < 2)
thin = ct[col.KVP > 100].sort(col.StudyDate.desc(), "SeriesNumber")[2:5]
count: int = thin.count()
uids: list[str] = ct.uids()
uid: str = ct[0].uid
for series in ct:
    for instance in series:
        print(instance.uid)
for study in archive.studies.head(3):
    print(study.series.count())
print(ct.group_by("Modality").sort("count").head(3).to_pandas().shape)
print(ct.describe().to_arrow(), ct.histogram("SliceThickness", bins=5).to_polars())
names: list[str] = archive.columns("series").names
for change in archive.changes(since="now", follow=True):
    when: datetime.datetime = change.time
print(archive.statistics()["size"], archive.patients["P1"], ct["PatientID"])
with isocenter.options(show_identifiers=True, display_rows=3):
    print(ct)
rows = archive.sql("SELECT 1 AS n").to_csv()
print(len(archive.store("folder", progress=False).failed))
"""


def checked(script: str, folder: Path) -> str:
    (folder / "script.py").write_text(script)
    (folder / "mypy.ini").write_text(f"[mypy]\nmypy_path = {SERVER}\nstrict = true\n")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        "mypy.ini",
        "--follow-imports",
        "silent",
        "script.py",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_script_of_a_user_passes_and_a_mistake_is_found(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    assert "Success" in checked(SCRIPT, tmp_path)
    wrong = checked(SCRIPT + "archive.serie\nnumber: int = ct.uids()\n", tmp_path)
    assert 'maybe "series"' in wrong
    assert "[assignment]" in wrong
