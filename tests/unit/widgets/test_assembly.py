"""A widget's module and what it imports become one module that a browser runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from isocenter_jupyter.widgets.assembly import assemble

PACKAGE = Path(__file__).parents[3] / "extension" / "isocenter_jupyter" / "widgets"


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text)
    return folder / "widget.js"


def run(module: str, folder: Path) -> str:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    (folder / "made.mjs").write_text(module)
    done = subprocess.run(["node", str(folder / "made.mjs")], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_is_imported_twice_is_there_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        counter="export let made = [];\nexport function count() {\n  made.push(1);\n"
        "  return made.length;\n}\n",
        other='import { count as next } from "./counter.js";\nexport const twice = () => next() + next();\n',
        widget='import {\n  count,\n} from "./counter.js";\nimport { twice } from "./other.js";\n'
        "console.log(count(), twice());\nexport default { render() {} };\n",
    )
    assert run(assemble(path), tmp_path) == "1 5"


def test_names_of_one_module_do_not_meet_those_of_another(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        left="const hidden = 1;\nfunction left() {\n  return hidden;\n}\nexport { left as value };\n",
        widget='import { value } from "./left.js";\nconst hidden = 2;\nconsole.log(value() + hidden);\n',
    )
    assert run(assemble(path), tmp_path) == "3"


@pytest.mark.parametrize(
    "text",
    [
        'import * as all from "./left.js";\n',
        'import "./left.js";\n',
        'import { a } from "https://x.org/a.js";\n',
    ],
)
def test_an_import_that_is_not_understood_is_an_error(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, left="export const a = 1;\n", widget=text)
    with pytest.raises(ValueError, match="not understood"):
        assemble(path)


def test_modules_that_import_each_other_are_an_error(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        left='import { b } from "./right.js";\nexport const a = 1;\n',
        right='import { a } from "./left.js";\nexport const b = 1;\n',
        widget='import { a } from "./left.js";\n',
    )
    with pytest.raises(ValueError, match="imports itself"):
        assemble(path)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.js")), ids=lambda path: path.name)
def test_every_widget_is_one_module_that_parses(path: Path, tmp_path: Path) -> None:
    module = assemble(path)
    assert "export default" in module
    assert run(module, tmp_path) == ""
