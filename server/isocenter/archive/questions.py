"""What the query process answers: tables and counts by predicate, columns, and SQL that a user wrote.

It holds one warm DuckDB for all datasets, and of each dataset the decoded tail. It writes nothing. The
process itself, and how it is asked, is in `research`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from isocenter.archive.place import MakeQuestions
from isocenter.archive.summaries import SUMMARIES
from isocenter.archive.tail import DecodedTail, Moment
from isocenter.catalog import members
from isocenter.catalog.exposure import expose
from isocenter.catalog.levels import Page
from isocenter.catalog.members import MOMENT
from isocenter.catalog.query import Engine, Scope
from isocenter.catalog.sandbox import Sandbox
from isocenter.catalog.selecting import Selection, limited, lost, select
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import from_json
from isocenter.errors import BadRequest, NotFound
from isocenter.index import Index, cohorts

_MEMBER_LISTS = 4


class Questions:
    """Answers; safe for threads."""

    def __init__(self, made: MakeQuestions) -> None:
        self._places = {place.name: place for place in made.places}
        self._sandbox = Sandbox(memory=made.sql_memory, seconds=made.sql_seconds)
        self._engine = Engine()
        self._mutex = threading.Lock()
        self._open: dict[str, tuple[Index, DecodedTail]] = {}
        self._kept: dict[tuple[str, str], pa.Table] = {}

    def answer(self, question: dict[str, Any]) -> Any:
        """Answer `table`, `count`, `columns`, `sql`, `select`, `lost` or a summary.

        All but `sql` and `lost` among the `members` of a cohort, where the question names them.
        """
        now = self._now(question["dataset"])
        kind = question["kind"]
        if kind == "lost":
            return lost(self._engine, now.scope, self._members(question))
        scope = limited(now.scope, self._members(question)) if question.get("members") else now.scope
        if kind == "table":
            return self._table(scope, question)
        if kind == "count":
            return self._engine.count(scope, Level(question["level"]), from_json(question["where"]))
        if kind in SUMMARIES:
            return SUMMARIES[kind](self._engine, scope, question)
        if kind == "select":
            return self._select(scope, now, question)
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

    def _select(self, scope: Scope, now: Moment, question: dict[str, Any]) -> pa.RecordBatchReader:
        """The instances of a selection; the schema's metadata says which moment that was."""
        page = Page(question["order"], question["limit"], question["offset"])
        level, where, uids = Level(question["level"]), from_json(question["where"]), question["uids"]
        reader = select(self._engine, scope, Selection(level, where, page, uids))
        moment = {"heads": now.heads, "seq": now.last_seq, "resets": now.resets}
        schema = reader.schema.with_metadata({MOMENT: json.dumps(moment, sort_keys=True)})

        def batches() -> Iterator[pa.RecordBatch]:
            with reader:
                yield from reader

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _members(self, question: dict[str, Any]) -> pa.Table:
        """The members that the question names; kept, since they never change."""
        wanted = question["members"]
        key = (question["dataset"], wanted)
        with self._mutex:
            found = self._kept.pop(key, None)
            index, _ = self._open[question["dataset"]]
        if found is None:
            with index.database.read() as session:
                found = members.table(cohorts.parts(session, wanted))
            if not found.num_rows and wanted != members.NONE:
                raise NotFound("The members of the cohort are not there any more")
        with self._mutex:
            self._kept[key] = found
            while len(self._kept) > _MEMBER_LISTS:
                del self._kept[next(iter(self._kept))]
        return found

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
