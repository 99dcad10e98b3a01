"""A cohort: what was asked, what was selected, what the question read, who froze it and when.

Immutable: a new freeze under the same name makes the next version. `digest` makes it citable: SHA-256 of its
SOP Instance UIDs, sorted by code point, each followed by a line feed, so that whoever holds the objects can
check it without Isocenter. Not here: the members themselves (`catalog.members`).
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass
from typing import Any

from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest
from isocenter.index.cohorts import CohortRow

_NAME = re.compile(r"[^/@\x00-\x1f\x7f]{1,100}")
_REFERENCE = re.compile(r"([^@]*)(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of a cohort, and a version of it; None is the latest."""

    name: str
    version: int | None = None


def reference(text: str) -> Reference:
    """`name` or `name@version`. Raises BadRequest."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise BadRequest(f"{text!r} names no cohort", hint="write name, or name@version: thin-ct@2")
    return Reference(valid_name(found[1]), int(found[2]) if found[2] else None)


def valid_name(text: str) -> str:
    """A name as it may be given to a cohort. Raises BadRequest."""
    if text != text.strip() or not _NAME.fullmatch(text):
        hint = "100 characters at most, without / and @, no space at its ends"
        raise BadRequest("This cannot be the name of a cohort", hint=hint)
    return text


@dataclass(frozen=True, slots=True)
class Scale:
    """How much was selected: studies, series, instances, and the bytes of their objects."""

    studies: int
    series: int
    instances: int
    size: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """One version of a cohort.

    Attributes:
        dataset: it belongs to.
        row: as the index has it.
    """

    dataset: str
    row: CohortRow

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.row.name}@{self.row.version}"

    @property
    def level(self) -> Level:
        """What was selected: rows of this level, with all instances of each."""
        return Level(self.row.level)

    @property
    def scale(self) -> Scale:
        """How much it is."""
        return Scale(self.row.studies, self.row.series, self.row.instances, self.row.size)

    @property
    def frozen(self) -> str:
        """When it was frozen, ISO 8601 with UTC."""
        when = datetime.datetime.fromtimestamp(self.row.frozen / 1e6, datetime.UTC)
        return when.isoformat(timespec="seconds").replace("+00:00", "Z")

    @property
    def citation(self) -> str:
        """One line that says exactly what was used."""
        row = self.row
        instances = f"{row.instances} instance{'' if row.instances == 1 else 's'}"
        studies = f"{row.studies} stud{'y' if row.studies == 1 else 'ies'}"
        return (
            f"{row.name}, version {row.version}, dataset {self.dataset}: {instances} in {row.series} series "
            f"of {studies}, frozen {self.frozen[:10]} by {row.frozen_by}, sha256:{row.digest}"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything but the members."""
        row = self.row
        return {
            "id": self.id,
            "name": row.name,
            "version": row.version,
            "dataset": self.dataset,
            "description": row.description,
            "level": row.level,
            "studies": row.studies,
            "series": row.series,
            "instances": row.instances,
            "size": row.size,
            "digest": f"sha256:{row.digest}",
            "query": json.loads(row.query),
            "catalog": {"seq": row.seq, "heads": json.loads(row.heads)},
            "frozen": self.frozen,
            "frozen_by": row.frozen_by,
            "pinned": bool(row.pinned),
            "citation": self.citation,
        }
