"""What the query process answers: tables and counts by predicate, columns, and SQL that a user wrote.

It holds one warm DuckDB for all datasets, and of each dataset the decoded tail. It writes nothing. The
process itself, and how it is asked, is in `research`.
"""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa

from isocenter.archive.place import MakeQuestions
from isocenter.archive.summaries import SUMMARIES
from isocenter.archive.tail import DecodedTail, Moment
from isocenter.catalog.exposure import expose
from isocenter.catalog.query import Engine, Scope
from isocenter.catalog.sandbox import Sandbox
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import from_json
from isocenter.errors import BadRequest
from isocenter.index import Index


class Questions:
    """Answers; safe for threads."""

    def __init__(self, made: MakeQuestions) -> None:
        self._places = {place.name: place for place in made.places}
        self._sandbox = Sandbox(memory=made.sql_memory, seconds=made.sql_seconds)
        self._engine = Engine()
        self._mutex = threading.Lock()
        self._open: dict[str, tuple[Index, DecodedTail]] = {}

    def answer(self, question: dict[str, Any]) -> Any:
        """Answer `table`, `count`, `columns`, `sql`, or a summary of all rows."""
        now = self._now(question["dataset"])
        scope = now.scope
        kind = question["kind"]
        if kind == "table":
            return self._table(scope, question)
        if kind == "count":
            return self._engine.count(scope, Level(question["level"]), from_json(question["where"]))
        if kind in SUMMARIES:
            return SUMMARIES[kind](self._engine, scope, question)
        if kind == "columns":
            return {name: str(kind) for name, kind in self._engine.columns(scope).items()}
        if kind == "sql":
            sql = question["sql"]
            return self._sandbox.run(sql, expose(self._engine, scope, now.derived, sql))
        raise BadRequest(f"No such question: {kind}")

    def close(self) -> None:
        """End DuckDB and close the indexes."""
        self._sandbox.close()
        self._engine.close()
        for index, _ in self._open.values():
            index.close()

    def _table(self, scope: Scope, question: dict[str, Any]) -> pa.RecordBatchReader:
        return self._engine.query(
            scope,
            Level(question["level"]),
            from_json(question["where"]),
            columns=question["columns"],
            order=question["order"],
            limit=question["limit"],
            offset=question["offset"],
        )

    def _now(self, dataset: str) -> Moment:
        with self._mutex:
            if dataset not in self._open:
                place = self._places[dataset]
                index = place.open_index()
                self._open[dataset] = (
                    index,
                    DecodedTail(index.reader, place.open_catalog(), place.assume_charset),
                )
            _, tail = self._open[dataset]
        return tail.now()
