"""The documents say what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from isocenter.cli.application import application

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "server").rglob("*.md"), *(ROOT / "extension").rglob("*.md")])
PAGES = [page for page in PAGES if ".venv" not in page.parts and "node_modules" not in page.parts]


def test_generated_pages_are_what_the_code_says() -> None:
    command = [sys.executable, ROOT / "server" / "tools" / "write_docs.py", "--check"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_pages_name_exist(page: Path) -> None:
    known = {command.name or command.callback.__name__ for command in application.registered_commands}  # type: ignore[union-attr]
    known |= {group.name for group in application.registered_groups}  # type: ignore[misc]
    blocks = re.findall(r"^```(?:sh|console)?\n(.*?)^```", page.read_text(), re.M | re.S)
    for command in re.findall(r"^\s*(?:\$ )?isocenter ([a-z]+)", "\n".join(blocks), re.M):
        assert command in known, f"{page} names `isocenter {command}`"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for target in re.findall(r"^\s*(?:\$ )?make ([a-z-]+)", "\n".join(blocks), re.M):
        assert target in targets, f"{page} names `make {target}`"
