"""One throw-away server for all commands, filled by `isocenter store`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import environment, isocenter
from pydicom.data import get_testdata_file

from isocenter.cli.throwaway import Running, server

FILES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm")
Told = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Filled:
    """A running server, what was stored in it, and what the command that did so told."""

    running: Running
    env: dict[str, str]
    folder: Path
    stored: Told

    def __call__(self, *arguments: object, **more: str) -> Told:
        """Run a command that finds this server by the environment."""
        return isocenter(*arguments, env=self.env | more)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A server that holds FILES; tests that share it must leave it as it is."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("studies")
    for name in FILES:
        shutil.copy(get_testdata_file(name), folder)
    (folder / "notes.txt").write_text("no image")
    (folder / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00")
    with server(home / "data", workers=1) as running:
        env = environment(home, ISOCENTER_URL=running.url, ISOCENTER_TOKEN=running.token)
        told = isocenter("store", folder, "--json", env=env)
        yield Filled(running, env, folder, told)


@pytest.fixture
def alone(tmp_path: Path) -> Callable[..., Told]:
    """Runs a command where no server is, in an empty folder."""

    def run(*arguments: object, **more: str) -> Told:
        return isocenter(*arguments, env=environment(tmp_path, **more), cwd=tmp_path)

    return run
