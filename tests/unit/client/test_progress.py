"""What whoever waits is shown: in a terminal, a log, a notebook, or by a function of their own."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

import isocenter
from isocenter.client import progress as module
from isocenter.client.display.progress import Bar, Line, Log, progress_html
from isocenter.client.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when a test says so: `clock(3)`."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def test_it_says_how_much_how_fast_and_how_long(clock):
    with Progress("Storing", 100_000_000, wanted=False) as shown:
        clock(2)
        shown.advance(10_000_000)
        assert shown.line == "Storing: 10.0 MB of 100 MB, 5.0 MB/s, 0:18 left"
        clock(18)
        shown.advance(90_000_000)
    assert shown.line == "Storing: 100 MB in 20 s, 5.0 MB/s"


def test_the_rate_is_that_of_the_last_seconds(clock):
    with Progress("Reading", 1000, wanted=False, unit="instances") as shown:
        for _ in range(60):  # a slow start
            clock(1)
            shown.advance(1)
        for _ in range(20):
            clock(1)
            shown.advance(40)
        assert shown.line == "Reading: 860 of 1,000 instances, 40/s, 0:04 left"


def test_a_total_that_is_not_known_gives_no_time_left(clock):
    with Progress("Reading", 0, wanted=False) as shown:
        clock(1)
        shown.advance(500)
        assert shown.line == "Reading: 500 B, 500 B/s"
        shown.expect(1000)
        assert shown.line == "Reading: 500 B of 1 kB, 500 B/s, 0:01 left"


def test_a_job_tells_how_far_it_is_and_what_it_does(clock):
    with Progress("Export", 10, wanted=False, unit="series") as shown:
        clock(5)
        shown.reach(5, 20, note="NIfTI")
        assert shown.line == "Export: 5 of 20 series, 1.0/s, 0:15 left, NIfTI"


def test_what_fails_says_how_far_it_came(clock):
    shown = Progress("Storing", 100, wanted=False)

    def fail():
        with shown:
            clock(125)
            shown.advance(50)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert shown.line == "Storing: stopped after 2 min 5 s, 50 B of 100 B"


def test_a_function_is_told_and_the_last_time_with_the_total(clock):
    told = []
    with Progress("Storing", 3, lambda done, total: told.append((done, total))) as shown:
        for _ in range(3):
            clock(0.15)
            shown.advance(1)
    assert told == [(2, 3), (3, 3)]


def test_in_a_log_there_are_few_lines_and_none_for_what_is_soon_over(clock, capsys):
    assert isinstance(Progress("Storing", 1)._display, Log)
    with Progress("Storing", 36_000) as shown:
        for _ in range(20):
            clock(0.3)
            shown.advance(1)
    assert capsys.readouterr().err == ""
    with Progress("Storing", 36_000) as shown:
        for _ in range(36_000):  # ten hours
            clock(1)
            shown.advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 13
    assert lines[-1] == "Storing: 36 kB in 10 h 0 min, 1 B/s"


def test_nothing_is_shown_when_it_is_not_wanted(clock, capsys, monkeypatch):
    for wanted, everywhere in ((False, True), (True, False)):
        monkeypatch.setattr(isocenter.options, "progress", everywhere)
        with Progress("Storing", 100, wanted) as shown:
            clock(100)
            shown.advance(100)
    assert capsys.readouterr().err == ""


def test_a_line_of_a_terminal_is_never_wider_than_it(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    shown = Progress("Storing", 100_000_000, wanted=False)
    line = Line()
    clock(1)
    shown.advance(40_000_000)
    line.show(shown)
    line.end(shown)
    first, second = sys.stderr.getvalue().removeprefix("\r").removesuffix("\n").split("\r")
    assert first == second == "Storing: 40.0 MB of 100 MB, 4"


@pytest.mark.parametrize("rich", [True, False])
def test_in_a_terminal_one_line_remains(rich):
    program = (
        "import sys, time\n"
        f"if not {rich}: sys.modules['rich.progress'] = None\n"
        "from isocenter.client.progress import Progress\n"
        "with Progress('Storing', 3_000_000) as shown:\n"
        f"    assert type(shown._display).__name__ == {'Bar' if rich else 'Line'!r}\n"
        "    for _ in range(3): time.sleep(0.25); shown.advance(1_000_000)\n"
    )
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with open(ours, "rb", buffering=0) as terminal:
        subprocess.run([sys.executable, "-c", program], stderr=theirs, env=env, check=True, timeout=60)
        os.close(theirs)
        written = b""
        try:
            while block := terminal.read(4096):
                written += block
        except OSError:  # how a terminal ends
            pass
    text = written.decode()
    assert "1.0 MB of 3.0 MB" in text
    assert text.count("3.0 MB in ") == 1
    last = text.rstrip().splitlines()[-1].rpartition("\r")[2]
    assert last.rpartition("\x1b[2K")[2].strip().startswith("Storing: 3.0 MB in ")


def test_a_program_with_a_live_display_of_its_own_keeps_it():
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=io.StringIO())):
        shown, bar = Progress("Storing", 10, wanted=False), Bar()
        bar.begin(shown)
        bar.show(shown)
        bar.end(shown)


def test_a_bar_says_what_it_is_to_who_does_not_see_it(clock):
    shown = Progress("Storing <1>", 200, wanted=False)
    clock(1)
    shown.advance(100)
    html = progress_html(shown)
    assert 'aria-label="Storing &lt;1&gt;"' in html
    assert 'value="100" max="200"' in html
    assert "value=" not in progress_html(Progress("Storing", 0, wanted=False))


CELL = """
import time
from isocenter.client.progress import Progress
with Progress("Storing", 200) as shown:
    assert type(shown._display).__name__ == "Notebook"
    time.sleep(0.25)
    shown.advance(100)
    time.sleep(0.25)
    shown.advance(100)
"""


@pytest.mark.slow
@pytest.mark.parametrize("widgets", [True, False])
def test_what_is_saved_with_a_notebook_is_the_last_line(widgets):
    before = "" if widgets else "import sys\nsys.modules['ipywidgets'] = None\n"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(before + CELL)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert output["data"]["text/plain"].startswith("Storing: 200 B in ")
