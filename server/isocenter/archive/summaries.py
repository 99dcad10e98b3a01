"""Summaries of the rows of a dataset: asked here, answered in the query process by what is here too.

Not here: what a summary is (`catalog.summaries`, `catalog.description`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from isocenter.archive.research import Asks
from isocenter.catalog.description import describe
from isocenter.catalog.levels import Order
from isocenter.catalog.query import Engine, Scope
from isocenter.catalog.summaries import Rows, facets, group, histogram, totals
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, Predicate, from_json, to_json


@dataclass(frozen=True, slots=True)
class Summaries:
    """Summaries of the rows of one level that satisfy a predicate; made by `Dataset.summaries`.

    Every method may raise UnknownAttribute (naming the nearest), InvalidQuery and InvalidValue.
    """

    _asks: Asks
    _dataset: str
    _level: Level
    _predicate: Predicate | None
    _members: str | None = None

    def group(
        self, columns: Sequence[str], *, order: Order = (), limit: int | None = None, offset: int = 0
    ) -> pa.RecordBatchReader:
        """How many rows have each combination of values, see `catalog.summaries.group`."""
        page = {"order": [tuple(one) for one in order], "limit": limit, "offset": offset}
        return self._asks.rows(self._question("group", columns=list(columns), **page))

    def histogram(self, column: str, bins: int) -> pa.RecordBatchReader:
        """How many rows have a value in each interval, see `catalog.summaries.histogram`."""
        return self._asks.rows(self._question("histogram", column=column, bins=bins))

    def describe(self, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """A description of each column, see `catalog.description.describe`."""
        named = None if columns is None else list(columns)
        return self._asks.rows(self._question("describe", columns=named))

    def facets(self, asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What to narrow the rows by, see `catalog.summaries.facets`."""
        told = [
            {**facet, "predicate": to_json(facet["predicate"])} if "predicate" in facet else dict(facet)
            for facet in asked
        ]
        found: list[dict[str, Any]] = self._asks.ask(self._question("facets", facets=told))
        return found

    def totals(self) -> dict[str, int]:
        """How many rows, their instances and the bytes of these, see `catalog.summaries.totals`."""
        found: dict[str, int] = self._asks.ask(self._question("totals"))
        return found

    def _question(self, kind: str, **told: Any) -> dict[str, Any]:
        where = to_json(Everything() if self._predicate is None else self._predicate)
        asked = {"kind": kind, "dataset": self._dataset, "level": self._level.value, "where": where}
        return {**asked, "members": self._members, **told}


# --- in the query process -------------------------------------------------------------------------------


def _rows(scope: Scope, question: Mapping[str, Any]) -> Rows:
    return Rows(scope, Level(question["level"]), from_json(question["where"]))


def _group(engine: Engine, scope: Scope, question: Mapping[str, Any]) -> pa.RecordBatchReader:
    page = {name: question[name] for name in ("order", "limit", "offset")}
    return group(engine, _rows(scope, question), question["columns"], **page)


def _histogram(engine: Engine, scope: Scope, question: Mapping[str, Any]) -> pa.RecordBatchReader:
    return histogram(engine, _rows(scope, question), question["column"], question["bins"]).to_reader()


def _describe(engine: Engine, scope: Scope, question: Mapping[str, Any]) -> pa.RecordBatchReader:
    return describe(engine, _rows(scope, question), question["columns"]).to_reader()


def _totals(engine: Engine, scope: Scope, question: Mapping[str, Any]) -> dict[str, int]:
    return totals(engine, _rows(scope, question))


def _facets(engine: Engine, scope: Scope, question: Mapping[str, Any]) -> list[dict[str, Any]]:
    asked = [
        {**facet, "predicate": from_json(facet["predicate"])} if "predicate" in facet else facet
        for facet in question["facets"]
    ]
    return facets(engine, _rows(scope, question), asked)


SUMMARIES: dict[str, Callable[[Engine, Scope, Mapping[str, Any]], Any]] = {
    "group": _group,
    "histogram": _histogram,
    "describe": _describe,
    "facets": _facets,
    "totals": _totals,
}
"""What answers each kind of question."""
