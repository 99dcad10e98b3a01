"""The job `deidentify` in this process: objects that are no local files, lost ones, cancelling."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_archive import instance

from isocenter.app import register
from isocenter.archive import Archive
from isocenter.archive.arrival import Origin
from isocenter.config import Settings
from isocenter.deid import KeyRing, Recipe
from isocenter.jobs import Cancelled, Jobs, Run
from isocenter.jobs.run import folder_of
from isocenter.objects import LocalStore
from isocenter.rest.deidentifying import deidentify
from isocenter.rest.held import Held
from isocenter.state import open_state


class Far(LocalStore):
    """Objects that are reached by being opened alone, as in a bucket."""

    def path(self, relpath: str) -> None:  # type: ignore[override]
        return None


class Told(Run):
    """A run that is cancelled after some steps."""

    steps = 1 << 30

    def tell(self, phase: str, done: int, total: int) -> None:
        self.steps -= 1
        if not self.steps:
            raise Cancelled
        super().tell(phase, done, total)


def stored(settings: Settings, number: int) -> list[str]:
    """The objects of so many instances, by their place in the store."""
    with Archive(settings, query_process=False) as archive:
        main = archive.datasets["main"]
        for n in range(1, number + 1):
            main.store(instance(n), Origin("TEST"))
        return [one.object for one in main.instances()]


def run_of(settings: Settings, *, far: bool = False) -> Told:
    register()
    state = open_state(settings.data)
    jobs = Jobs(state)
    KeyRing.of(settings.data).make("default")
    told = {"uids": ["1.2.3"], "recipe": Recipe().to_json(), "preview": False, "review": True}
    job = jobs.submit("deidentify", told, dataset="main", creator="test")
    made = Told(settings, job, jobs, "test")
    if far:
        made._archive = Archive(settings, Far(settings.data / "objects"), query_process=False)
    return made


def test_objects_that_are_no_files_here_are_fetched_and_nothing_of_them_stays(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    stored(settings, 70)
    run = run_of(settings, far=True)
    try:
        outcome = deidentify(run)
    finally:
        run.archive.close()
    assert (outcome.result["in"], outcome.result["out"]) == (70, 70)
    assert len(Held(run.folder).files()) == 70
    assert not (run.folder / "spool").exists()


def test_a_lost_object_is_quarantined_with_the_reason(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    first, *_ = stored(settings, 3)
    (tmp_path / "objects" / first).unlink()
    run = run_of(settings)
    try:
        outcome = deidentify(run)
    finally:
        run.archive.close()
    counts = {name: outcome.result[name] for name in ("in", "out", "quarantined", "skipped")}
    assert counts == {"in": 3, "out": 2, "quarantined": 1, "skipped": 0}
    assert '"reason": "its object is lost"' in (run.folder / "review.json").read_text()


def test_a_job_that_is_cancelled_ends_between_two_instances(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    stored(settings, 5)
    run = run_of(settings)
    run.steps = 4
    try:
        with pytest.raises(Cancelled):
            deidentify(run)
    finally:
        run.archive.close()
    assert run.jobs.reviews.get(run.job.id) is None
    assert len(Held(folder_of(tmp_path, run.job.id)).files()) < 5
