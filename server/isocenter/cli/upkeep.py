"""`isocenter verify` and `isocenter reindex`: is all still there, and make index and catalog anew."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict

from isocenter.app import register
from isocenter.archive import Archive
from isocenter.archive.rebuild import Rebuilt, rebuild
from isocenter.archive.verify import Report
from isocenter.archive.verify import verify as verify_archive
from isocenter.cli import output
from isocenter.config import Settings
from isocenter.errors import BadRequest, NotFound
from isocenter.objects import LocalStore
from isocenter.supervisor import only_server_of

MEANINGS = {
    "missing": "named, but its file is not there: restore it from a backup",
    "damaged": "its bytes are not those that were stored: restore it from a backup",
    "head": "its file meta group is not as written; --repair writes it again",
    "orphan": "a file that nothing names; --repair removes it",
    "index": "not at hand, so orphans are not known and nothing is swept",
    "catalog": "index and catalog disagree; --repair makes the catalog anew",
}


def verify(settings: Settings, *, repair: bool, digests: bool, as_json: bool) -> int:
    """Verify the whole archive, which may be in use; exit code 1 if something is wrong and stays so."""
    _require(settings)
    register()
    with Archive.open(settings) as archive, _told(quiet=as_json) as tell:
        report = verify_archive(archive, repair=repair, digests=digests, progress=tell)
    if as_json:
        findings = [asdict(finding) for finding in report.findings]
        output.tell_json(
            {"ok": report.ok, "objects": report.objects, "bytes": report.size, "findings": findings}
        )
    else:
        _print(report)
    return 0 if report.ok else 1


def _print(report: Report) -> None:
    output.out.print(f"{report.objects} objects, {report.size / 1e9:.2f} GB looked at", highlight=False)
    if not report.findings:
        output.out.print("Everything is there, unchanged, and the same in index and catalog.", style="green")
        return
    rows = [
        (kind, report.count(kind), sum(f.repaired for f in report.findings if f.kind == kind), meaning)
        for kind, meaning in MEANINGS.items()
        if report.count(kind)
    ]
    output.table(("finding", "number", "repaired", "meaning"), rows, right={"number", "repaired"})
    for finding in report.findings:
        if not finding.repaired:
            output.err.print(
                f"{finding.kind}: {finding.subject}", highlight=False, soft_wrap=True, markup=False
            )


def reindex(settings: Settings, dataset: str, *, source: str, as_json: bool) -> int:
    """Rebuild a dataset that nobody has open.

    Exit code 1 if an object could not be read or is missing, or if the old index is there and what only it
    tells cannot be read.
    """
    _require(settings)
    if source not in ("catalog", "objects"):
        raise BadRequest(f"No source {source!r}", hint="catalog (index only) or objects (index and catalog)")
    if dataset not in settings.all_datasets():
        raise NotFound(f"No dataset {dataset!r}", hint="one of " + ", ".join(settings.all_datasets()))
    objects = contextlib.closing(LocalStore(settings.data / "objects"))
    with only_server_of(settings.data), objects as store, _told(quiet=as_json) as tell:
        done = rebuild(settings, dataset, store, source=source, progress=tell)  # type: ignore[arg-type]
    if as_json:
        output.tell_json(asdict(done))
    else:
        output.out.print(f"{done.instances} instances are in the new index", highlight=False)
        if settings.all_datasets()[dataset].view_of:
            output.out.print("It is a view: the server fills it again", highlight=False)
        if done.carried:
            rows = ", ".join(f"{count} {table}" for table, count in done.carried.items())
            output.out.print(f"Rows carried over from the old index: {rows}", highlight=False, soft_wrap=True)
        if done.kept:
            output.out.print(f"What was there before is in {done.kept}", style="dim", highlight=False)
        for line in _told_of(done):
            output.err.print(line, highlight=False, soft_wrap=True, markup=False)
    return 1 if done.missing or done.unreadable or (done.lost and done.had_index) else 0


def _told_of(done: Rebuilt) -> Iterator[str]:
    """What is not as it should be, a line each."""
    yield from (f"missing: {path}" for path in done.missing)
    yield from (f"unreadable: {path}: {reason}" for path, reason in done.unreadable.items())
    lost = "lost" if done.had_index else "lost, if there was any"
    yield from (f"{lost}: {what}: {reason}" for what, reason in done.lost.items())


def _require(settings: Settings) -> None:
    if not (settings.data / "objects").is_dir():
        raise NotFound(f"{settings.data} holds no archive", hint="name the data folder with --data")


@contextlib.contextmanager
def _told(*, quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar for each thing that is told of; None when quiet."""
    if quiet:
        yield None
        return
    with output.progress() as bar:
        tasks: dict[str, int] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)  # type: ignore[arg-type]

        yield tell
