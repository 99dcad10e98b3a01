"""Verify: is everything that was acknowledged still there, unchanged, and the same in index and catalog?

Four questions: does every object that a dataset names exist with its digests, is every object named by
something, does the catalog hold exactly the visible instances, is a head what it was written as. Repair
removes what nothing names, makes heads again, and makes the catalog anew from the objects; it never invents
an object that is lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from isocenter.archive.differences import differences
from isocenter.archive.recatalog import recatalog
from isocenter.archive.references import unreadable_of
from isocenter.dicom.header import read_header
from isocenter.dicom.levels import Level
from isocenter.errors import Damaged, NotFound, Unavailable
from isocenter.index.records import StoredObject
from isocenter.objects import HEAD_SIZE, Incoming, ObjectStore
from isocenter.objects.part10 import Provenance, build_head, file_digest, measure

if TYPE_CHECKING:
    from isocenter.archive.archive import Archive
    from isocenter.archive.dataset import Dataset

Progress = Callable[[str, int, int], None]
"""Called with what is done, how many are done, and how many there are."""

_AT_ONCE = 500

MISSING, DAMAGED, HEAD, ORPHAN, CATALOG = "missing", "damaged", "head", "orphan", "catalog"
INDEX = "index"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes: kind: `missing` (named, not there), `damaged` (the data set is not what was stored), `head`
    (the head is not), `orphan` (there, not named), `catalog` (index and catalog disagree about an
    instance), `index` (one that may name objects is not at hand, so orphans are not known). dataset: the
    dataset, empty for an orphan. subject: path of the object, or SOP Instance UID.
    repaired: whether it is right now.
    """

    kind: str
    dataset: str
    subject: str
    repaired: bool = False


@dataclass
class Report:
    """What verify looked at and found."""

    objects: int = 0
    size: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong (any more)."""
        return all(finding.repaired for finding in self.findings)

    def count(self, kind: str) -> int:
        """How many findings of a kind there are."""
        return sum(finding.kind == kind for finding in self.findings)


def verify(
    archive: Archive, *, repair: bool = False, digests: bool = True, progress: Progress | None = None
) -> Report:
    """Verify the whole archive, which may be in use.

    Args:
        archive: open.
        repair: put right what can be.
        digests: read every object; without it only existence and size are looked at.
        progress: told now and then.
    """
    tell: Progress = progress or (lambda what, done, of: None)
    report = Report()
    for dataset in archive.datasets.values():
        _objects_of(archive, dataset, report, repair, digests, tell)
        _left_out(dataset, report)
        _catalog_of(dataset, report, repair, tell)
    report.findings = _repaired_elsewhere(report.findings)
    _orphans(archive, report, repair, tell)
    return report


def _objects_of(
    archive: Archive, dataset: Dataset, report: Report, repair: bool, digests: bool, tell: Progress
) -> None:
    what, expected = f"objects of {dataset.name}", dataset.count(Level.INSTANCE)
    tell(what, 0, expected)
    if dataset.view is not None and dataset.view.standing().up_to is None:
        return  # it is being made anew
    done = 0
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        named = dataset.index.reader.stored_objects()
        while part := list(islice(named, _AT_ONCE)):
            found = pool.map(lambda one: _look(dataset.objects, one, digests), part)
            for one, seen in zip(part, found, strict=True):
                if wrong := seen and _of_view(dataset, one, _look_again(dataset, one, digests)):
                    right = repair and wrong == HEAD and _repair_head(archive, dataset, one)
                    report.findings.append(Finding(wrong, dataset.name, one.object, right))
            done += len(part)
            report.objects += len(part)
            report.size += sum(one.size for one in part)
            tell(what, done, max(done, expected))


def _look(store: ObjectStore, instance: StoredObject, digests: bool) -> str:
    """What is wrong with one object: nothing (empty), or the kind of finding."""
    info = store.info(instance.object)
    if info is None:
        return MISSING
    if info.size != instance.size:
        return DAMAGED
    if not digests:
        return ""
    try:
        with closing(store.open(instance.object)) as file:
            _, identity, whole = measure(file)
    except NotFound:
        return MISSING
    except Damaged:
        return HEAD
    if identity != instance.sha256:
        return DAMAGED
    return HEAD if whole != instance.file_sha256 else ""


def _of_view(dataset: Dataset, instance: StoredObject, wrong: str) -> str:
    """What is wrong where objects are made: what its source lacks is a finding there, or goes here next."""
    if dataset.view is None or not wrong:
        return wrong
    known = dataset.index.reader.origin_of(instance.object) is not None
    return "" if wrong == MISSING and known else DAMAGED


def _look_again(dataset: Dataset, instance: StoredObject, digests: bool) -> str:
    """What is wrong as things are now: it may have been deleted and swept meanwhile, and sent again."""
    known = dataset.index.reader.file_digests(instance.object)
    if not known:
        return ""
    if instance.file_sha256 not in known:
        instance = replace(instance, file_sha256=min(known))
    return _look(dataset.objects, instance, digests)


def _repair_head(archive: Archive, dataset: Dataset, instance: StoredObject) -> bool:
    """Write the object again under the head that the index says it had; False when that is not it.

    Nor is it written where another row, of this dataset or another one, knows it under another head.
    """
    known = [one.index.reader.file_digests(instance.object) for one in archive.datasets.values()]
    if set().union(*known) != {instance.file_sha256}:
        return False
    incoming = dataset.objects.create()
    try:
        with closing(dataset.objects.open(instance.object)) as file:
            file.seek(HEAD_SIZE)
            while piece := file.read(1024 * 1024):
                incoming.write(piece)
        identity = incoming.digest(instance.transfer_syntax.encode())
        if identity.hex() != instance.sha256:
            return False
        head = _head_of(dataset, instance, incoming)
        if file_digest(head, identity) != instance.file_sha256:
            return False
        incoming.seal(head)
        with dataset.objects.hold():
            dataset.objects.place(incoming, instance.object, replace=True)
            dataset.objects.sync_directories([instance.object])
        return True
    finally:
        incoming.discard()


def _head_of(dataset: Dataset, instance: StoredObject, incoming: Incoming) -> bytes:
    """The head of the object; of a conflict object the index does not know the SOP class."""
    sop_class = instance.SOPClassUID
    if not sop_class:
        with incoming.data_set() as data_set:
            header = read_header(data_set, transfer_syntax=instance.transfer_syntax)
        sop_class = header.index_keys().get("SOPClassUID", "")
    provenance = Provenance(instance.source_aet, instance.called_aet, dataset.name, instance.received)
    return build_head(sop_class, instance.SOPInstanceUID, instance.transfer_syntax, provenance)


def _repaired_elsewhere(findings: list[Finding]) -> list[Finding]:
    """A shared object has one head: when one dataset could make it again, it is right in all."""
    whole = {one.subject for one in findings if one.kind == HEAD and one.repaired}
    return [
        replace(one, repaired=True) if one.kind == HEAD and one.subject in whole else one for one in findings
    ]


def _left_out(dataset: Dataset, report: Report) -> None:
    """What the last rebuild could not read, and nothing names since."""
    left = sorted(unreadable_of(dataset.place.folder))
    named = dataset.index.reader.references(left)
    for path in left:
        if path not in named and dataset.objects.info(path) is not None:
            report.findings.append(Finding(DAMAGED, dataset.name, path))


def _catalog_of(dataset: Dataset, report: Report, repair: bool, tell: Progress) -> None:
    tell(f"catalog of {dataset.name}", 0, 1)
    wrong = sorted(differences(dataset))
    right = bool(wrong) and repair
    if right:
        recatalog(dataset, tell)
        right = not differences(dataset)
    report.findings += [Finding(CATALOG, dataset.name, uid, right) for uid in wrong]
    tell(f"catalog of {dataset.name}", 1, 1)


def _orphans(archive: Archive, report: Report, repair: bool, tell: Progress) -> None:
    tell("orphans", 0, 1)
    try:
        if repair:
            gone = archive.sweep(grace=-1.0).removed
            report.findings += [Finding(ORPHAN, "", path, True) for path in gone]
        report.findings += [Finding(ORPHAN, "", path) for path in find_orphans(archive)]
    except (Unavailable, Damaged) as error:
        report.findings.append(Finding(INDEX, "", error.message))
    tell("orphans", 1, 1)


def find_orphans(archive: Archive) -> list[str]:
    """Objects that nothing names and that no ingest is about to name."""
    infos = archive.objects.list()
    suspects: list[str] = []
    with archive.references() as all_of_them:
        while batch := [info.relpath for info in islice(infos, _AT_ONCE)]:
            suspects += sorted(set(batch) - all_of_them.named(batch))
        if not suspects:
            return []
        with archive.objects.lock_exclusive():
            named = all_of_them.named(suspects)
    return [path for path in suspects if path not in named]
