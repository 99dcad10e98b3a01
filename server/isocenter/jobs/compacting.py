"""The job `compact`: the catalog of a dataset written anew in few sorted files, without what is dead."""

from __future__ import annotations

from isocenter.errors import NotFound
from isocenter.jobs.job import Outcome
from isocenter.jobs.kinds import Kind
from isocenter.jobs.run import Run
from isocenter.security import Action

_ROUNDS = 50


def _compact(run: Run) -> Outcome:
    dataset = run.archive.datasets.get(run.job.dataset)
    if dataset is None:
        raise NotFound(f"There is no dataset {run.job.dataset!r} any more")
    run.tell("flushing", 0, 0)
    flushed = dataset.flush()
    rewritten: dict[str, int] = {}
    for _ in range(_ROUNDS):
        run.tell("rewriting", sum(rewritten.values()), 0)
        tables = dataset.compact(thorough=True)
        if not tables:
            break
        for table in tables:
            rewritten[table] = rewritten.get(table, 0) + 1
    return Outcome({"flushed": flushed.rows, "rewritten": rewritten})


COMPACT = Kind("compact", "The catalog of a dataset in few, sorted files", _compact, {}, Action.CURATE)
