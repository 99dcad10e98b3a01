"""A folder in, a folder out: every file is out, quarantined or skipped, and they are counted at the end.

A run that was stopped is run again: results follow from the key, so what is there already is found to be the
same. The list of what did not leave names files as they were called, so it never lies in the target folder.
Not here: one file (`files`), processes (`crew`).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from isocenter import __version__
from isocenter.deid import _profile_table as table
from isocenter.deid.crew import Done, crew
from isocenter.deid.files import End
from isocenter.deid.pixels import Pixels
from isocenter.deid.report import Report, written
from isocenter.deid.results import PART, settle_names, sweep
from isocenter.deid.verify import RESIDUAL
from isocenter.dicom.fileset import FILE_NAME, Directory
from isocenter.dicom.header import UnreadableHeader, read_header
from isocenter.errors import BadRequest, Damaged, NotFound

if TYPE_CHECKING:
    from isocenter.deid.deidentifier import Setup

LIST = "left.jsonl"


@dataclass
class Run:
    """What became of a folder. Holds no value of any data set, and no name of a file.

    Attributes:
        files: found in the source.
        out: results, of which `uncleared` do not say that Patient Identity Removed is YES, and in `residual`
            of which the second reader found a value of the original (only by policy do these leave).
        quarantined: kept back.
        skipped: no objects.
        reasons: how often which reason, by `quarantined` and `skipped`.
        findings: how often which finding at which attribute.
        changed: how many elements were changed.
        listed: the file that names what did not leave; None for a rehearsal.
        report: all of it, with the values that are left, to be signed and read.
    """

    files: int = 0
    out: int = 0
    quarantined: int = 0
    skipped: int = 0
    uncleared: int = 0
    residual: int = 0
    changed: int = 0
    reasons: dict[str, Counter[str]] = field(
        default_factory=lambda: {End.QUARANTINED.value: Counter(), End.SKIPPED.value: Counter()}
    )
    findings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    settings: dict[str, Any] = field(default_factory=dict)
    listed: Path | None = None
    report: Report | None = None

    @property
    def whole(self) -> bool:
        """Whether every file is accounted for."""
        return self.files == self.out + self.quarantined + self.skipped

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        findings = [
            {"kind": kind, "attribute": attribute, "finding": words, "times": times}
            for (kind, attribute, words), times in self.findings.most_common()
        ]
        return {
            "files": self.files,
            "out": self.out,
            "quarantined": self.quarantined,
            "skipped": self.skipped,
            "uncleared": self.uncleared,
            "residual": self.residual,
            "changed_elements": self.changed,
            "reasons": {end: dict(reasons.most_common()) for end, reasons in self.reasons.items()},
            "findings": findings,
            "settings": self.settings,
        }

    def add(self, done: Done) -> None:
        """Count a file."""
        self.files += 1
        self.changed += len(done.actions)
        self._report(done)
        if done.end is End.OUT:
            self.out += 1
            self.uncleared += not done.cleared
            self.residual += any(finding.kind == RESIDUAL for finding in done.findings)
        else:
            self.reasons[done.end.value][done.reason] += 1
            self.quarantined += done.end is End.QUARANTINED
            self.skipped += done.end is End.SKIPPED
        for kind, path, words in done.findings:
            self.findings[kind, written(path), words] += 1

    def _report(self, done: Done) -> None:
        if self.report is None:
            return
        if done.end is not End.OUT:
            self.report.leave(done.end.value, done.reason, done.findings)
        else:
            self.report.count(
                done.actions,
                done.findings,
                done.examined,
                cleared=done.cleared,
                uid=done.sop_instance,
            )


def run(
    setup: Setup,
    source: Path,
    target: Path,
    *,
    quarantine: Path | None = None,
    workers: int | None = 1,
    dry_run: bool = False,
    dicomdir: bool = True,
    progress: Callable[[int], None] | None = None,
    file_seconds: float | None = None,
    title: str = "",
    unlocked: bool = False,
) -> Run:
    """See `Deidentifier.folder`."""
    quarantine = quarantine or target.with_name(target.name + "-quarantine")
    _require_apart(source, target, quarantine)
    if not dry_run:
        target.mkdir(parents=True, exist_ok=True)
        quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(target)
    report = Report(setup.profile, setup.key, title=title, unlocked=unlocked)
    total = Run(settings=_settings(setup), report=report)
    paths = list(_found(source))
    seen: set[str] = set()
    with _List(None if dry_run else quarantine / LIST) as left:
        for done in crew(setup, paths, None if dry_run else target, workers, file_seconds):
            counted = once(done, seen)
            total.add(counted)
            left.add(counted, source)
            if progress is not None:
                progress(1)
    if len(paths) != total.files or not total.whole or total.out != len(seen):
        raise Damaged(
            f"{len(paths)} files went in, and {total.out} out, {total.quarantined} quarantined and "
            f"{total.skipped} skipped do not make them up",
            hint="this is an error of ours: use nothing of the target folder",
        )
    if not dry_run:
        total.listed = quarantine / LIST
        if dicomdir:
            write_dicomdir(target)
    return total


def _require_apart(source: Path, target: Path, quarantine: Path) -> None:
    if not source.is_dir():
        raise NotFound(f"There is no folder {source}")
    one, other, third = source.resolve(), target.resolve(), quarantine.resolve()
    for inner, outer in ((one, other), (other, one), (third, other)):
        if inner == outer or outer in inner.parents:
            raise BadRequest(f"{inner} lies within {outer}", hint="name folders that are apart")


def _found(source: Path) -> Iterator[Path]:
    """All files; a folder that cannot be listed stands for what is in it."""
    unlisted: list[Path] = []
    for folder, folders, names in os.walk(
        source, onerror=lambda error: unlisted.append(Path(error.filename))
    ):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))
    yield from unlisted


def once(done: Done, seen: set[str]) -> Done:
    """An object that came twice counts once."""
    if done.end is not End.OUT:
        return done
    if done.sop_instance in seen:
        return done._replace(end=End.SKIPPED, reason="the same object once more", actions=(), findings=())
    seen.add(done.sop_instance)
    return done


class _List:
    """The list of what did not leave: one JSON object a line, for the owner's eyes."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._part = path and path.with_suffix(".part")
        self._stream: TextIO | None = None

    def __enter__(self) -> _List:
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._stream = os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape")
        return self

    def add(self, done: Done, source: Path) -> None:
        if self._stream is not None and done.end is not End.OUT:
            entry = {"file": os.fsdecode(done.source.relative_to(source)), "end": done.end.value}
            self._stream.write(json.dumps({**entry, "reason": done.reason}) + "\n")

    def __exit__(self, *_: object) -> None:
        if self._stream is not None and self._part is not None and self.path is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            os.replace(self._part, self.path)
            settle_names((), self.path.parent)


def write_dicomdir(target: Path) -> int:
    """Make the DICOMDIR of all results below a folder; how many it names."""
    directory, number = Directory(), 0
    for path in sorted(target.glob("*/*/*")):
        try:
            with path.open("rb") as stream:
                header = read_header(stream)
        except (UnreadableHeader, OSError):
            continue
        directory.add(
            header,
            path.relative_to(target).parts,
            sop_class=header.meta["MediaStorageSOPClassUID"],
            sop_instance=header.meta["MediaStorageSOPInstanceUID"],
            transfer_syntax=header.transfer_syntax,
        )
        number += 1
    part = target / f"{PART}{FILE_NAME}"
    with part.open("wb") as stream:
        stream.write(directory.to_bytes())
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, target / FILE_NAME)
    settle_names((), target)
    return number


def _settings(setup: Setup) -> dict[str, Any]:
    """What the results follow from, save the key, of which only the fingerprint is told."""
    return {
        "isocenter": __version__,
        "table": {"edition": table.EDITION, "digest": table.DIGEST},
        "key": setup.key.fingerprint,
        "options": sorted(setup.profile.options),
        "rules": len(setup.profile.rules),
        "policies": {
            "birth_date": setup.policies.birth_date,
            "times": setup.policies.times,
            "documents": setup.policies.documents,
            "uncleared": setup.policies.uncleared,
            "residual": setup.policies.residual,
        },
        "pattern": setup.pattern,
        "offset_days": list(setup.window),
        "judge": repr(setup.judge) if isinstance(setup.judge, Pixels) else type(setup.judge).__name__,
    }
