"""Downloading: instances as files in folders, over several connections, to be gone on with after a break.

A file appears under its name only when it is complete: until then it is `<name>.<digest>.part`, which the
next download continues by a range. Files are proved by the identity digest of the archive. Not here: their
names (`file_names`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

from isocenter.client.contents import TEMPLATE
from isocenter.client.display.html import Preview, bytes_text, table_html
from isocenter.client.file_names import Template, distinct
from isocenter.client.files import AS_STORED, patiently
from isocenter.client.parallel import in_order
from isocenter.client.progress import Progress
from isocenter.client.selection import Row, Selection
from isocenter.dicom.uids import is_big_endian, is_implicit_vr
from isocenter.errors import (
    BadRequest,
    Damaged,
    Forbidden,
    IsocenterError,
    NoSpace,
    Unauthorized,
    Unavailable,
)

if TYPE_CHECKING:
    import pandas

    from isocenter.client.transport import Transport

_BLOCK = 1 << 18
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_META = 144  # bytes of preamble, prefix and group length; the group's length is in the last four
_COLUMNS = ("_sha256", "_transfer_syntax")

Outcome = Literal["downloaded", "present", "failed"]


@dataclass(frozen=True)
class Downloaded:
    """What became of one instance.

    Attributes:
        path: of its file.
        outcome: `downloaded`, `present` (it was there already) or `failed`.
        size: of the file in bytes.
        sop_instance_uid: of the instance.
        reason: why it failed.
    """

    path: Path
    outcome: Outcome
    size: int
    sop_instance_uid: str
    reason: str = ""


@dataclass(frozen=True)
class DownloadReport:
    """What became of every instance, in the order asked for."""

    folder: Path
    results: tuple[Downloaded, ...]
    seconds: float = 0.0

    @property
    def downloaded(self) -> tuple[Downloaded, ...]:
        """Files that are new."""
        return self._of("downloaded")

    @property
    def present(self) -> tuple[Downloaded, ...]:
        """Files that were there already."""
        return self._of("present")

    @property
    def failed(self) -> tuple[Downloaded, ...]:
        """Files that could not be had."""
        return self._of("failed")

    @property
    def paths(self) -> list[Path]:
        """Of all files that are there now."""
        return [result.path for result in self.results if result.outcome != "failed"]

    def raise_for_failures(self) -> DownloadReport:
        """The report itself; an error when a file failed.

        Raises:
            IsocenterError: naming the first failure.
        """
        if self.failed:
            detail = {result.sop_instance_uid: result.reason for result in self.failed}
            told = f"{len(self.failed)} files were not downloaded"
            raise IsocenterError(told, hint=self.failed[0].reason, detail=detail)
        return self

    def to_pandas(self) -> pandas.DataFrame:
        """A row an instance."""
        import pandas as pd

        names = ("sop_instance_uid", "path", "outcome", "size", "reason")
        rows = [[str(getattr(r, n)) if n == "path" else getattr(r, n) for n in names] for r in self.results]
        return pd.DataFrame(rows, columns=list(names))

    def _of(self, outcome: Outcome) -> tuple[Downloaded, ...]:
        return tuple(result for result in self.results if result.outcome == outcome)

    def __repr__(self) -> str:
        size = sum(result.size for result in self.downloaded)
        rate = f", {bytes_text(size / self.seconds)}/s" if self.seconds > 0 and size else ""
        counts = f"{len(self.downloaded)} downloaded, {len(self.present)} present, {len(self.failed)} failed"
        return f"<{counts}; {bytes_text(size)}{rate}>"

    def _repr_html_(self) -> str:
        wrong = [{"SOPInstanceUID": r.sop_instance_uid, "reason": r.reason} for r in self.failed]
        columns = ("SOPInstanceUID", "reason") if wrong else ()
        return table_html(Preview(repr(self).strip("<>"), columns, wrong[:50], len(wrong)))


@dataclass(frozen=True)
class _File:
    """One to be had: where from, where to, and what it should be."""

    source: str
    target: Path
    uid: str
    size: int
    sha256: str
    as_stored: bool

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.{self.sha256[:8]}.part")


class _Stopped(Exception):
    """Another file's error, or Ctrl-C, ended the download."""


def download(
    selection: Selection,
    source: object,
    folder: str | os.PathLike[str],
    template: str = TEMPLATE,
    *,
    overwrite: bool = False,
    verify: bool = False,
    connections: int = 4,
    progress: bool | Callable[[int, int], None] = True,
) -> DownloadReport:
    """See `Contents.download`."""
    root = Path(os.fspath(folder)).expanduser()
    if root.exists() and not root.is_dir():
        raise BadRequest(f"{root} is a file", hint="name a folder, which is made when it is not there")
    names = Template(template)
    wanted = Selection(selection.transport, selection.dataset, (*_COLUMNS, *names.columns))
    files = _files(wanted, source, root, names)
    results: list[Downloaded] = []
    stop = Event()
    with Progress("Downloading", sum(file.size for file in files), progress) as shown:
        fetch = _Fetch(selection.transport, shown, stop, overwrite=overwrite, verify=verify)
        results.extend(result for _, result in in_order(files, fetch, connections=connections, stop=stop))
        seconds = shown.seconds
    return DownloadReport(root, tuple(results), seconds)


def _files(selection: Selection, source: object, root: Path, names: Template) -> list[_File]:
    rows: dict[str, tuple[_File, Any]] = {}
    for row in selection.rows(source):
        path = names.path(row)
        rows.setdefault(str(row["SOPInstanceUID"]), (_file(selection, row, root), path))
    targets = distinct((path, uid) for uid, (_, path) in rows.items())
    return [
        _File(file.source, root / target, file.uid, file.size, file.sha256, file.as_stored)
        for (file, _), target in zip(rows.values(), targets, strict=True)
    ]


def _file(selection: Selection, row: Row, root: Path) -> _File:
    syntax = str(row.get("_transfer_syntax") or "")
    as_stored = not is_implicit_vr(syntax) and not is_big_endian(syntax)
    size, digest = int(row.get("_size") or 0), str(row.get("_sha256") or "")
    return _File(selection.path(row), root, str(row["SOPInstanceUID"]), size, digest, as_stored)


class _Fetch:
    """Fetches one file; called in several threads."""

    def __init__(
        self, transport: Transport, shown: Progress, stop: Event, *, overwrite: bool, verify: bool
    ) -> None:
        self._transport, self._shown, self._stop = transport, shown, stop
        self._overwrite, self._verify = overwrite, verify

    def __call__(self, file: _File) -> Downloaded:
        try:
            return self._one(file)
        except (Unauthorized, Forbidden, Unavailable):
            raise  # the others would fail as well
        except IsocenterError as error:
            return Downloaded(file.target, "failed", file.size, file.uid, str(error))
        except OSError as error:
            if error.errno in _FULL:
                hint = f"{error.strerror}; make room and download again: what is complete stays"
                raise NoSpace(f"{file.target.parent} cannot be written", hint=hint) from None
            reason = error.strerror or type(error).__name__
            return Downloaded(file.target, "failed", file.size, file.uid, reason)

    def _one(self, file: _File) -> Downloaded:
        if file.target.exists():
            found = file.target.stat().st_size
            if self._is_there(file, found):
                self._shown.expect(-file.size)
                return Downloaded(file.target, "present", found, file.uid)
            if not self._overwrite:
                told = "another file of this name is there"
                raise BadRequest(told, hint="download(overwrite=True) replaces it")
        file.target.parent.mkdir(parents=True, exist_ok=True)
        size = patiently(lambda: self._transfer(file))
        if not self._is_right(file, file.part):
            file.part.unlink()
            self._shown.expect(file.size)
            size = patiently(lambda: self._transfer(file))  # the old part may have been what was wrong
            if not self._is_right(file, file.part):
                file.part.unlink()
                raise Damaged("What arrived is not what is stored", hint="ask for `isocenter verify`")
        os.replace(file.part, file.target)
        return Downloaded(file.target, "downloaded", size, file.uid)

    def _is_there(self, file: _File, found: int) -> bool:
        """Whether the file on disk is the instance: by its size, with `verify` by its digest."""
        if not file.as_stored:  # the server sends it in another encoding, so of another size
            with self._transport.request("HEAD", file.source, headers={"Accept": AS_STORED}) as told:
                return int(told.headers.get("Content-Length") or -1) == found
        return found == file.size and (not self._verify or self._is_right(file, file.target))

    def _is_right(self, file: _File, path: Path) -> bool:
        if not file.as_stored or not file.sha256:
            return True
        return identity(path, self._check) == file.sha256

    def _transfer(self, file: _File) -> int:
        """Bring the part to its full length."""
        have = file.part.stat().st_size if file.part.exists() else 0
        if file.as_stored and have >= file.size > 0:
            self._shown.expect(-file.size)
            return have
        headers = {"Accept": AS_STORED, **({"Range": f"bytes={have}-"} if have else {})}
        with self._transport.request("GET", file.source, headers=headers, accept_status=(416,)) as answer:
            if answer.status == 416:  # longer than it: of another state
                file.part.unlink()
                raise Unavailable("The part that was there does not fit")
            have = have if answer.status == 206 else 0
            length = have + int(answer.headers.get("Content-Length") or 0)
            self._shown.expect(length - have - file.size)
            left = length - have
            with file.part.open("r+b" if have else "wb") as part:
                part.seek(have)
                try:
                    for block in self._blocks(answer):
                        part.write(block)
                        left -= len(block)
                        self._shown.advance(len(block))
                except Unavailable:
                    self._shown.expect(file.size - left)  # as if it were not begun
                    raise
            return length

    def _blocks(self, answer: Any) -> Iterator[bytes]:
        buffer = bytearray(_BLOCK)
        while count := answer.readinto(buffer):
            self._check()
            yield bytes(memoryview(buffer)[:count])

    def _check(self) -> None:
        if self._stop.is_set():
            raise _Stopped


def identity(path: Path, check: Callable[[], None] = lambda: None) -> str:
    """The identity digest of a Part 10 file as the archive has it: data set bytes and transfer syntax.

    Args:
        path: of the file.
        check: called now and then; what it raises ends it.
    """
    running = hashlib.sha256()
    with contextlib.suppress(ValueError), path.open("rb") as file:
        head = file.read(_META)
        if head[128:132] != b"DICM" or head[132:136] != b"\x02\x00\x00\x00":
            return ""
        meta = file.read(int.from_bytes(head[140:144], "little"))
        while block := file.read(1 << 20):
            check()
            running.update(block)
        running.update(_transfer_syntax(meta))
    return running.hexdigest()


def _transfer_syntax(meta: bytes) -> bytes:
    """The value of (0002,0010), always explicit little endian."""
    at = meta.index(b"\x02\x00\x10\x00UI")
    length = int.from_bytes(meta[at + 6 : at + 8], "little")
    return meta[at + 8 : at + 8 + length].rstrip(b"\0 ")
