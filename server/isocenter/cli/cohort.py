"""`isocenter cohort`: list, freeze, show, verify, diff, delete, in a running server."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

from isocenter.cli import output
from isocenter.client.cohort import Cohort, freeze_uids
from isocenter.client.connect import connect
from isocenter.client.display.html import bytes_text
from isocenter.client.frame import Frame
from isocenter.client.table import CSV, NDJSON
from isocenter.errors import BadRequest

LEVELS = {"study": "studies", "series": "series", "instance": "instances"}


@dataclass(frozen=True)
class Freeze:
    """What is to be frozen, as it was typed."""

    name: str
    expression: str
    level: str
    description: str
    uids: Path | None
    within: str | None
    pinned: bool


class Cohorting:
    """The commands, on one connection.

    Args:
        url: of the server; found when None.
        token: bearer token.
        dataset: whose cohorts.
        as_json: print one JSON document.
    """

    def __init__(self, url: str | None, token: str | None, dataset: str, as_json: bool) -> None:
        self._archive = connect(url, token, dataset=dataset)
        self._json = as_json

    def __enter__(self) -> Cohorting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def show_all(self, versions: bool) -> None:
        """A table of them."""
        cohorts = self._archive.cohorts
        found = [one for name in cohorts for one in (cohorts.versions(name) if versions else [cohorts[name]])]
        if self._json:
            output.tell_json([one.told for one in found])
            return
        rows = [
            (
                one.id,
                *(f"{one.told[n]:,}" for n in ("studies", "series", "instances")),
                _when(one),
                _about(one),
            )
            for one in found
        ]
        columns = ("cohort", "studies", "series", "instances", "frozen", "description")
        output.table(columns, rows, right={"studies", "series", "instances"})

    def freeze(self, asked: Freeze) -> None:
        """Freeze, and show what was."""
        if asked.level not in LEVELS:
            raise BadRequest(f"No level {asked.level!r}", hint="one of " + ", ".join(LEVELS))
        if asked.uids is None:
            frame: Frame = getattr(self._archive, LEVELS[asked.level])
            if asked.expression:
                frame = frame.where(asked.expression)
            if asked.within:
                frame = replace(frame, cohort=asked.within)
            made = frame.freeze(asked.name, description=asked.description, pinned=asked.pinned)
        else:
            made = self._freeze_uids(asked, asked.uids)
        self._tell(made)

    def _freeze_uids(self, asked: Freeze, path: Path) -> Cohort:
        if asked.expression:
            raise BadRequest("An expression and a file of UIDs exclude each other", hint="leave one out")
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="ascii", errors="replace")
        uids = text.split()
        if not uids:
            raise BadRequest(f"There is no UID in {path}")
        told = {"name": asked.name, "description": asked.description, "pinned": str(asked.pinned).lower()}
        told |= {"cohort": asked.within} if asked.within else {}
        return freeze_uids(self._archive.transport, self._archive.dataset_name, asked.level, uids, told)

    def show(self, name: str, *, members: bool, missing: bool, level: str | None) -> None:
        """The cohort, or a table of UIDs: CSV, or JSON lines."""
        found = self._archive.cohorts[name]
        if not members and not missing:
            self._tell(found)
            return
        if level is not None and level not in LEVELS:
            raise BadRequest(f"No level {level!r}", hint="one of " + ", ".join(LEVELS))
        table = found.missing() if missing else found.members(level)
        with table.request(NDJSON if self._json else CSV) as answer:
            sys.stdout.flush()
            while piece := answer.read(1 << 16):
                sys.stdout.buffer.write(piece)

    def verify(self, name: str) -> int:
        """Whether it is whole; 1 if not."""
        told = self._archive.cohorts[name].verify()
        if self._json:
            output.tell_json(asdict(told))
        elif told:
            output.out.print(f"All {told.members:,} instances are there, unchanged.", style="green")
        else:
            digest = "" if told.digest else "; the digest is not that of the members"
            line = f"{told.missing:,} of {told.members:,} instances are missing, {told.changed:,} changed"
            output.out.print(line + digest, style="red", highlight=False)
        return 0 if told else 1

    def diff(self, old: str, new: str, level: str | None) -> None:
        """The numbers, and a line for each difference."""
        change = self._archive.cohorts[old].diff(self._archive.cohorts[new], level)
        if self._json:
            output.tell_json({**change.told, "rows": list(change.rows())})
            return
        output.err.print(repr(change)[1:-1], highlight=False)
        for uid in change.added:
            output.out.print(f"+ {uid}", highlight=False, style="green", soft_wrap=True)
        for uid in change.removed:
            output.out.print(f"- {uid}", highlight=False, style="red", soft_wrap=True)

    def delete(self, name: str) -> None:
        """Delete it."""
        self._archive.cohorts.delete(name)
        if self._json:
            output.tell_json({"deleted": name})
        else:
            output.err.print(f"Deleted {name}", highlight=False, markup=False)

    def _tell(self, cohort: Cohort) -> None:
        if self._json:
            output.tell_json(cohort.told)
            return
        told = cohort.told
        text = told["query"].get("text")
        rows = [
            ("cohort", cohort.id),
            ("description", cohort.description),
            ("selected", f"{LEVELS[told['level']]}{f' where {text}' if text else ''}"),
            ("holds", f"{told['instances']:,} instances, {bytes_text(told['size'])}"),
            ("frozen", _when(cohort)),
            ("cite as", cohort.citation),
        ]
        output.table(("", ""), [row for row in rows if row[1]])


def _when(cohort: Cohort) -> str:
    return f"{cohort.frozen:%Y-%m-%d %H:%M} UTC by {cohort.frozen_by}"


def _about(cohort: Cohort) -> str:
    return f"{cohort.description}{' (pinned)' if cohort.pinned else ''}"
