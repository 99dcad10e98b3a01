"""What `archive.store` takes, as a list of uploads: folders, files, zips, data sets, bytes, lists of these.

An upload can be opened more than once, so that a broken connection is no lost file. Not here: sending.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from isocenter.dicom.uids import (
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    is_valid_uid,
)
from isocenter.errors import BadRequest, NotFound

_HEAD = 4096
_SYNTAXES: dict[object, str] = {(True, True): IMPLICIT_LITTLE_ENDIAN, (False, False): EXPLICIT_BIG_ENDIAN}


class Stream(Protocol):
    """What an upload is read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""

    def close(self) -> None:
        """Called when the upload is read."""


@dataclass(frozen=True)
class Upload:
    """One file to send.

    Attributes:
        name: of the file, for the report.
        size: in bytes.
        open: gives its bytes from the start.
        uid: SOP Instance UID, empty when it is not among the first bytes.
        skipped: why it is not sent; empty: it is.
    """

    name: str
    size: int
    open: Callable[[], Stream]
    uid: str = ""
    skipped: str = ""


def uploads(source: object) -> Iterator[Upload]:
    """Everything in `source`, in a stable order.

    Raises:
        NotFound: a path that does not exist.
        BadRequest: something that is neither a path, nor bytes, nor a data set, nor a list of these.
    """
    if isinstance(source, (str, os.PathLike)):
        yield from _path(Path(os.fspath(source)).expanduser())
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield _bytes("bytes", bytes(source))
    elif hasattr(source, "save_as"):
        yield _bytes(str(getattr(source, "SOPInstanceUID", "data set")), _encoded(source))
    elif hasattr(source, "read"):
        yield _bytes(str(getattr(source, "name", "stream")), source.read())
    elif isinstance(source, Iterable):
        for one in source:
            yield from uploads(one)
    else:
        hint = "give a folder, a file, a zip, a pydicom data set, bytes, or a list of these"
        raise BadRequest(f"{type(source).__name__} cannot be stored", hint=hint)


def _path(path: Path) -> Iterator[Upload]:
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                yield from _file(Path(folder, name), chosen=False)
    elif path.is_file():
        yield from _file(path, chosen=True)
    else:
        raise NotFound(f"There is no file or folder {path}")


def _file(path: Path, *, chosen: bool) -> Iterator[Upload]:
    """A file; one that was named itself is sent whatever it looks like, and a zip is opened."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        yield Upload(str(path), 0, io.BytesIO, skipped=error.strerror or "cannot be read")
        return
    if head.startswith(b"PK\x03\x04"):
        yield from _zip(path, chosen=chosen)
        return
    reason = "" if chosen and size else _not_dicom(path.name, head)
    yield Upload(str(path), size, lambda: path.open("rb"), sop_instance_of(head), reason)


def _zip(path: Path, *, chosen: bool) -> Iterator[Upload]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                if not entry.is_dir():
                    yield _entry(path, archive, entry)
    except (zipfile.BadZipFile, OSError) as error:
        if chosen:
            raise BadRequest(f"{path} is a damaged zip", hint=str(error)) from None
        yield Upload(str(path), 0, io.BytesIO, skipped="a damaged zip")


def _entry(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Upload:
    name = f"{path}/{entry.filename}"
    try:
        with archive.open(entry) as file:
            head = file.read(_HEAD)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        return Upload(name, 0, io.BytesIO, skipped=f"cannot be unpacked: {error}")
    reason = _not_dicom(Path(entry.filename).name, head)
    return Upload(name, entry.file_size, lambda: _Entry(path, entry.filename), sop_instance_of(head), reason)


class _Entry:
    """A member of a zip, with a file of its own: threads do not share a ZipFile."""

    def __init__(self, path: Path, name: str) -> None:
        self._archive = zipfile.ZipFile(path)
        try:
            self._file = self._archive.open(name)
        except BaseException:
            self._archive.close()
            raise

    def read(self, size: int, /) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()
        self._archive.close()


def _bytes(name: str, data: bytes) -> Upload:
    return Upload(name, len(data), lambda: io.BytesIO(data), sop_instance_of(data[:_HEAD]))


def _encoded(dataset: object) -> bytes:
    """A pydicom data set as a Part 10 file, in the transfer syntax that it says or was read in."""
    import copy
    import warnings

    from pydicom import dcmwrite
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    if not isinstance(dataset, Dataset):
        raise BadRequest(f"{type(dataset).__name__} cannot be stored", hint="give a pydicom Dataset")
    written = copy.copy(dataset)
    meta = written.file_meta = FileMetaDataset(getattr(dataset, "file_meta", None) or {})
    if "TransferSyntaxUID" not in meta:
        meta.TransferSyntaxUID = UID(_SYNTAXES.get(dataset.original_encoding, EXPLICIT_LITTLE_ENDIAN))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that pydicom would word otherwise are stored as they are
        try:
            dcmwrite(buffer, written, enforce_file_format=True)
        except (ValueError, AttributeError, TypeError) as error:
            raise BadRequest("The data set cannot be written as DICOM", hint=str(error)) from error
    return buffer.getvalue()


def _not_dicom(name: str, head: bytes) -> str:
    """Why a file found in a folder is not sent; empty when it may be a DICOM object."""
    if not head:
        return "empty"
    if name.upper() == "DICOMDIR":
        return "a directory of other files"
    if head[128:132] == b"DICM" or _starts_like_a_data_set(head):
        return ""
    return "not DICOM"


def _starts_like_a_data_set(head: bytes) -> bool:
    """Whether the first element is of group 0002 or 0008, in either byte order."""
    return head[:2] in (b"\x02\x00", b"\x08\x00") or head[:2] in (b"\x00\x02", b"\x00\x08")


def sop_instance_of(head: bytes) -> str:
    """The SOP Instance UID in the first bytes of a file, empty when it is not to be seen there.

    It only joins results to files in the report: what is stored is decided by the server.
    """
    for tag, order, size in _UID_TAGS:
        at = head.find(tag)
        if at >= 0:
            start = at + len(tag)
            length = int.from_bytes(head[start : start + size], order)
            uid = head[start + size : start + size + min(length, 64)].strip(b" \0").decode("ascii", "replace")
            if is_valid_uid(uid):
                return uid
    return ""


# SOP Instance UID explicit, implicit and big endian; then the file meta's, which may disagree.
_UID_TAGS: tuple[tuple[bytes, Literal["little", "big"], int], ...] = (
    (b"\x08\x00\x18\x00UI", "little", 2),
    (b"\x08\x00\x18\x00", "little", 4),
    (b"\x00\x08\x00\x18UI", "big", 2),
    (b"\x02\x00\x03\x00UI", "little", 2),
)
