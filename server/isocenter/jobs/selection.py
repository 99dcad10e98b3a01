"""What a job is about: instances by UIDs of any level, by a predicate, or by members of a frozen cohort."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from isocenter.archive import Dataset
from isocenter.catalog.members import unpack
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import OneOf, from_json
from isocenter.index import cohorts
from isocenter.index.records import StoredInstance
from isocenter.jobs.run import Run

SELECTION: dict[str, type] = {"uids": list, "where": dict, "cohort": str, "members": str}
"""The parameters that tell it; `members` names what was frozen, and is found by `cohort`."""

_AT_ONCE = 500


def selected(dataset: Dataset, run: Run, missing: list[str]) -> Iterator[StoredInstance]:
    """The instances that the parameters of a job tell, each once; `missing` gets UIDs of what is gone."""
    told = run.parameters
    if "members" in told:
        yield from _members(dataset, told["members"], missing)
    elif "uids" in told:
        yield from _of_uids(dataset, told["uids"], run, missing)
    else:
        yield from dataset.instances(from_json(told.get("where")))


def _members(dataset: Dataset, members: str, missing: list[str]) -> Iterator[StoredInstance]:
    with dataset.index.database.read() as session:
        parts = list(cohorts.parts(session, members))
    for part in parts:
        uids = iter(unpack(part).column("SOPInstanceUID").to_pylist())
        while some := tuple(islice(uids, _AT_ONCE)):
            found = dataset.instances(OneOf(("SOPInstanceUID",), some))
            there = {one.SOPInstanceUID for one in found}
            missing += [uid for uid in some if uid not in there]
            yield from found


def _of_uids(dataset: Dataset, uids: list[str], run: Run, missing: list[str]) -> Iterator[StoredInstance]:
    """The instances of studies, series and instances, each once."""
    seen: set[str] = set()
    for start in range(0, len(uids), _AT_ONCE):
        left = uids[start : start + _AT_ONCE]
        for level in (Level.INSTANCE, Level.SERIES, Level.STUDY):
            run.check()
            there = set()
            for one in dataset.instances(OneOf((level.unique_key,), tuple(left))) if left else ():
                there.add(getattr(one, level.unique_key))
                if one.SOPInstanceUID not in seen:
                    seen.add(one.SOPInstanceUID)
                    yield one
            left = [uid for uid in left if uid not in there]
        missing += left
