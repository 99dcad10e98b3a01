"""Store, find, verify, reindex and doctor as they are typed, against one running server."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from command_line import DEAD_PROXY, isocenter
from pydicom.data import get_testdata_file

CT = ("Modality=CT", "--level", "instance", "--columns", "Modality,SliceThickness")


def test_store_tells_what_became_of_each_file(filled: Any) -> None:
    outcomes = {Path(one["name"]).name: one["outcome"] for one in json.loads(filled.stored.stdout)}
    good = {path.name: "stored" for path in filled.folder.iterdir() if path.suffix == ".dcm"}
    assert outcomes == {**good, "broken.dcm": "failed", "notes.txt": "skipped"}
    assert filled.stored.returncode == 1, "one file was refused"


def test_store_of_what_is_there_already_is_no_failure(filled: Any) -> None:
    told = filled("store", filled.folder / "CT_small.dcm", filled.folder / "notes.txt")
    assert told.returncode == 1, "a file that was named itself is sent, whatever it looks like"
    assert "1 stored" in told.stdout
    assert "1 refused" in told.stdout
    assert "notes.txt" in told.stderr


def test_find_shows_a_table(filled: Any) -> None:
    told = filled("find", *CT)
    assert told.returncode == 0
    assert "SliceThickness" in told.stdout
    assert "5.0" in told.stdout


def test_find_counts(filled: Any) -> None:
    assert filled("find", "--level", "series", "--count").stdout == "4\n"


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_find_writes_a_file_in_the_format_that_its_name_says(filled: Any, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"found.{form}"
    told = filled("find", *CT, "--output", path)
    assert (told.returncode, told.stdout) == (0, "")
    assert [row["Modality"] for row in _rows(form, path.read_bytes())] == ["CT"]


def test_find_prints_what_programs_read(filled: Any) -> None:
    told = filled("find", *CT, "--format", "csv")
    assert [float(row["SliceThickness"]) for row in _rows("csv", told.stdout.encode())] == [5.0]


@pytest.mark.parametrize(
    "wrong",
    [
        ("--output", "found.txt"),
        ("--output", "found.csv", "--count"),
        ("Nothing=1",),
    ],
)
def test_find_says_what_is_wrong_and_writes_nothing(
    filled: Any, tmp_path: Path, wrong: tuple[str, ...]
) -> None:
    told = isocenter("find", *wrong, env=filled.env, cwd=tmp_path)
    assert told.returncode == 2
    assert told.stderr.startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_in_one_line(filled: Any) -> None:
    told = filled("find", "--output", "/nowhere/found.csv")
    assert (told.returncode, told.stderr) == (2, "Error: No such file or directory: /nowhere/found.csv\n")


def test_verify_finds_nothing_wrong_while_the_server_runs(filled: Any) -> None:
    told = filled("verify", "--data", filled.running.data, "--json")
    report = json.loads(told.stdout)
    assert (told.returncode, report["ok"], report["objects"]) == (0, True, 4)


def test_reindex_is_refused_while_the_server_runs(filled: Any) -> None:
    told = filled("reindex", "--data", filled.running.data)
    assert told.returncode == 2
    assert "Another Isocenter server runs" in told.stderr


def test_a_copy_of_the_objects_becomes_an_archive_again(
    filled: Any, alone: Callable[..., Any], tmp_path: Path
) -> None:
    """The backup of deployment.md: objects copied while the server runs, reindexed at the other end."""
    copy = tmp_path / "copy"
    shutil.copytree(filled.running.data / "objects", copy / "objects")
    told = alone("reindex", "--from", "objects", "--data", copy, "--json")
    assert (told.returncode, json.loads(told.stdout)["instances"]) == (0, 4)
    (victim, *_) = (copy / "objects").rglob("*.dcm")
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    told = alone("verify", "--data", copy)
    assert told.returncode == 1
    assert "damaged" in told.stdout
    assert "restore it from a backup" in told.stdout


def test_doctor_finds_the_server_whatever_proxy_is_set(filled: Any) -> None:
    told = filled("doctor", "--data", filled.running.data, "--json", **DEAD_PROXY)
    findings = {finding["what"]: finding for finding in json.loads(told.stdout)}
    assert findings["server"]["verdict"] == "ok"
    assert filled.running.url in findings["server"]["told"]
    assert [what for what, finding in findings.items() if finding["verdict"] == "fail"] == []


def test_a_throw_away_server_is_found_by_those_alone_who_know_of_it(filled: Any) -> None:
    without = {name: value for name, value in filled.env.items() if not name.startswith("ISOCENTER_")}
    told = isocenter("store", get_testdata_file("CT_small.dcm"), env=without, cwd=filled.folder)
    assert told.returncode == 2
    assert "No Isocenter server was found" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("find", "--url", "http://localhost:99999"), "'http://localhost:99999' is no address of a server"),
        (("serve", "--data", "/proc/nope"), "No such file or directory: /proc/nope"),
        (("serve", "--data", "/etc/passwd"), "Not a directory: /etc/passwd/run"),
        (("demo", "--keep", "/etc/passwd"), "File exists: /etc/passwd"),
        (("verify", "--data", "nowhere"), "nowhere holds no archive"),
    ],
)
def test_ordinary_mistakes_are_told_in_a_sentence(
    alone: Callable[..., Any], arguments: tuple[str, ...], error: str
) -> None:
    told = alone(*arguments)
    assert told.returncode == 2
    assert told.stderr.startswith(f"Error: {error}\n")


def test_a_token_that_is_none_is_refused_and_not_repeated(alone: Callable[..., Any]) -> None:
    told = alone("find", "--url", "http://localhost:9", "--token", "iso_secret\niso_other")
    assert told.returncode == 2
    assert "iso_" not in told.stdout + told.stderr


def _rows(form: str, data: bytes) -> list[dict[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(data.decode())))
    if form == "json":
        return list(json.loads(data))
    return list(pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist())


def test_without_a_server_a_command_lists_what_it_tried(alone: Any) -> None:
    told = alone("find")
    assert told.returncode == 2
    assert "- ISOCENTER_URL: not set" in told.stderr
    assert "- connection files: none in" in told.stderr
    assert "isocenter serve" in told.stderr
