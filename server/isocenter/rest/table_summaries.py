"""`/api/tables/group`, `histogram`, `describe` and `facets`: what the rows of a query have in common.

The first three answer with tables, in the media types of `tables`; facets are one JSON object, for a page
that narrows a table. Not here: the rows themselves (`tables`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from isocenter.archive.summaries import Summaries
from isocenter.catalog.summaries import MOST_BINS, MOST_VALUES
from isocenter.errors import BadRequest
from isocenter.rest.handler import known_fields, level_of
from isocenter.rest.tables import PAGE_FIELDS, TableHandler, columns_of, paging

_BINS = 20
_MOST_COLUMNS = 16
_MOST_FACETS = 64


class SummaryHandler(TableHandler):
    """Answers with a summary of the rows of a query."""

    async def summaries(self, asked: dict[str, Any]) -> Summaries:
        """Of the rows that `dataset`, `level`, `where` and `cohort` say."""
        dataset, level = self.dataset(asked["dataset"]), level_of(asked["level"])
        members, _ = await self.members(dataset, asked["cohort"], level)
        return dataset.summaries(level, await self.where(asked), members=members)

    async def answer(self, asked: dict[str, Any], make: Callable[[Summaries], pa.RecordBatchReader]) -> None:
        """Send the table that `make` asks for."""
        media_type = self.media_type()
        of = await self.summaries(asked)
        await self.send_table(lambda: make(of), media_type)


class Group(SummaryHandler):
    """How many rows of a query have each value of a column, or each combination of several."""

    async def post(self) -> None:
        """`{"dataset", "level", "where", "cohort", "columns", "order", "limit", "offset"}`: and `count`."""
        asked = self.fields(
            dataset=str, level=str, where=(dict, str), cohort=str, columns=list, **PAGE_FIELDS
        )
        columns, page = columns_of(asked["columns"]), paging(asked)
        if not columns or len(columns) > _MOST_COLUMNS:
            raise BadRequest(f"columns is a list of 1 to {_MOST_COLUMNS} names")
        await self.answer(asked, lambda of: of.group(columns, **page))


class Histogram(SummaryHandler):
    """How many rows of a query have a number, date or time in each of some intervals of equal width."""

    async def post(self) -> None:
        """`{"dataset", "level", "where", "cohort", "column", "bins"}`: `low`, `high`, `count`."""
        asked = self.fields(dataset=str, level=str, where=(dict, str), cohort=str, column=str, bins=int)
        column, bins = _column(asked), _within("bins", asked["bins"], _BINS, MOST_BINS)
        await self.answer(asked, lambda of: of.histogram(column, bins))


class Describe(SummaryHandler):
    """What each column of a query holds: counts, the different values, and how they spread."""

    async def post(self) -> None:
        """`{"dataset", "level", "where", "cohort", "columns"}`: a column a row."""
        asked = self.fields(dataset=str, level=str, where=(dict, str), cohort=str, columns=list)
        columns = columns_of(asked["columns"])
        await self.answer(asked, lambda of: of.describe(columns))


class Facets(SummaryHandler):
    """What to narrow a query by: of each column asked for, its most frequent values or a histogram."""

    async def post(self) -> None:
        """`{"dataset", "level", "where", "cohort", "facets": [{"column", "limit" or "bins", "where"}]}`."""
        asked = self.fields(dataset=str, level=str, where=(dict, str), cohort=str, facets=list)
        if not asked["facets"] or len(asked["facets"]) > _MOST_FACETS:
            raise BadRequest(f"facets is a list of 1 to {_MOST_FACETS} objects")
        facets = [await self._facet(one) for one in asked["facets"]]
        dataset, level, predicate = (
            self.dataset(asked["dataset"]),
            level_of(asked["level"]),
            await self.where(asked),
        )
        members, missing = await self.members(dataset, asked["cohort"], level)
        of = dataset.summaries(level, predicate, members=members)
        count = await self.context.long(lambda: dataset.count(level, predicate, members=members))
        told: dict[str, Any] = {"count": count, "facets": await self.context.long(of.facets, facets)}
        self.write_json(told | ({} if missing is None else {"missing": missing}))

    async def _facet(self, given: Any) -> dict[str, Any]:
        asked = known_fields(given, column=str, limit=int, bins=int, where=(dict, str))
        facet: dict[str, Any] = {"column": _column(asked)}
        if asked["where"] is not None:
            facet["predicate"] = await self.where(asked)
        if asked["bins"] is not None:
            facet["bins"] = _within("bins", asked["bins"], _BINS, MOST_BINS)
        else:
            facet["limit"] = _within("limit", asked["limit"], 20, MOST_VALUES)
        return facet


def _column(asked: dict[str, Any]) -> str:
    if not asked["column"] or asked["column"] == "*":
        raise BadRequest("column names the column", hint='{"column": "SliceThickness"}')
    return str(asked["column"])


def _within(name: str, value: int | None, default: int, most: int) -> int:
    value = default if value is None else value
    if not 1 <= value <= most:
        raise BadRequest(f"{name} is a whole number from 1 to {most}")
    return value


routes = [
    (r"/api/tables/group", Group),
    (r"/api/tables/histogram", Histogram),
    (r"/api/tables/describe", Describe),
    (r"/api/tables/facets", Facets),
]
