"""Storing from Python: STOW-RS (PS3.18 10.5) in batches over several connections, with a result a file.

Files are streamed from disk and data sets encoded when their turn comes, so memory does not grow with them;
what is given as an iterator is not even looked at before. Not here: what may be stored (`sources`).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from isocenter.client.display.cells import Preview, bytes_text
from isocenter.client.display.html import table_html
from isocenter.client.display.text import table_text
from isocenter.client.progress import Progress
from isocenter.client.sources import Upload, uploads
from isocenter.errors import BadRequest, IsocenterError, NotFound, Unavailable

if TYPE_CHECKING:
    import pandas

    from isocenter.client.archive import Archive

BATCH_FILES = 64
BATCH_BYTES = 64_000_000
_BLOCK = 1 << 18
_ANSWERS = (409, 400, 415, 422, 500, 507, 503, 413)  # of STOW: a module may say why, file by file
_SEQUENCES = ("00081198", "00081199", "0008119A")  # failed, stored, and failed without a UID

Outcome = Literal["stored", "failed", "skipped"]


class _Changed(Exception):
    """The file on disk is not what was announced: this request cannot be finished."""


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes:
        name: of the file.
        outcome: `stored` (also when the same bytes were there already), `failed` or `skipped`.
        size: in bytes.
        sop_instance_uid: empty when unknown.
        reason: why it failed or was skipped.
    """

    name: str
    outcome: Outcome
    size: int = 0
    sop_instance_uid: str = ""
    reason: str = ""


@dataclass(frozen=True)
class StoreReport:
    """What became of every file, in the order found."""

    results: tuple[FileResult, ...]
    seconds: float = 0.0

    @property
    def stored(self) -> tuple[FileResult, ...]:
        """Files that the server has now."""
        return self._of("stored")

    @property
    def uids(self) -> list[str]:
        """SOP Instance UIDs of what is stored: `archive[report.uids[0]].series`."""
        return [result.sop_instance_uid for result in self.stored if result.sop_instance_uid]

    @property
    def failed(self) -> tuple[FileResult, ...]:
        """Files that the server refused."""
        return self._of("failed")

    @property
    def skipped(self) -> tuple[FileResult, ...]:
        """Files that were not sent."""
        return self._of("skipped")

    def raise_for_failures(self) -> StoreReport:
        """The report itself; an error when a file failed.

        Raises:
            IsocenterError: naming the first failure.
        """
        if self.failed:
            first = self.failed[0]
            detail = {result.name: result.reason for result in self.failed}
            raise IsocenterError(
                f"{len(self.failed)} files were not stored", hint=first.reason, detail=detail
            )
        return self

    def to_pandas(self) -> pandas.DataFrame:
        """A row a file."""
        import pandas as pd

        names = ("name", "outcome", "size", "sop_instance_uid", "reason")
        return pd.DataFrame([[getattr(r, n) for n in names] for r in self.results], columns=list(names))

    def _of(self, outcome: Outcome) -> tuple[FileResult, ...]:
        return tuple(result for result in self.results if result.outcome == outcome)

    def __repr__(self) -> str:
        size = sum(result.size for result in self.stored)
        rate = f", {bytes_text(size / self.seconds)}/s" if self.seconds > 0 and size else ""
        counts = f"{len(self.stored)} stored, {len(self.failed)} failed, {len(self.skipped)} skipped"
        return f"<{counts}; {bytes_text(size)}{rate}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        return table_html(self._preview())

    def __str__(self) -> str:
        return table_text(self._preview())

    def _preview(self) -> Preview:
        """What went wrong, file by file; nothing but the counts when all went well."""
        wrong = [
            {"name": r.name, "outcome": r.outcome, "reason": r.reason} for r in (*self.failed, *self.skipped)
        ]
        columns = ("name", "outcome", "reason") if wrong else ()
        return Preview(repr(self).strip("<>"), columns, wrong[:50], len(wrong))


@dataclass
class _Batch:
    """Files of one request."""

    members: list[tuple[int, Upload]] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.members) >= BATCH_FILES or self.size >= BATCH_BYTES


def store(
    archive: Archive,
    source: object,
    *,
    progress: bool | Callable[[int, int], None] = True,
    connections: int = 4,
) -> StoreReport:
    """See `Archive.store`."""
    everything: Iterable[Upload] = uploads(source)
    total = 0
    if not isinstance(source, Iterator):
        everything = list(everything)  # so that a mistake is told before anything is sent
        total = sum(one.size for one in everything if not one.skipped)
    results: dict[int, FileResult] = {}
    with Progress("Storing", total, progress) as shown:
        sendable = _sendable(everything, results, shown, counted=not isinstance(source, Iterator))
        _send_all(archive, _batches(sendable), results, shown, max(connections, 1))
        seconds = shown.seconds
    return StoreReport(tuple(results[index] for index in sorted(results)), seconds)


def _sendable(
    everything: Iterable[Upload], results: dict[int, FileResult], shown: Progress, *, counted: bool
) -> Iterator[tuple[int, Upload]]:
    """What is to be sent, numbered; of the rest the result is known. `counted`: its size is in the total."""
    for index, one in enumerate(everything):
        if one.skipped:
            results[index] = FileResult(one.name, "skipped", one.size, reason=one.skipped)
            continue
        ready = one
        if one.encode is not None:
            try:
                ready = one.encode()
            except (BadRequest, NotFound, OSError) as error:
                results[index] = _failed(one, str(error))
                continue
        if ready is not one or not counted:
            shown.expect(ready.size)
        yield index, ready


def _batches(sendable: Iterable[tuple[int, Upload]]) -> Iterator[_Batch]:
    batch = _Batch()
    for index, one in sendable:
        batch.members.append((index, one))
        batch.size += one.size
        if batch.full:
            yield batch
            batch = _Batch()
    if batch.members:
        yield batch


def _send_all(
    archive: Archive,
    batches: Iterator[_Batch],
    results: dict[int, FileResult],
    shown: Progress,
    connections: int,
) -> None:
    """Send batches, `connections` at a time; the first error that dooms all stops the rest."""
    stop = threading.Event()
    under_way: set[Future[dict[int, FileResult]]] = set()
    with ThreadPoolExecutor(connections, "isocenter-store") as pool:
        try:
            for batch in batches:
                under_way.add(pool.submit(_send, archive, batch, shown, stop))
                while len(under_way) >= connections * 2:
                    under_way = _collect(under_way, results)
            while under_way:
                under_way = _collect(under_way, results)
        except BaseException:
            stop.set()
            raise


def _collect(
    under_way: set[Future[dict[int, FileResult]]], results: dict[int, FileResult]
) -> set[Future[dict[int, FileResult]]]:
    done, left = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        results.update(future.result())
    return left


def _send(archive: Archive, batch: _Batch, shown: Progress, stop: threading.Event) -> dict[int, FileResult]:
    if stop.is_set():
        return {}
    boundary = token_hex(16)
    path = f"/datasets/{quote(archive.dataset_name)}" if archive.dataset_name != "main" else ""
    headers = {
        "Accept": "application/dicom+json",
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Content-Length": str(_length(batch, boundary)),
    }
    try:
        with archive.transport.request(
            "POST",
            f"{path}/dicom-web/studies",
            lambda: _body(batch, boundary, shown, stop),
            headers=headers,
            accept_status=_ANSWERS,
        ) as response:
            told = response.json() if "json" in response.headers.get("Content-Type", "") else {}
            module = told if isinstance(told, dict) else {}
            if len(batch.members) == 1 or any(tag in module for tag in _SEQUENCES):
                return _results(batch, response.status, module)
    except _Changed as error:
        if len(batch.members) == 1:
            return {index: _failed(one, str(error)) for index, one in batch.members}
    except Unavailable as error:
        archive.system()  # raises when it is the server that is gone, and not this request
        if len(batch.members) == 1:
            return {index: _failed(one, str(error)) for index, one in batch.members}
    return _one_by_one(archive, batch, shown, stop)


def _failed(one: Upload, reason: str) -> FileResult:
    return FileResult(one.name, "failed", one.size, one.uid, reason)


def _one_by_one(
    archive: Archive, batch: _Batch, shown: Progress, stop: threading.Event
) -> dict[int, FileResult]:
    """After a request that failed as a whole: each file alone, so that one bad file spoils no other."""
    results: dict[int, FileResult] = {}
    for member in batch.members:
        results |= _send(archive, _Batch([member], member[1].size), shown, stop)
    return results


# -- the body ------------------------------------------------------------------------------------------

_PART = "\r\n--{}\r\nContent-Type: application/dicom\r\n\r\n"


def _length(batch: _Batch, boundary: str) -> int:
    part = len(_PART.format(boundary))
    return sum(part + one.size for _, one in batch.members) + len(f"\r\n--{boundary}--\r\n")


def _body(batch: _Batch, boundary: str, shown: Progress, stop: threading.Event) -> Iterator[bytes]:
    for _, one in batch.members:
        yield _PART.format(boundary).encode()
        for block in _blocks(one):
            yield block
            shown.advance(len(block))
            if stop.is_set():
                raise _Changed("stopped, since another file could not be sent")
    yield f"\r\n--{boundary}--\r\n".encode()


def _blocks(one: Upload) -> Iterator[bytes]:
    """The bytes of a file, exactly as many as were counted."""
    try:
        with closing(one.open()) as file:
            left = one.size
            while left > 0 and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block
            if left or file.read(1):
                raise _Changed("it changed while it was sent")
    except OSError as error:
        raise _Changed(f"it cannot be read: {error}") from None


# -- the answer (Store Instances Response Module, PS3.18 I.2) ----------------------------------------------


def _results(batch: _Batch, status: int, module: dict[str, Any]) -> dict[int, FileResult]:
    """Join the items of the answer to the files: by SOP Instance UID, nameless failures in their order."""
    stored = _by_uid(module, "00081199")
    failed = _by_uid(module, "00081198")
    nameless = list(_items(module, "0008119A")) + failed.pop("", [])
    whole = _whole_failure(status, module)
    results: dict[int, FileResult] = {}
    unknown: list[tuple[int, Upload]] = []
    for index, one in batch.members:
        uid = one.uid
        if uid and stored[uid]:
            stored[uid].pop()
            results[index] = FileResult(one.name, "stored", one.size, uid)
        elif uid and failed[uid]:
            results[index] = FileResult(one.name, "failed", one.size, uid, _reason(failed[uid].pop(0)))
        else:
            unknown.append((index, one))
    left = [(uid, "stored", item) for uid, items in stored.items() for item in items]
    left += [(uid, "failed", item) for uid, items in failed.items() for item in items]
    for index, one in unknown:
        if nameless and (not left or len(nameless) >= len(unknown)):
            results[index] = FileResult(one.name, "failed", one.size, "", _reason(nameless.pop(0)))
        elif left:
            uid, outcome, item = left.pop(0)
            reason = _reason(item) if outcome == "failed" else ""
            results[index] = FileResult(one.name, outcome, one.size, uid, reason)  # type: ignore[arg-type]
        else:
            results[index] = _failed(one, whole)
    return results


def _by_uid(module: dict[str, Any], tag: str) -> defaultdict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in _items(module, tag):
        found[str(_first(item, "00081155") or "").strip(" \0")].append(item)
    return found


def _items(module: dict[str, Any], tag: str) -> Iterator[dict[str, Any]]:
    sequence = module.get(tag)
    if isinstance(sequence, dict):
        yield from (item for item in sequence.get("Value") or () if isinstance(item, dict))


def _first(item: dict[str, Any], tag: str) -> Any:
    values = (item.get(tag) or {}).get("Value") or [None]
    return values[0]


def _reason(item: dict[str, Any]) -> str:
    code, comment = _first(item, "00081197"), _first(item, "00000902")
    number = f"{code:04X}H" if isinstance(code, int) else ""
    return " ".join(part for part in (str(comment or ""), f"[{number}]" if number else "") if part)


def _whole_failure(status: int, module: dict[str, Any]) -> str:
    told = module.get("error")
    if isinstance(told, dict):
        return " ".join(str(told[key]) for key in ("message", "hint") if told.get(key))
    return f"the server answered {status} and did not say what became of this file"
