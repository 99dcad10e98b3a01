"""The prebuilt extension of JupyterLab is complete without a build, and installed where JupyterLab looks."""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "extension" / "labextensions" / "isocenter-jupyterlab"
PACKAGE = json.loads((EXTENSION / "package.json").read_text())


def test_it_has_the_version_of_its_distribution_and_is_shipped_with_it() -> None:
    told = tomllib.loads((ROOT / "extension" / "pyproject.toml").read_text())
    assert PACKAGE["version"] == told["project"]["version"]
    shared = told["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared["labextensions/isocenter-jupyterlab"] == f"share/jupyter/labextensions/{PACKAGE['name']}"


def test_what_it_names_is_there() -> None:
    entry = EXTENSION / PACKAGE["jupyterlab"]["_build"]["load"]
    assert PACKAGE["name"] in entry.read_text()
    for module in EXTENSION.rglob("*.js"):
        for name in re.findall(r'(?:from|import) "(\.[^"]+)"', module.read_text()):
            assert (module.parent / name).is_file(), f"{module.name} imports {name}"


def test_no_browser_keeps_its_files_for_a_year() -> None:
    """Jupyter marks what is in a folder named `static` as immutable; our names hold no digest."""
    assert list(EXTENSION.rglob("static")) == []


def test_the_settings_that_are_used_are_those_that_can_be_set() -> None:
    schema = json.loads((EXTENSION / "schemas" / PACKAGE["name"] / "panel.json").read_text())
    defaults = {name: told["default"] for name, told in schema["properties"].items()}
    used = (EXTENSION / "modules" / "preferences.js").read_text()
    (line,) = re.findall(r"this\.values = (\{ poll.*\});", used)
    assert json.loads(re.sub(r"(\w+):", r'"\1":', line)) == defaults
