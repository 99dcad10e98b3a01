"""One ES module made of a widget's module and the modules of ours that it imports.

A front end takes a widget as the text of one module (`_esm`), which it loads from an address that has no
folder beside it: relative imports would find nothing, and addresses made in the browser are what content
security policies forbid first. So each imported module becomes a function that is run once, in front of
the module that imports it.

Understood is what our modules write, each at the beginning of a line: `import { a, b as c } from "./x.js"`,
`export function|async function|class|const|let name`, `export { a, b as c }`; `export default` in the
widget's own module alone. Anything else of import and export is an error when the class is made. Not here:
a bundler for other people's modules.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

_IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"(\.[^"]+)";?[ \t]*$', re.MULTILINE)
_NAMED = re.compile(
    r"^export\s+(?=(?:async\s+function|function\*?|class|const|let)\s*([A-Za-z_$][\w$]*))", re.M
)
_LIST = re.compile(r"^export\s*\{([^}]*)\};?[ \t]*$", re.MULTILINE)
_LEFT = re.compile(r"^(?:import\b(?!\s*\()|export\b).*$", re.MULTILINE)


@lru_cache(maxsize=64)
def assemble(path: Path) -> str:
    """The text of one module that needs no other.

    Args:
        path: the widget's module; the files that it imports are named relative to it.

    Raises:
        ValueError: an import or export that is not understood, or modules that import each other.
    """
    order: list[Path] = []
    _visit(path.resolve(), order, ())
    names = {module: f"$module{number}" for number, module in enumerate(order)}
    return "\n".join(_text(module, names, last=module == order[-1]) for module in order)


@lru_cache(maxsize=64)
def style(*paths: Path) -> str:
    """The style sheets of these files, one after the other; those that are not there are left out."""
    return "\n".join(path.read_text("utf-8") for path in paths if path.exists())


def _visit(path: Path, order: list[Path], above: tuple[Path, ...]) -> None:
    """Put a module behind those that it imports."""
    if path in above:
        raise ValueError(f"{path.name} imports itself by way of {above[-1].name}")
    if path in order:
        return
    for match in _IMPORT.finditer(path.read_text("utf-8")):
        _visit((path.parent / match[2]).resolve(), order, (*above, path))
    order.append(path)


def _text(path: Path, names: dict[Path, str], *, last: bool) -> str:
    source = path.read_text("utf-8")

    def take(match: re.Match[str]) -> str:
        wanted = ", ".join(f"{name}: {own}" for name, own in _pairs(match[1]))
        lines = "\n" * match[0].count("\n")  # so that line numbers stay
        return f"const {{ {wanted} }} = {names[(path.parent / match[2]).resolve()]};{lines}"

    source = _IMPORT.sub(take, source)
    if not last:
        source, given = _exports(source)
    _check(path, source, last)
    if last:
        return source
    returned = ", ".join(f"{name}: {own}" for name, own in given)
    return f"const {names[path]} = (() => {{\n{source}\nreturn {{ {returned} }};\n}})();"


def _exports(source: str) -> tuple[str, list[tuple[str, str]]]:
    """The source without `export`, and (name outside, name inside) of what it exports."""
    given = [(match[1], match[1]) for match in _NAMED.finditer(source)]
    for match in _LIST.finditer(source):
        given += [(outside, inside) for inside, outside in _pairs(match[1])]
    return _LIST.sub("", _NAMED.sub("", source)), given


def _pairs(listed: str) -> list[tuple[str, str]]:
    """(name, name after `as`) of a list between braces."""
    entries = (entry.split(" as ") for entry in listed.split(",") if entry.strip())
    return [(entry[0].strip(), entry[-1].strip()) for entry in entries]


def _check(path: Path, source: str, last: bool) -> None:
    for match in _LEFT.finditer(source):
        if not (last and match[0].startswith("export")):
            raise ValueError(
                f"{path.name}: {match[0].strip()!r} is not understood; see isocenter_jupyter.widgets"
            )
