"""The layers are a promise: imports point down, files and functions stay small.

Imports inside functions count like any other. The rows are those of `server/docs/architecture.md`.
"""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "server" / "isocenter"
EXTENSION = ROOT / "extension" / "isocenter_jupyter"

ROWS: dict[int, set[str]] = {
    # The design's row 9, itself in order.
    13: {"__main__"},
    12: {"cli"},
    11: {"app"},
    10: {"keeper"},
    9: {"supervisor", "child", "connection_file", "life"},
    8: {"dimse", "dicomweb", "rest", "explorer"},
    7: {"http", "automation"},
    6: {"cohort", "dose", "deid", "datasets", "worklist"},
    5: {"peers", "jobs"},
    4: {"archive"},
    3: {"index", "catalog", "objects"},
    2: {"network", "security", "metrics", "events", "pool"},
    1: {"config", "state"},
    0: {"dicom"},
    -1: {"errors"},
}
ROW_OF = {package: row for row, packages in ROWS.items() for package in packages}
CLIENT_MAY_IMPORT = {
    "isocenter.dicom.levels",
    "isocenter.dicom.attributes",
    "isocenter.dicom.predicate",
    "isocenter.dicom.expression",
    "isocenter.dicom.terms",
    "isocenter.dicom.wording",
    "isocenter.dicom.values",
    "isocenter.dicom.uids",
    "isocenter.dicom._dictionary_table",
    "isocenter.errors",
}
HEAVY = {"numpy", "pyarrow", "pydicom", "pandas", "tornado", "duckdb", "deltalake", "sqlalchemy"}
FILE_LIMIT, FILE_USUAL, FUNCTION_LIMIT, FUNCTION_MEDIAN = 600, 400, 60, 12

MODULES = sorted(
    path for path in (*SERVER.rglob("*.py"), *EXTENSION.rglob("*.py")) if not path.name.endswith("_table.py")
)


def name_of(path: Path) -> str:
    top = SERVER.parent if SERVER in path.parents else EXTENSION.parent
    parts = path.relative_to(top).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that the module imports, anywhere in it."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).rstrip(".")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def room(dotted: str) -> str | None:
    """The package or module directly below `isocenter` that a dotted name lies in."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == "isocenter" and len(parts) > 1 else None


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    own = room(name_of(path))
    if own is None or own == "client":
        return
    assert own in ROW_OF, f"{own} has no row: add it to server/docs/architecture.md and to this test"
    for line, target in imports_of(path):
        other = room(target)
        if other is None or other == own or other == "__version__":
            continue
        assert other in ROW_OF or (other == "client" and ROW_OF[own] >= 9), f"{path}:{line} imports {target}"
        assert other == "client" or ROW_OF[other] < ROW_OF[own], f"{path}:{line} imports {target}: not below"


def test_the_client_imports_only_light_modules() -> None:
    for path in MODULES:
        if room(name_of(path)) != "client":
            continue
        for line, target in imports_of(path):
            if room(target) in (None, "client", "__version__"):
                continue
            module = target if target in CLIENT_MAY_IMPORT else target.rpartition(".")[0]
            assert module in CLIENT_MAY_IMPORT, f"{path}:{line} imports {target}"


def test_what_the_client_imports_loads_nothing_heavy() -> None:
    for dotted in CLIENT_MAY_IMPORT - {"isocenter.dicom._dictionary_table"}:
        path = SERVER.parent.joinpath(*dotted.split(".")).with_suffix(".py")
        loaded = {target.split(".")[0] for _, target in imports_of(path)}
        assert not loaded & HEAVY, f"{path} imports {loaded & HEAVY}"


def test_the_extension_imports_the_client_and_its_errors_only() -> None:
    for path in EXTENSION.rglob("*.py"):
        for line, target in imports_of(path):
            if target.split(".")[0] == "isocenter":
                assert target.split(".")[1] in ("client", "errors"), f"{path}:{line} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LIMIT, f"{path} is too long: split it by a noun of the standard"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LIMIT, f"{path}:{node.lineno} {node.name} has {length} lines"


def test_most_files_are_short_and_functions_too() -> None:
    long = [name_of(path) for path in MODULES if path.read_text(encoding="utf-8").count("\n") > FILE_USUAL]
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert long == [], "over 400 lines: split, or say here why not"
    assert statistics.median(lengths) <= FUNCTION_MEDIAN


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"
