"""How held results leave: stored into a dataset as if they had been sent, or as a zip with a DICOMDIR.

The job `release-deidentified` does it for what was accepted, and nothing else; who may say so is in `deid`.
Again is as once: what was stored is a duplicate, a zip that is whole is taken as it is.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from isocenter.archive import Dataset
from isocenter.archive.arrival import Origin
from isocenter.archive.reception import BACKLOG_LIMIT, Stored
from isocenter.deid import KeyRing
from isocenter.deid.report_page import page
from isocenter.deid.signature import sign
from isocenter.dicom.fileset import FILE_NAME, Directory
from isocenter.dicom.header import read_header
from isocenter.errors import Conflict, NotFound
from isocenter.jobs.job import Job, Outcome
from isocenter.jobs.queue import now
from isocenter.jobs.reviews import Review, Verdict
from isocenter.jobs.run import Run, folder_of
from isocenter.rest.held import ARCHIVE, PAGE, REPORT, Held, write_json
from isocenter.rest.made import Made, content

ZIP = "application/zip"
_IN_FLIGHT = 32
_PIECE = 1 << 20
Tell = Callable[[int, int], None]


def release(run: Run, job: Job, *, begun: int = 0) -> Outcome:
    """Let what a job holds leave for where it was asked to go.

    Args:
        run: that does it.
        job: that made it.
        begun: how much of the work of `run` was done before.

    Raises:
        NotFound: the dataset is not there any more.
        Conflict: results were refused; those that were not are stored.
    """
    held, into = Held(folder_of(run.settings.data, job.id)), job.parameters.get("into")
    files = held.files()

    def tell(done: int, number: int) -> None:
        run.tell(f"releasing {done} of {number}", begun + done, begun + number)

    if into:
        target = run.archive.datasets.get(into)
        if target is None:
            raise NotFound(f"There is no dataset {into!r} any more")
        origin = Origin(source_aet=job.creator, called_aet=target.ae_title)
        told = _store(target, files, origin, tell)
        if "level" not in job.parameters:  # nobody asks for their ids
            del told["resources"]
        return Outcome({"into": into, **told})
    archive = held.folder / ARCHIVE
    if not archive.is_file():
        _zip(archive, held.results, files, tell)
    return Outcome({"size": archive.stat().st_size}, ARCHIVE, ZIP)


def _store(target: Dataset, files: list[Path], origin: Origin, tell: Tell) -> dict[str, Any]:
    """Store files, some at a time: those that wait for the disk wait for it together."""
    ends: Counter[str] = Counter()
    made = Made()
    waiting: deque[Future[Stored]] = deque()

    def settle() -> None:
        try:
            stored = waiting.popleft().result()
            ends[stored.outcome.kind] += 1
            if stored.outcome.kind != "conflict":
                made.add(stored.keys)
        except Conflict:
            ends["refused"] += 1
        tell(sum(ends.values()), len(files))

    try:
        for path in files:
            waiting.append(_send(target, path, origin))
            while len(waiting) >= _IN_FLIGHT:
                settle()
        while waiting:
            settle()
    finally:
        for one in waiting:
            one.exception()
    if ends["refused"]:
        raise Conflict(
            f"{ends['refused']} results were refused by {target.name}, which has others of the same UID",
            hint="delete those, or give the results another dataset",
        )
    return {**ends, "resources": made.to_json()}


def _send(target: Dataset, path: Path, origin: Origin) -> Future[Stored]:
    reception = target.receive(origin)
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            reception.feed(piece)
            while reception.backlog > BACKLOG_LIMIT:
                time.sleep(0.002)
    return reception.finish()


def _zip(archive: Path, root: Path, files: list[Path], tell: Tell) -> None:
    """Write the zip, stored, whole or not at all."""
    part, directory = archive.with_suffix(".part"), Directory()
    with part.open("wb") as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as made:
            for number, path in enumerate(files, 1):
                with path.open("rb") as stream:
                    header = read_header(stream)
                name = path.relative_to(root)
                directory.add(
                    header,
                    name.parts,
                    sop_class=header.meta["MediaStorageSOPClassUID"],
                    sop_instance=header.meta["MediaStorageSOPInstanceUID"],
                    transfer_syntax=header.transfer_syntax,
                )
                _add(made, name.as_posix(), path)
                tell(number, len(files))
            made.writestr(_info(FILE_NAME), directory.to_bytes())
        target.flush()
        os.fsync(target.fileno())
    part.replace(archive)


def _add(made: zipfile.ZipFile, name: str, path: Path) -> None:
    info = _info(name)
    info.file_size = path.stat().st_size
    with path.open("rb") as stream, made.open(info, "w", force_zip64=info.file_size > 0x7FFFFFFF) as entry:
        while piece := stream.read(_PIECE):
            entry.write(piece)


def _info(name: str) -> zipfile.ZipInfo:
    """An entry that tells no time: when somebody was examined or sent is nobody's business."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def release_accepted(run: Run) -> Outcome:
    """Let what was accepted leave. Raises Conflict where it was not."""
    job = run.jobs.get(run.parameters["job"])
    review = run.jobs.reviews.get(job.id)
    if review is None or review.verdict is not Verdict.ACCEPTED:
        raise Conflict("Nothing leaves that was not accepted")
    held, result = Held(folder_of(run.settings.data, job.id)), None
    if not review.released:
        held.remove(set(review.rejected))
        released = release(run, job)
        result = released.result
        if "level" in job.parameters:
            counts = {**job.result, "rejected": len(review.rejected), "released": result}
            result["content"] = content(job.parameters["level"], counts)
        _sign(run, job, review, held)
        if released.output:
            run.jobs.deliver(job.id, released.output, released.media_type, result["size"])
        run.jobs.reviews.released(job.id, now())
    held.drop()
    return Outcome(result)


def _sign(run: Run, job: Job, review: Review, held: Held) -> None:
    """Say in the report that it was reviewed, and sign it anew."""
    report: dict[str, Any] = json.loads((held.folder / REPORT).read_bytes())
    told = {
        "verdict": review.verdict.value,
        "rejected": len(review.rejected),
        "reviewed": review.reviewed // 10**6,
    }
    key = KeyRing.of(run.settings.data).get(job.parameters["recipe"]["key"])
    bare = {name: value for name, value in report.items() if name not in ("digest", "signatures")}
    signed = sign(bare | {"review": told}, key)
    write_json(held.folder / REPORT, signed)
    (held.folder / PAGE).write_text(page(signed), encoding="utf-8")
