"""`/api/cohorts`: frozen cohorts: list, freeze, members, what is missing, differences, delete.

A cohort is named `name` (its latest version) or `name@version`; `?dataset=` says of which dataset, `main`
when it says none. Members stream as Arrow, NDJSON or CSV and are part of no JSON document. Tables are limited
to a cohort by `/api/tables`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from isocenter.cohort import Cohort, Cohorts, Difference, Wanted, reference
from isocenter.dicom.expression import parse
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, Predicate, from_json
from isocenter.errors import BadRequest
from isocenter.http.accept import negotiate, parse_accept
from isocenter.http.handler import MEBIBYTE
from isocenter.rest.formats import OFFERED
from isocenter.rest.handler import level_of
from isocenter.rest.tables import TableHandler, paging
from isocenter.security import Action

_NAME = r"(?P<cohort>[^/]{1,330})"
_JSON = "application/json"


class CohortHandler(TableHandler):
    """What the routes of cohorts share."""

    face = "cohorts"

    @property
    def cohorts(self) -> Cohorts:
        """The cohorts of the dataset that the query string names."""
        return Cohorts(self.dataset(self.get_query_argument("dataset", "main")))

    async def found(self, cohort: str) -> Cohort:
        """The cohort that the path names. Raises NotFound, BadRequest."""
        return await self.context.short(self.cohorts.get, reference(cohort))

    def level(self, default: Level) -> Level:
        """`?level=`."""
        return _level(self.get_query_argument("level", default.value))


class AllCohorts(CohortHandler):
    """The cohorts of a dataset."""

    actions: ClassVar = {"GET": Action.READ, "HEAD": Action.READ, "POST": Action.READ}
    max_body = 128 * MEBIBYTE

    async def get(self) -> None:
        """`?dataset=&versions=`: a list, the latest version of each; with `versions=true` all of them."""
        every = self.get_query_argument("versions", "false").lower() in ("true", "1", "")
        made = await self.context.short(lambda: self.cohorts.all(versions=every))
        self.write_json([one.to_json() for one in made])

    async def post(self) -> None:
        """Freeze what is asked for now; 201, and the cohort.

        `{"name", "description", "dataset", "level", "where", "expression", "uids", "cohort", "order",
        "limit", "offset", "pinned"}`: rows of a level by condition, text or UIDs, within another cohort.
        Many UIDs are better sent as `text/plain`, one a line, with the other fields in the query string.
        """
        asked = self._asked()
        dataset = self.dataset(asked["dataset"], Action.FREEZE)
        cohorts = Cohorts(dataset)
        within = None
        if asked["cohort"]:
            parent = await self.context.short(cohorts.get, asked["cohort"])
            within = (parent.id, parent.row.members)
        wanted = Wanted(
            level=_level(asked["level"]),
            predicate=await self.context.short(_predicate, asked),
            **paging(asked),
            uids=_uids(asked["uids"]),
            within=within,
        )
        made = await self.context.long(
            lambda: cohorts.freeze(
                asked["name"] or "",
                wanted,
                by=self.identity.name,
                description=asked["description"] or "",
                pinned=bool(asked["pinned"]),
            )
        )
        self.set_header("Location", f"/api/cohorts/{made.id}")
        self.write_json(made.to_json(), status=201)

    def _asked(self) -> dict[str, Any]:
        if not self.request.headers.get("Content-Type", _JSON).startswith("text/plain"):
            return self.fields(**_FIELDS)
        asked: dict[str, Any] = dict.fromkeys(_FIELDS)
        for name in ("dataset", "name", "description", "level", "cohort"):
            asked[name] = self.get_query_argument(name, None)
        asked["pinned"] = self.get_query_argument("pinned", "false").lower() == "true"
        asked["uids"] = bytes(self._body).decode("ascii", "replace").split()
        return asked


_FIELDS: dict[str, type] = {
    "dataset": str,
    "name": str,
    "description": str,
    "level": str,
    "where": dict,
    "expression": str,
    "uids": list,
    "order": list,
    "limit": int,
    "offset": int,
    "cohort": str,
    "pinned": bool,
}


class OneCohort(CohortHandler):
    """One cohort."""

    actions: ClassVar = {"GET": Action.READ, "HEAD": Action.READ, "DELETE": Action.READ}

    async def get(self, cohort: str) -> None:
        """`?dataset=`: what was asked and selected, when, by whom, of which state; `digest` to cite it."""
        self.write_json((await self.found(cohort)).to_json())

    async def delete(self, cohort: str) -> None:
        """`?dataset=`: delete `name@version`, or with `name` all versions; one's own, or as curator any."""
        name = self.get_query_argument("dataset", "main")
        cohorts = Cohorts(self.dataset(name, Action.FREEZE))

        def may(one: Cohort) -> None:
            if one.row.frozen_by != self.identity.name:
                self.identity.require(Action.CURATE, name)

        await self.context.short(cohorts.delete, reference(cohort), may)
        self.set_status(204)


class Pinned(CohortHandler):
    """Whether a reset of the dataset leaves a cohort."""

    actions: ClassVar = {"PUT": Action.READ, "DELETE": Action.READ}

    async def put(self, cohort: str) -> None:
        """`?dataset=`: it survives resets."""
        await self._set(cohort, True)

    async def delete(self, cohort: str) -> None:
        """`?dataset=`: it does not."""
        await self._set(cohort, False)

    async def _set(self, cohort: str, pinned: bool) -> None:
        cohorts = Cohorts(self.dataset(self.get_query_argument("dataset", "main"), Action.CURATE))
        made = await self.context.short(lambda: cohorts.pin(cohorts.get(reference(cohort)), pinned))
        self.write_json(made.to_json())


class Members(CohortHandler):
    """The UIDs that were frozen."""

    async def get(self, cohort: str) -> None:
        """`?dataset=&level=`: a table, of the instances unless `level` says series or study."""
        media_type, cohorts = self.media_type(), self.cohorts
        found, level = await self.found(cohort), self.level(Level.INSTANCE)
        await self.send_table(lambda: cohorts.members(found, level), media_type)


class Lost(CohortHandler):
    """The members that are not there any more, or have other bytes now."""

    async def get(self, cohort: str) -> None:
        """`?dataset=`: a table of `what` (`missing`, `changed`) and UIDs."""
        media_type, cohorts = self.media_type(), self.cohorts
        found = await self.found(cohort)
        await self.send_table(lambda: cohorts.lost(found), media_type)


class Verified(CohortHandler):
    """Whether what was frozen is still there, unchanged."""

    async def get(self, cohort: str) -> None:
        """`?dataset=`: `{"ok", "digest", "members", "missing", "changed"}`."""
        found = await self.found(cohort)
        self.write_json(await self.context.long(self.cohorts.verify, found))


class Diff(CohortHandler):
    """How a cohort differs from another one."""

    async def get(self, cohort: str, other: str) -> None:
        """`?dataset=&level=`: what `other` has more (`added`) and less (`removed`): counts, or a table."""
        media_type = self._form()
        old, new = await self.found(cohort), await self.found(other)
        level, cohorts = self.level(old.level), self.cohorts
        made: Difference = await self.context.long(cohorts.compare, old, new, level)
        if media_type != _JSON:
            await self.send_table(made.table, media_type)
            return
        counts = {"added": made.added.num_rows, "removed": made.removed.num_rows, "common": made.common}
        self.write_json({"old": old.id, "new": new.id, "level": level.value, **counts})

    def _form(self) -> str:
        accepted = self.get_query_arguments("accept") or self.request.headers.get_list("Accept")
        return negotiate(parse_accept(accepted), (_JSON, *OFFERED)) or self.media_type()


def _level(text: str | None) -> Level:
    level = level_of(text)
    if level is Level.PATIENT:
        raise BadRequest(
            "A cohort is of studies, series or instances", hint='{"level": "study"} for patients'
        )
    return level


def _predicate(asked: dict[str, Any]) -> Predicate:
    """The one way in which the rows were told."""
    if asked["where"] is not None and asked["expression"]:
        raise BadRequest("Tell the rows by `where` or by `expression`, not by both")
    if asked["expression"]:
        return parse(asked["expression"])
    return Everything() if asked["where"] is None else from_json(asked["where"])


def _uids(given: list[Any] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    if not given or not all(isinstance(one, str) and len(one) <= 64 for one in given):
        raise BadRequest("uids is a list of UIDs, and not empty")
    return tuple(dict.fromkeys(given))


routes = [
    (r"/api/cohorts", AllCohorts),
    (rf"/api/cohorts/{_NAME}", OneCohort),
    (rf"/api/cohorts/{_NAME}/pinned", Pinned),
    (rf"/api/cohorts/{_NAME}/members", Members),
    (rf"/api/cohorts/{_NAME}/lost", Lost),
    (rf"/api/cohorts/{_NAME}/verify", Verified),
    (rf"/api/cohorts/{_NAME}/diff/(?P<other>[^/]{{1,330}})", Diff),
]
