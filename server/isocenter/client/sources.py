"""What `archive.store` takes, as uploads: folders, files, zips, data sets, bytes, frames, lists of these.

An upload can be opened more than once, so that a broken connection is no lost file. What is left out of a
folder is an upload that says why. Not here: sending.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

from isocenter.dicom.uids import (
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    is_valid_uid,
)
from isocenter.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# What reading a damaged, cut, encrypted or strangely packed member raises.
_DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
)
with contextlib.suppress(ImportError):  # a Python built without it opens no such members
    from lzma import LZMAError

    _DAMAGE = (*_DAMAGE, LZMAError)
_HEAD = 4096
_ZIP = b"PK\x03\x04"
# What a zip may unpack to: so much, or so many times its size. Phantoms of one value pack 1:1000.
_UNPACKED, _RATIO = 4 << 30, 200
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
        encode: of a data set or stream: gives its upload, to be called when its turn comes, since a list of
            these taken all at once would be in memory twice.
    """

    name: str
    size: int
    open: Callable[[], Stream]
    uid: str = ""
    skipped: str = ""
    encode: Callable[[], Upload] | None = field(default=None, repr=False)


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
        yield _data_set(source)
    elif hasattr(source, "transport") and hasattr(source, "dataset_name"):
        yield from _instances(source)
    elif hasattr(source, "read"):
        yield _stream(source)
    elif isinstance(source, Iterable):
        for one in source:
            yield from uploads(one)
    else:
        hint = "give a folder, a file, a zip, a pydicom data set, bytes, a frame or a list of these"
        raise BadRequest(f"{type(source).__name__} cannot be stored", hint=hint)


def _path(path: Path) -> Iterator[Upload]:
    if path.is_dir():
        yield from _folder(path)
    elif path.is_file():
        yield from _file(path, chosen=True)
    else:
        windows = os.sep == "/" and PureWindowsPath(path).drive and "\\" in str(path)
        hint = "this machine has no such paths; under WSL a drive is at /mnt/c" if windows else ""
        if "*" in path.name or "?" in path.name:
            hint = "for a pattern give list(Path(folder).glob('*.dcm')), or the folder"
        raise NotFound(f"There is no file or folder {path}", hint=hint)


def _folder(path: Path) -> Iterator[Upload]:
    """All below a folder but what is hidden; links to folders are not followed: they may lead in circles."""
    unreadable: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=unreadable.append):
        yield from map(_unreadable, unreadable)
        unreadable.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                yield _left_out(os.path.join(folder, name), "a link to a folder: name it to store it")
        for name in sorted(names):
            yield from _file(Path(folder, name), chosen=False)
    yield from map(_unreadable, unreadable)


def _left_out(name: str | Path, reason: str) -> Upload:
    return Upload(str(name), 0, io.BytesIO, skipped=reason)


def _unreadable(error: OSError) -> Upload:
    return _left_out(error.filename, error.strerror or "cannot be read")


def _file(path: Path, *, chosen: bool) -> Iterator[Upload]:
    """A file; one that was named itself is sent whatever it looks like, and a zip is opened."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # a pipe would be waited for, a device never end
            yield _left_out(path, "no regular file")
            return
        size = facts.st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        yield _left_out(path, error.strerror or "cannot be read")
        return
    if head.startswith(_ZIP):
        yield from _zip(path, chosen=chosen)
        return
    reason = "" if chosen and size else _not_dicom(path.name, head)
    yield Upload(str(path), size, lambda: path.open("rb"), sop_instance_of(head), reason)


def _zip(path: Path, *, chosen: bool) -> Iterator[Upload]:
    try:
        with _unpacking(), zipfile.ZipFile(path) as archive:
            left = max(_UNPACKED, _RATIO * path.stat().st_size)
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                if not entry.is_dir():
                    left -= entry.file_size
                    yield _entry(path, archive, entry, bomb=left < 0)
    except OSError as error:
        if chosen:
            raise BadRequest(f"{path} is a damaged zip", hint=str(error)) from None
        yield _left_out(path, "a damaged zip")


@contextlib.contextmanager
def _unpacking() -> Iterator[None]:
    """A damaged zip is a file that cannot be read, whatever its packing calls that."""
    try:
        yield
    except _DAMAGE as error:
        raise OSError(str(error) or type(error).__name__) from error


def _entry(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, bomb: bool) -> Upload:
    name = f"{path}/{entry.filename}"
    if bomb:
        return _left_out(name, "the zip unpacks to far more than it is: unpack it yourself to store it")
    try:
        with _unpacking(), archive.open(entry) as file:
            head = file.read(_HEAD)
    except OSError as error:
        return _left_out(name, f"cannot be unpacked: {error}")
    zipped = head.startswith(_ZIP)
    reason = "a zip within a zip" if zipped else _not_dicom(Path(entry.filename).name, head)
    return Upload(name, entry.file_size, lambda: _Entry(path, entry), sop_instance_of(head), reason)


class _Entry:
    """A member of a zip, with a file of its own: threads do not share a ZipFile."""

    def __init__(self, path: Path, entry: zipfile.ZipInfo) -> None:
        with _unpacking():
            self._archive = zipfile.ZipFile(path)
            try:
                self._file = self._archive.open(entry)  # two members may have one name
            except BaseException:
                self._archive.close()
                raise

    def read(self, size: int, /) -> bytes:
        with _unpacking():
            return self._file.read(size)

    def close(self) -> None:
        self._file.close()
        self._archive.close()


def _instances(source: Any) -> Iterator[Upload]:
    """Instances of an archive, another or the same one: their files, byte for byte."""
    from isocenter.client.files import read_whole
    from isocenter.client.selection import Selection

    chosen = Selection(source.transport, source.dataset_name)

    def upload(name: str, path: str) -> Upload:
        return Upload(name, 0, io.BytesIO, encode=lambda: _bytes(name, read_whole(source.transport, path)))

    for row in chosen.rows(source):
        yield upload(str(row["SOPInstanceUID"]), chosen.path(row))


def _bytes(name: str, data: bytes) -> Upload:
    return Upload(name, len(data), lambda: io.BytesIO(data), sop_instance_of(data[:_HEAD]))


def _stream(source: Any) -> Upload:
    """An open file still to be read."""
    name = str(getattr(source, "name", "stream"))

    def read() -> Upload:
        told = source.read()
        if not isinstance(told, (bytes, bytearray, memoryview)):
            raise BadRequest("it was opened as text", hint="open(path, 'rb')")
        return _bytes(name, bytes(told))

    return Upload(name, 0, io.BytesIO, encode=read)


def _data_set(dataset: object) -> Upload:
    """A data set still to be encoded, or one that turns out not to be writable: then it says why."""
    from pydicom.dataset import Dataset

    if not isinstance(dataset, Dataset):
        raise BadRequest(f"{type(dataset).__name__} cannot be stored", hint="give a pydicom Dataset")
    name = str(dataset.get("SOPInstanceUID", "data set"))
    return Upload(name, 0, io.BytesIO, encode=lambda: _bytes(name, encoded(dataset)))


def encoded(dataset: Dataset) -> bytes:
    """A pydicom data set as a Part 10 file, in the transfer syntax that it says or was read in."""
    import copy
    import warnings

    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

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
