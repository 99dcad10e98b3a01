"""`/api/tables`: any attribute of the archive as a table, by predicate or by SQL; counts and column names.

Answers stream as Arrow, NDJSON or CSV. Not here: DICOMweb searches, which have their own shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from isocenter.cohort import Cohorts
from isocenter.dicom.expression import parse
from isocenter.dicom.predicate import Predicate, from_json
from isocenter.errors import BadRequest, NotAcceptable
from isocenter.http.accept import negotiate, parse_accept
from isocenter.rest.formats import OFFERED, encode
from isocenter.rest.handler import ApiHandler, level_of

if TYPE_CHECKING:
    import pyarrow as pa

    from isocenter.archive.dataset import Dataset, Order
    from isocenter.dicom.levels import Level

PAGE_FIELDS: dict[str, type] = {"order": list, "limit": int, "offset": int}
"""Fields of a body that say which rows of a query come, and in which order."""

_LARGEST = 2**62


class Page(TypedDict):
    """Some rows of a query, as keyword arguments."""

    order: Order
    limit: int | None
    offset: int


class TableHandler(ApiHandler):
    """Answers with a table."""

    face = "tables"

    def media_type(self) -> str:
        """The form of the table that the client takes; Arrow when it takes any.

        Raises:
            NotAcceptable: it takes none of ours.
        """
        ranges = parse_accept(self.get_query_arguments("accept") or self.request.headers.get_list("Accept"))
        chosen = negotiate(ranges, OFFERED)
        if chosen is None:
            raise NotAcceptable("A table is Arrow, NDJSON or CSV", hint=", ".join(OFFERED))
        return chosen

    async def where(self, asked: dict[str, Any]) -> Predicate:
        """The checked predicate, given as a tree or as text; in a thread, since finding what an unknown name
        meant takes long."""
        where = asked["where"]
        return await self.context.short(parse if isinstance(where, str) else from_json, where)

    async def members(
        self, dataset: Dataset, cohort: str | None, level: Level
    ) -> tuple[str | None, int | None]:
        """What names the members of a cohort, and how many rows of a level it lost; None for no cohort.

        Raises:
            NotFound: there is no such cohort.
        """
        if not cohort:
            return None, None

        def look() -> tuple[str, int]:
            cohorts = Cohorts(dataset)
            found = cohorts.get(cohort)
            return found.row.members, cohorts.missing_at(found, level)

        return await self.context.long(look)

    async def send_table(self, make: Callable[[], pa.RecordBatchReader], media_type: str) -> None:
        """Send the table whose reader `make()` opens; nothing is sent before the query begins to answer."""

        def pieces() -> Generator[bytes, None, None]:
            yield from encode(make(), media_type)

        source = pieces()
        try:
            first = await self.context.long(next, source, b"")
            self.set_header("Content-Type", media_type)
            self.write(first)
            while piece := await self._next(source):
                await self.flush()
                self.write(piece)
        finally:
            await self.context.long(source.close)

    async def _next(self, source: Iterator[bytes]) -> bytes:
        """The next piece that is not empty; `b""` at the end."""
        while (piece := await self.context.long(next, source, None)) == b"":
            pass
        return piece or b""


class Query(TableHandler):
    """Rows at a level that satisfy a predicate, with the columns asked for."""

    async def post(self) -> None:
        """`{"dataset", "level", "where", "cohort", "columns", "order", "limit", "offset"}`, all optional.

        With `cohort` the members of a frozen cohort are all that there is; the header `Isocenter-Missing`
        says how many of its rows at this level are not there any more.
        """
        media_type = self.media_type()
        asked = self.fields(
            dataset=str, level=str, where=(dict, str), cohort=str, columns=list, **PAGE_FIELDS
        )
        dataset = self.dataset(asked["dataset"])
        level, predicate = level_of(asked["level"]), await self.where(asked)
        columns, page = columns_of(asked["columns"]), paging(asked)
        members, missing = await self.members(dataset, asked["cohort"], level)
        if missing is not None:
            self.set_header("Isocenter-Missing", str(missing))
        await self.send_table(
            lambda: dataset.table(level, predicate, columns, members=members, **page),
            media_type,
        )


class Count(TableHandler):
    """How many rows a query has."""

    async def post(self) -> None:
        """`{"dataset", "level", "where", "cohort", "sizes"}`: `{"count": n}`, of a cohort `missing` too.

        With `sizes` also the `instances` of these rows and their `size` in bytes.
        """
        asked = self.fields(dataset=str, level=str, where=(dict, str), cohort=str, sizes=bool)
        dataset, level = self.dataset(asked["dataset"]), level_of(asked["level"])
        predicate = await self.where(asked)
        members, missing = await self.members(dataset, asked["cohort"], level)
        lost = {} if missing is None else {"missing": missing}
        if asked["sizes"]:
            summaries = dataset.summaries(level, predicate, members=members)
            told = await self.context.long(summaries.totals)
        else:
            told = {
                "count": await self.context.long(lambda: dataset.count(level, predicate, members=members))
            }
        self.write_json(told | lost)


class Sql(TableHandler):
    """The answer of one SELECT of the user, run apart and within limits."""

    async def post(self) -> None:
        """`{"dataset", "sql"}`."""
        media_type = self.media_type()
        asked = self.fields(dataset=str, sql=str)
        if not (asked["sql"] or "").strip():
            raise BadRequest("There is no statement", hint='{"sql": "SELECT ..."}')
        dataset, text = self.dataset(asked["dataset"]), asked["sql"]
        await self.send_table(lambda: dataset.sql(text), media_type)


class Columns(ApiHandler):
    """What can be asked for."""

    face = "tables"

    async def get(self) -> None:
        """`?dataset=&level=`: a list of `{"name", "type", "description"}`."""
        dataset = self.dataset(self.get_query_argument("dataset", "main"))
        level = level_of(self.get_query_argument("level", "instance"))
        self.write_json(await self.context.long(lambda: [dict(one) for one in dataset.columns(level)]))


def paging(asked: dict[str, Any]) -> Page:
    """What the fields `PAGE_FIELDS` say. Raises BadRequest."""
    return {
        "order": _order_of(asked["order"]),
        "limit": _natural("limit", asked["limit"]),
        "offset": _natural("offset", asked["offset"]) or 0,
    }


def columns_of(given: list[Any] | None) -> list[str] | None:
    """The names that a field lists; None: not said."""
    if given is not None and not all(isinstance(name, str) for name in given):
        raise BadRequest("columns is a list of names")
    return given


def _order_of(given: list[Any] | None) -> Order:
    """The field `order`: names, or pairs of a name and `asc` or `desc`. Raises BadRequest."""
    order: list[tuple[str, Literal["asc", "desc"]]] = []
    for entry in given or []:
        name, direction = entry if isinstance(entry, list) and len(entry) == 2 else (entry, "asc")
        if not isinstance(name, str) or direction not in ("asc", "desc"):
            raise BadRequest("order is a list of [name, asc or desc]")
        order.append((name, "asc" if direction == "asc" else "desc"))
    return order


def _natural(name: str, value: int | None) -> int | None:
    """A field that is a whole number from 0. Raises BadRequest."""
    if value is not None and not 0 <= value < _LARGEST:
        raise BadRequest(f"{name} is not negative")
    return value


routes = [
    (r"/api/tables/query", Query),
    (r"/api/tables/count", Count),
    (r"/api/tables/sql", Sql),
    (r"/api/tables/columns", Columns),
]
