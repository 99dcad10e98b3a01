"""`Cohort`: what a question selected, frozen with a version and a digest, and the frames over it.

Made by `frame.freeze(name)`, found in `archive.cohorts`. Its frames answer among what was frozen, with the
values of now; what was deleted since is told by `missing()` and `verify()`. Not here: the mapping of them
(`cohorts`).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from isocenter.client.contents import Contents
from isocenter.client.display.cohorts import (
    cohort_html,
    counted,
    difference_html,
    scale_text,
    verification_html,
)
from isocenter.client.display.html import Preview
from isocenter.client.frame import Frame
from isocenter.client.table import Table
from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from isocenter.client.transport import Response, Transport


class Cohort(Contents):
    """One version of a cohort; immutable.

    Attributes:
        transport: to its server.
        dataset_name: the dataset that it is of.
        told: all that the server tells of it, save the members.
    """

    def __init__(self, transport: Transport, dataset: str, told: Mapping[str, Any]) -> None:
        self.transport, self.dataset_name, self.told = transport, dataset, dict(told)

    # -- what it is

    @property
    def id(self) -> str:
        """`name@version`."""
        return str(self.told["id"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.told["name"])

    @property
    def version(self) -> int:
        """Its version, from 1; freezing under the same name again makes the next."""
        return int(self.told["version"])

    @property
    def description(self) -> str:
        """What it is for."""
        return str(self.told["description"])

    @property
    def level(self) -> Level:
        """What was selected; all instances of each are members."""
        return Level(self.told["level"])

    @property
    def digest(self) -> str:
        """`sha256:` and the digest of its sorted SOP Instance UIDs, each followed by a line feed."""
        return str(self.told["digest"])

    @property
    def query(self) -> dict[str, Any]:
        """What was asked: `level`, `where` as a tree and as `text`, `order`, `limit`, how many `uids`."""
        return dict(self.told["query"])

    @property
    def frozen(self) -> datetime.datetime:
        """When it was frozen, UTC."""
        return datetime.datetime.fromisoformat(str(self.told["frozen"]).replace("Z", "+00:00"))

    @property
    def frozen_by(self) -> str:
        """Who froze it."""
        return str(self.told["frozen_by"])

    @property
    def pinned(self) -> bool:
        """Whether it survives a reset of its dataset."""
        return bool(self.told["pinned"])

    @property
    def citation(self) -> str:
        """One line for a paper: name, version, counts, when, by whom, digest."""
        return str(self.told["citation"])

    # -- what it has

    @property
    def studies(self) -> Frame:
        """A lazy table of its studies, as far as they are still there."""
        return self._frame(Level.STUDY)

    @property
    def series(self) -> Frame:
        """A lazy table of its series, as far as they are still there."""
        return self._frame(Level.SERIES)

    @property
    def instances(self) -> Frame:
        """A lazy table of its instances, as far as they are still there."""
        return self._frame(Level.INSTANCE)

    @property
    def frame(self) -> Frame:
        """The frame at the level that was frozen."""
        return self._frame(self.level)

    def members(self, level: Level | str | None = None) -> Members:
        """The UIDs that were frozen, whether or not they are still there, as a lazy table.

        Args:
            level: `study`, `series` or `instance`; the one that was frozen when not given.
        """
        return Members(self.transport, self._path("members", level=Level(level or self.level).value))

    @property
    def uids(self) -> list[str]:
        """The UIDs that were frozen, at the level that was frozen."""
        key = self.level.unique_key
        return [str(row[key]) for row in self.members().rows()]

    def missing(self) -> Members:
        """The instances that are not there any more (`missing`) or have other bytes now (`changed`)."""
        return Members(self.transport, self._path("lost"), "Nothing is missing or changed")

    def verify(self) -> Verification:
        """Whether the members are those that the digest says, and there, unchanged."""
        told = self.transport.get(self._path("verify"))
        return Verification(
            **{name: told[name] for name in ("ok", "digest", "members", "missing", "changed")}
        )

    def diff(self, other: Cohort | str | int, level: Level | str | None = None) -> Difference:
        """What another cohort of the dataset has more and less than this one.

        Args:
            other: a cohort, its name, or the number of another version of this one.
            level: of what is compared; the one of this cohort when not given.

        Raises:
            NotFound: there is no such cohort.
        """
        if isinstance(other, Cohort) and other.dataset_name != self.dataset_name:
            raise BadRequest("A cohort of another dataset cannot be compared")
        wanted = other.id if isinstance(other, Cohort) else f"{self.name}@{other}" if _whole(other) else other
        path = self._path(f"diff/{quote(str(wanted), safe='@')}", level=Level(level or self.level).value)
        return Difference(self.transport, path, self.transport.get(path))

    # -- what may be done with it

    def pin(self, pinned: bool = True) -> Cohort:
        """Let it survive a reset of its dataset, or not; the cohort as it is then."""
        with self.transport.request("PUT" if pinned else "DELETE", self._path("pinned")) as answer:
            return Cohort(self.transport, self.dataset_name, answer.json())

    def delete(self) -> None:
        """Delete this version."""
        self.transport.request("DELETE", self._path()).finish()

    def show(self, **how: Any) -> Any:
        """Its rows as the table of isocenter-jupyter, where that is installed; else the frame itself."""
        from isocenter.client.display.shows import widget_of

        widget = widget_of("cohort")
        return self.frame if widget is None else widget(self.frame, **how)

    def _frame(self, level: Level) -> Frame:
        return Frame(self.transport, self.dataset_name, level, cohort=self.id)

    def _path(self, below: str = "", **asked: str) -> str:
        query = urlencode({"dataset": self.dataset_name, **asked})
        return f"/api/cohorts/{quote(self.id, safe='@')}{'/' if below else ''}{below}?{query}"

    def __len__(self) -> int:
        return int(self.told["instances"])

    def __bool__(self) -> bool:
        return True  # an empty one too

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cohort) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, str, str, str]:
        return self.transport.url, self.dataset_name, self.id, self.digest

    def __repr__(self) -> str:
        return f"<Cohort {self.id}: {scale_text(self.told)}>"

    def _repr_html_(self) -> str:
        return cohort_html(self.told)


@dataclass(frozen=True, repr=False)
class Members(Table):
    """A lazy table of UIDs that a cohort tells; `nothing` is said where there are none."""

    transport: Transport
    path: str
    nothing: str = "No members"

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask for it in a media type; the stream is dropped by who wants few."""
        return self.transport.request("GET", self.path, headers={"Accept": accept})

    def preview(self, rows: int) -> Preview:
        """The first rows; the rest is not fetched."""
        first = []
        lines = self.rows()
        for row in lines:
            first.append(row)
            if len(first) > rows:
                break
        close = getattr(lines, "close", None)
        if close is not None:
            close()
        title = f"the first {rows} rows" if len(first) > rows else counted(len(first), "row")
        title = self.nothing if not first else title
        return Preview(title, tuple(first[0]) if first else (), first[:rows])

    def __iter__(self) -> Any:
        return self.rows()

    def __repr__(self) -> str:
        return f"<Members {self.path}>"


@dataclass(frozen=True)
class Verification:
    """What verifying a cohort said; true when it is whole.

    Attributes:
        ok: nothing is wrong.
        digest: whether the members give the digest that was frozen.
        members: how many instances were frozen.
        missing: how many are not there any more.
        changed: how many have other bytes now.
    """

    ok: bool
    digest: bool
    members: int
    missing: int
    changed: int

    def __bool__(self) -> bool:
        return self.ok

    def _repr_html_(self) -> str:
        return verification_html(self)


@dataclass(frozen=True, repr=False, eq=False)
class Difference(Table):
    """What one cohort has more (`added`) and less (`removed`) than another, as a lazy table.

    Attributes:
        told: `old`, `new`, `level` and the numbers `added`, `removed`, `common`.
    """

    transport: Transport
    path: str
    told: Mapping[str, Any]

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        return list(self.rows())

    @property
    def added(self) -> list[str]:
        """UIDs that only the other one has."""
        return self._uids("added")

    @property
    def removed(self) -> list[str]:
        """UIDs that only this one has."""
        return self._uids("removed")

    @property
    def common(self) -> int:
        """How many are in both."""
        return int(self.told["common"])

    def _uids(self, what: str) -> list[str]:
        key = Level(self.told["level"]).unique_key
        return [row[key] for row in self._rows if row["what"] == what]

    def request(self, accept: str, limit: int | None = None) -> Response:
        """Ask for its rows in a media type."""
        return self.transport.request("GET", self.path, headers={"Accept": accept})

    def preview(self, rows: int) -> Preview:
        """The first rows, and how many there are."""
        first = self._rows[:rows]
        return Preview(repr(self)[1:-1], tuple(first[0]) if first else (), first, len(self._rows))

    def __bool__(self) -> bool:
        return bool(self.told["added"] or self.told["removed"])

    def __repr__(self) -> str:
        told = self.told
        numbers = f"{told['added']:,} added, {told['removed']:,} removed, {told['common']:,} in both"
        return f"<{told['old']} to {told['new']}: {numbers}>"

    def _repr_html_(self) -> str:
        return difference_html(self.told, self.preview(10))


def _whole(text: object) -> bool:
    return isinstance(text, int) and not isinstance(text, bool)


def freeze(
    transport: Transport, dataset: str, name: str, source: object, description: str = "", pinned: bool = False
) -> Cohort:
    """Freeze what a frame, a cohort, a resource, a UID or a list of these means, see `Contents.freeze`."""
    frame = source.frame if isinstance(source, Cohort) else source
    if isinstance(frame, Frame) and frame.level is not Level.PATIENT:
        asked = {"name": name, "description": description, "pinned": pinned, **frame.question()}
        with transport.request(
            "POST", "/api/cohorts", json.dumps(asked).encode(), headers={"Content-Type": "application/json"}
        ) as answer:
            return Cohort(transport, dataset, answer.json())
    from isocenter.client.selection import Selection

    told = {"name": name, "description": description, "pinned": "true" if pinned else "false"}
    uids = (row["SOPInstanceUID"] for row in Selection(transport, dataset).rows(source))
    return freeze_uids(transport, dataset, "instance", uids, told)


def freeze_uids(
    transport: Transport, dataset: str, level: str, uids: Iterable[str], told: Mapping[str, str]
) -> Cohort:
    """Freeze the rows of a level that have these UIDs; `told` are its name and what else is said of it.

    Raises:
        NotFound: one of them is not there.
    """
    path = f"/api/cohorts?{urlencode({'dataset': dataset, 'level': level, **told})}"
    body = "\n".join(uids).encode()
    with transport.request("POST", path, body, headers={"Content-Type": "text/plain"}) as answer:
        return Cohort(transport, dataset, answer.json())
