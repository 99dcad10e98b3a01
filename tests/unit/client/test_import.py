"""`import isocenter` is light: that is what makes it usable in every notebook."""

import subprocess
import sys

HEAVY = ["pydicom", "pyarrow", "pandas", "tornado", "numpy", "duckdb", "deltalake", "sqlalchemy", "polars"]
HEAVY += ["isocenter.deid", "cryptography", "highdicom"]


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_importing_and_building_a_query_loads_nothing_heavy():
    told = run(
        "import sys, isocenter\n"
        "from isocenter.client.archive import Archive\n"
        "from isocenter.client.transport import Transport\n"
        "archive = Archive(Transport('http://127.0.0.1:1'))\n"
        "frame = archive.series.where('Modality=CT').where(isocenter.col.SliceThickness < 2)\n"
        "repr(frame.select('PatientID')); isocenter.connect\n"
        "repr(frame.deidentify(options=['modified-dates'])); archive.deid\n"
        "import isocenter.client.export\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert told == "[]"


def test_importing_takes_less_than_a_tenth_of_a_second():
    measure = "import time; t = time.process_time(); import isocenter; print(time.process_time() - t)"
    best = min(float(run(measure)) for _ in range(5))
    assert best < 0.1


def test_names_are_completed_before_they_are_loaded():
    told = run("import isocenter; print('connect' in dir(isocenter), 'col' in dir(isocenter))")
    assert told == "True True"


def test_an_unknown_name_is_an_attribute_error():
    told = run("import isocenter\ntry: isocenter.conect\nexcept AttributeError as e: print(e)")
    assert "conect" in told
