"""`isocenter deid-key`: keys of a data folder are made, taken over and listed, and shown to nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isocenter.deid import Key, KeyRing

Alone = Callable[..., Any]


def test_keys_are_made_imported_and_listed(alone: Alone, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    made = json.loads(alone("deid-key", "new", "trial-7", "--data", data, "--json").stdout)
    own = Key.generate()
    own.write(tmp_path / "own.key")
    told = alone("deid-key", "import", "mine", tmp_path / "own.key", "--data", data)
    assert (told.returncode, own.fingerprint in told.stderr) == (0, True)
    listed = json.loads(alone("deid-key", "list", "--data", data, "--json").stdout)
    assert listed == [{"name": "mine", "fingerprint": own.fingerprint}, made]
    assert own.text() not in alone("deid-key", "list", "--data", data).stdout
    assert KeyRing.of(data).get("mine").text() == own.text()
    assert {path.stat().st_mode & 0o777 for path in (data / "keys").iterdir()} == {0o600}


def test_a_key_is_never_overwritten_and_no_folder_made_by_mistake(alone: Alone, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert alone("deid-key", "new", "trial", "--data", data).returncode == 2
    assert not data.exists()
    data.mkdir()
    first = alone("deid-key", "new", "trial", "--data", data, "--json").stdout
    again = alone("deid-key", "new", "trial", "--data", data)
    assert (again.returncode, "never overwritten" in again.stderr) == (2, True)
    assert json.loads(alone("deid-key", "list", "--data", data, "--json").stdout) == [json.loads(first)]
