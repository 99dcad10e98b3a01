"""environment.yml asks for what the two distributions ask for."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CARD = {"pydicom", "pynetdicom", "tornado", "jupyter-server", "pandas", "pyarrow", "highdicom", "ipywidgets"}


def asked_by(distribution: str) -> dict[str, str]:
    project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
    split = (re.fullmatch(r"([\w.-]+)(?:\[[^]]*\])?(.*)", text) for text in project["dependencies"])
    return {found[1]: found[2] for found in split if found} | {"python": project["requires-python"]}


def asked_by_conda() -> dict[str, str]:
    lines = (ROOT / "environment.yml").read_text().partition("dependencies:")[2].splitlines()
    split = (re.fullmatch(r"  - ([\w-]+)([<>=].*)?", line) for line in lines)
    return {found[1].replace("_", "-"): found[2] or "" for found in split if found}


def test_conda_asks_for_python_and_the_packages_of_the_card_in_the_same_versions() -> None:
    conda = asked_by_conda()
    pip = asked_by("server") | asked_by("extension")
    assert set(conda) == CARD | {"python", "pip"}
    assert {name: conda[name] for name in CARD | {"python"}} == {
        name: pip[name] for name in CARD | {"python"}
    }


def test_conda_installs_both_distributions() -> None:
    assert re.findall(r"      - (\./\w+)", (ROOT / "environment.yml").read_text()) == [
        "./server",
        "./extension",
    ]


def test_both_distributions_have_the_same_version_and_say_it_in_code() -> None:
    for distribution, package in (("server", "isocenter"), ("extension", "isocenter_jupyter")):
        told = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]["version"]
        assert f'__version__ = "{told}"' in (ROOT / distribution / package / "__init__.py").read_text()
