"""`isocenter token`: which folder it works on, what it prints, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Alone = Callable[..., Any]


def test_a_token_is_made_listed_and_revoked(alone: Alone, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    made = json.loads(
        alone("token", "create", "ward", "--days", "1", "--dataset", "main", *data, "--json").stdout
    )
    assert made["data"] == str(tmp_path / "data")
    (listed,) = json.loads(alone("token", "list", *data, "--json").stdout)
    assert listed == {name: value for name, value in made.items() if name not in ("secret", "data")}
    shown = alone("token", "list", *data).stdout
    assert "ward" in shown
    assert made["secret"] not in shown
    assert json.loads(alone("token", "revoke", made["id"], *data, "--json").stdout)["name"] == "ward"
    assert alone("token", "list", *data, "--json").stdout == "[]\n"


def test_the_secret_alone_is_on_standard_output_and_the_folder_beside_it(
    alone: Alone, tmp_path: Path
) -> None:
    told = alone("token", "create", "admin", "--role", "admin")
    assert told.stdout.startswith("iso_")
    assert len(told.stdout.split()) == 1
    assert str(tmp_path / "isocenter-data") in told.stderr


@pytest.mark.parametrize("what", [("list",), ("revoke", "abcd1234")])
def test_a_folder_that_is_no_servers_is_told_and_not_made(
    alone: Alone, tmp_path: Path, what: tuple[str, ...]
) -> None:
    told = alone("token", *what)
    assert told.returncode == 2
    assert f"{tmp_path / 'isocenter-data'} is no data folder" in told.stderr
    assert "--data" in told.stderr
    assert not (tmp_path / "isocenter-data").exists()


def test_a_settings_file_says_which_datasets_there_are(alone: Alone, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('data = "archive"\n[datasets.ct-lab]\nae_title = "CTLAB"\n')
    told = alone("token", "create", "x", "--dataset", "ct-lab", "--config", settings, "--json")
    assert json.loads(told.stdout)["datasets"] == ["ct-lab"]
    told = alone("token", "create", "x", "--dataset", "ct-lib", "--config", settings)
    assert told.returncode == 2
    assert "one of main, ct-lab" in told.stderr
    (listed,) = json.loads(alone("token", "list", "--config", settings, "--json").stdout)
    assert listed["name"] == "x"


def test_a_time_that_is_none_is_refused(alone: Alone) -> None:
    told = alone("token", "create", "x", "--days", "nan")
    assert told.returncode == 2
    assert "expires in the future" in told.stderr
