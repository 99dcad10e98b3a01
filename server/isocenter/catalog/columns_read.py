"""Whether a SELECT of a user may read a column: so that large ones are prepared only for those who do.

DuckDB's syntax tree says it, in whatever words the column is asked for: by its name, among all (`*`,
`COLUMNS(...)`, `FROM instances` alone), as part of a whole row, or by its place. Where the tree leaves a
doubt, the answer is yes.

Not here: which SELECT is taken (`statements`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.catalog.statements import nodes_of


def may_read(tree: Mapping[str, Any], table: str, column: str) -> bool:
    """Whether a SELECT may read the column of the table.

    Args:
        tree: its syntax tree (`statements.syntax_tree`).
        table: a table that is offered, in lower-case letters.
        column: one of its columns, in lower-case letters.
    """
    nodes = list(nodes_of(tree))
    tables = {_lower(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE"}
    if table not in tables:
        return False
    rows = tables | {_lower(node["alias"]) for node in nodes if node.get("alias")}
    return any(_names(node, rows, column) for node in nodes)


def _names(node: Mapping[str, Any], rows: set[str], column: str) -> bool:
    match node.get("class"):
        case "STAR":
            return column not in map(_lower, node.get("exclude_list") or ())
        case "COLUMN_REF":
            path = [_lower(name) for name in node.get("column_names") or ()]
            return column in path or path[-1] in rows
        case "POSITIONAL_REFERENCE":
            return True
    joined = node.get("type") == "JOIN" and (
        node.get("ref_type") == "NATURAL" or column in map(_lower, node.get("using_columns") or ())
    )
    return joined or bool(node.get("column_name_alias"))  # names given by place


def _lower(name: object) -> str:
    return str(name).lower()
