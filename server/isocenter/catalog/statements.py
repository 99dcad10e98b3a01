"""Which SQL text of a user is taken: one SELECT, over the tables we name, without a way to files or settings.

The first of the sandbox's fences (see `sandbox`): DuckDB's own parser says what the text is, and its syntax
tree is walked before anything is bound.  The others do not rely on this one.

Not here: running it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from isocenter.catalog.sql_errors import table_hint
from isocenter.errors import InvalidQuery

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree", "repeat_row"})
"""Table functions that make rows of their arguments alone."""

_FORBIDDEN_FUNCTIONS = frozenset(
    {
        "current_query",
        "current_setting",
        "getenv",
        "getvariable",
        "json_execute_serialized_sql",
        "query",
        "query_table",
        "set_config",
        "sleep_ms",
        "write_log",
    }
)
_NAME_OF_WITH = re.compile(r"[^\W\d_][\w ]*").fullmatch
"""Words, as people name things: no path, no pattern, and not the underscore of our own tables."""

_FORBIDDEN_BEGINNINGS = ("duckdb_", "pg_", "pragma_", "read_", "parquet_", "sniff_", "glob", "isocenter_")


def only_select(sql: str) -> str:
    """The text of the one SELECT statement that `sql` is.

    Raises:
        InvalidQuery: no statement, several, or another kind (COPY, ATTACH, SET, PRAGMA, EXPLAIN ...).
    """
    if "\0" in sql:
        raise InvalidQuery("The SQL text holds a NUL character")
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise InvalidQuery(f"The SQL text cannot be parsed: {_first_lines(error)}") from None
    if len(statements) != 1:
        raise InvalidQuery(f"One SELECT statement is taken, not {len(statements)} statements")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        name = getattr(kind, "name", str(kind))
        raise InvalidQuery(f"Only SELECT is taken, not {name}", hint="answers are exported by the caller")
    return str(statements[0].query)


def check(connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str]) -> None:
    """Refuse a SELECT that reads anything but `tables` and its own rows.

    Raises:
        InvalidQuery: naming the table or function that is not offered.
    """
    tree = syntax_tree(connection, sql)
    if tree.get("error"):
        raise InvalidQuery(f"This form of SELECT is not taken: {tree.get('error_message', '')}"[:300])
    nodes = list(nodes_of(tree))
    known = {name.lower() for name in tables} | _named_by_with(nodes)
    for node in nodes:
        _check_node(node, known)


def syntax_tree(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """What DuckDB's parser makes of a SELECT; `error` is true when it takes none. Nothing is run."""
    found = connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()
    tree: dict[str, Any] = json.loads(found[0][0]) if found else {"error": True}
    return tree


def nodes_of(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node of a syntax tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _named_by_with(nodes: list[dict[str, Any]]) -> set[str]:
    """Names that WITH gives inside the statement.

    Where each of them holds is not followed: none may be a name that means something where it does not hold
    (a file, a table of DuckDB's or of ours).

    Raises:
        InvalidQuery: one could be.
    """
    maps = (node["cte_map"]["map"] for node in nodes if isinstance(node.get("cte_map"), dict))
    names = {str(entry.get("key", "")).lower() for entries in maps for entry in entries}
    for name in names:
        if _NAME_OF_WITH(name) is None or name.startswith((*_FORBIDDEN_BEGINNINGS, "sqlite_")):
            raise InvalidQuery(f"WITH cannot name {name!r}", hint="a name of letters, digits and spaces")
    return names


def _check_node(node: dict[str, Any], known: set[str]) -> None:
    kind = node.get("type")
    if kind == "BASE_TABLE":
        name = str(node.get("table_name", ""))
        where = (node.get("catalog_name") or "", node.get("schema_name") or "")
        if name.lower() not in known or where != ("", ""):
            raise InvalidQuery(f"There is no table {name!r} here", hint=table_hint(name, tuple(known)))
    elif kind == "TABLE_FUNCTION":
        function = node.get("function") or {}
        name = str(function.get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise InvalidQuery(f"The table function {name}() is not offered")
    elif kind == "SHOW_REF" and node.get("query") is None:
        raise InvalidQuery("SHOW is not offered", hint="DESCRIBE instances")
    if node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        if name in _FORBIDDEN_FUNCTIONS or name.startswith(_FORBIDDEN_BEGINNINGS):
            raise InvalidQuery(f"The function {name}() is not offered")


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split("\n")[:1])
