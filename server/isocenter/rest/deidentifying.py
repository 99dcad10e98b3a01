"""The job `deidentify`: what a recipe makes of instances, with a report and a review; results are held.

A preview does the same and keeps no result. Every instance ends as out, quarantined or skipped. A job that
was killed is done anew from its start: by the same key the same results, so what it had released is not
there twice. Not here: its route (`deid`), what leaves and when (`releasing`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from isocenter.archive import Dataset
from isocenter.deid import KeyRing, Recipe
from isocenter.deid.crew import FILE_SECONDS, WORTH_A_PROCESS, Done, crew
from isocenter.deid.deidentifier import Setup
from isocenter.deid.files import End
from isocenter.deid.report import Report
from isocenter.deid.run import Run as Tally
from isocenter.deid.run import once
from isocenter.errors import Damaged, IsocenterError, NotFound
from isocenter.index.records import StoredInstance
from isocenter.jobs.job import Outcome
from isocenter.jobs.run import Run
from isocenter.jobs.selection import selected
from isocenter.rest.held import PAGE, REPORT, REVIEW, Held, write_json
from isocenter.rest.made import content
from isocenter.rest.releasing import release
from isocenter.rest.review_document import ReviewDocument

_FETCHED = 64
_TOLD = 100


def deidentify(run: Run) -> Outcome:
    """Do the job. Raises NotFound where dataset, key or instances are gone, Damaged as `_Work.run`."""
    told = run.parameters
    dataset = run.archive.datasets.get(run.job.dataset)
    if dataset is None:
        raise NotFound(f"There is no dataset {run.job.dataset!r} any more")
    recipe = Recipe.from_json(told["recipe"])
    key = KeyRing.of(run.settings.data).get(recipe.key)
    run.tell("looking up", 0, 0)
    missing: list[str] = []
    found = sorted(selected(dataset, run, missing), key=_by_series)
    if not found:
        raise NotFound("There is nothing to de-identify", hint="was it deleted meanwhile?")
    setup = replace(recipe.deidentifier(key).setup, shows=True)
    work = _Work(run, dataset, setup, found)
    work.run()
    work.tell_all()
    result: dict[str, Any] = {**work.counts(), "missing": len(missing), "reasons": work.reasons()}
    if missing:
        result["first_missing"] = missing[:_TOLD]
    if told["preview"]:
        return Outcome(result)
    if told["review"]:
        run.jobs.reviews.open(run.job.id)
        return Outcome(result)
    released = release(run, run.job, begun=len(found))
    Held(run.folder).drop()
    result["released"] = released.result
    if "level" in told:
        result["content"] = content(told["level"], result)
    return replace(released, result=result)


class _Work:
    """What becomes of all instances.

    Args:
        run: is told.
        dataset: of the instances.
        setup: how.
        found: the instances.
    """

    def __init__(self, run: Run, dataset: Dataset, setup: Setup, found: list[StoredInstance]) -> None:
        self._run, self._dataset, self._setup, self._found = run, dataset, setup, found
        title = f"{len(found)} instances of the dataset {dataset.name}"
        self._tally = Tally(report=Report(setup.profile, setup.key, title=title))
        self._document = ReviewDocument(run.job, dataset, setup.profile, found)
        self._preview = bool(run.parameters["preview"])
        self._total = len(found) * (1 if self._preview or run.parameters["review"] else 2)
        self._held = Held(run.folder)

    def run(self) -> None:
        """Do them all. Raises Damaged when they are not all accounted for."""
        seen: set[str] = set()
        with nullcontext() if self._preview else self._held:
            for instance, done in self._all():
                self._add(instance, once(done, seen))
                told = f"de-identifying {self._tally.files} of {len(self._found)}"
                self._run.tell(told, self._tally.files, self._total)
        tally = self._tally
        if len(self._found) != tally.files or not tally.whole or tally.out != len(seen):
            raise Damaged(
                f"{len(self._found)} instances went in, and {tally.out} out, {tally.quarantined} quarantined "
                f"and {tally.skipped} skipped do not make them up",
                hint="this is an error of ours; nothing has left",
            )

    def _add(self, instance: StoredInstance, done: Done) -> None:
        self._tally.add(done)
        self._document.add(instance, done)
        if done.end is End.OUT and done.target is not None:
            self._held.record(instance.SOPInstanceUID, done.target)

    def _all(self) -> Iterator[tuple[StoredInstance, Done]]:
        local: dict[Path, StoredInstance] = {}
        far: list[StoredInstance] = []
        for instance in self._found:
            path = self._dataset.objects.path(instance.object)
            if path is None:
                far.append(instance)
            elif path.is_file():
                local[path] = instance
            else:
                yield instance, Done(path, End.QUARANTINED, "its object is lost")
        yield from self._crew(local, self._workers(len(local)))
        for some in _pieces(far, _FETCHED):
            yield from self._fetched(some)

    def _workers(self, number: int) -> int:
        """How many processes: never this one, which a file could kill; others for jobs that run beside it."""
        cores = max((os.cpu_count() or 1) // self._run.settings.jobs.at_once, 1)
        return min(cores, 1 + number // WORTH_A_PROCESS)

    def _crew(self, paths: dict[Path, StoredInstance], workers: int) -> Iterator[tuple[StoredInstance, Done]]:
        target = None if self._preview else self._held.results
        with closing(crew(self._setup, list(paths), target, workers, FILE_SECONDS)) as made:
            for done in made:
                yield paths[done.source], done

    def _fetched(self, instances: list[StoredInstance]) -> Iterator[tuple[StoredInstance, Done]]:
        """Objects that are no files here, fetched for as long as they are read."""
        spool = self._run.folder / "spool"
        spool.mkdir(mode=0o700)
        paths: dict[Path, StoredInstance] = {}
        try:
            for number, instance in enumerate(instances):
                path = spool / str(number)
                try:
                    with self._dataset.open(instance) as source, path.open("xb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                except IsocenterError as error:
                    yield instance, Done(path, End.QUARANTINED, f"its object is not at hand: {error.code}")
                else:
                    paths[path] = instance
            yield from self._crew(paths, 1)
        finally:
            shutil.rmtree(spool, ignore_errors=True)

    def counts(self) -> dict[str, int]:
        """How many went in, and what became of them."""
        tally = self._tally
        return {
            "in": tally.files,
            "out": tally.out,
            "quarantined": tally.quarantined,
            "skipped": tally.skipped,
            "uncleared": tally.uncleared,
            "residual": tally.residual,
        }

    def reasons(self) -> dict[str, int]:
        """How many were kept back why."""
        return dict(self._tally.reasons[End.QUARANTINED.value].most_common())

    def tell_all(self) -> None:
        """Write the signed report, its page and the review."""
        report, folder = self._tally.report, self._run.folder
        if report is None:
            raise AssertionError("a run has a report")
        signed = report.sign(self._setup.key)
        write_json(folder / REPORT, signed)
        (folder / PAGE).write_text(report.to_html(signed), encoding="utf-8")
        write_json(folder / REVIEW, self._document.to_json(self.counts()))


def _by_series(one: StoredInstance) -> tuple[str, str, int, str]:
    return one.StudyInstanceUID, one.SeriesInstanceUID, one.InstanceNumber or 0, one.SOPInstanceUID


def _pieces(instances: list[StoredInstance], size: int) -> Iterator[list[StoredInstance]]:
    for start in range(0, len(instances), size):
        yield instances[start : start + size]
