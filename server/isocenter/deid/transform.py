"""De-identification as a `Transform`: what an export does to each object that leaves.

Not here: folders (`run`), whether what was made must be reviewed before it leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from isocenter.deid.files import End, FileOutcome
from isocenter.deid.key import Key
from isocenter.deid.key_ring import KeyRing
from isocenter.deid.names import name_of
from isocenter.deid.outcome import Outcome
from isocenter.deid.recipe import Recipe
from isocenter.deid.report import Report
from isocenter.dicom.header import read_header
from isocenter.dicom.transform import Kept, Names, Quarantined

UNIQUE = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def make_file(recipe: Recipe, key: Key, source: Path, target: Path) -> str:
    """De-identify one file into `target`, which is not there before: in the pool, for one who waits.

    Returns:
        Why there is no result; empty where there is one.
    """
    done = recipe.deidentifier(key).file(source, target)
    return "" if done.end is End.OUT else done.reason


class Deidentification:
    """De-identifies by a recipe.

    Args:
        recipe: how.
        key: the key that the recipe names.
        title: told in the report.
    """

    def __init__(self, recipe: Recipe, key: Key, *, title: str = "") -> None:
        self._deidentifier = recipe.deidentifier(key)
        self._key = key
        self._report = Report(self._deidentifier.profile, key, title=title)

    @classmethod
    def of(cls, recipe: Mapping[str, Any], data: Path) -> Deidentification:
        """By a recipe in JSON and the key ring of a data folder. Raises BadRequest and NotFound."""
        made = Recipe.from_json(recipe)
        return cls(made, KeyRing.of(data).get(made.key))

    def ready(self) -> None:
        """Recipe and key were checked when they were given."""

    def apply(self, source: BinaryIO, sink: BinaryIO) -> Kept | Quarantined:
        """De-identify one object into `sink`, which stays empty where the result may not leave."""
        done = self._deidentifier.stream(source, sink)
        if done.end is not End.OUT:
            self._report.leave(done.end.value, done.reason)
            return Quarantined(done.reason)
        self._count(done)
        sink.seek(0)
        keys = read_header(sink).index_keys()
        return Kept(*(keys[name] for name in UNIQUE))

    def _count(self, done: FileOutcome) -> None:
        bare = [change._replace(before=None, after=None) for change in done.changes]
        outcome = Outcome(None, bare, done.findings)
        self._report.add(outcome, done.examined, cleared=done.cleared, uid=done.sop_instance)

    def names(self) -> Names:
        """Names by new UIDs alone, as in the folders of `isocenter deid`."""
        taken: set[tuple[str, ...]] = set()

        def name(kept: Kept) -> tuple[str, ...]:
            above = name_of(kept.StudyInstanceUID), name_of(kept.SeriesInstanceUID)
            uid = kept.SOPInstanceUID
            for attempt in count():
                path = (*above, name_of(f"{uid}/{attempt}" if attempt else uid))
                if path not in taken:
                    taken.add(path)
                    return path
            raise AssertionError("a count ends")

        return name

    def report(self) -> dict[str, bytes]:
        """The report, signed by the key, as JSON and as a page."""
        signed = self._report.sign(self._key)
        page = self._report.to_html(signed)
        return {"report.json": json.dumps(signed, indent=1).encode(), "report.html": page.encode()}
