"""A Part 10 file from metadata in the DICOM JSON model and separate bulk data (PS3.18 8.7.3, 10.5).

Bulk values are read from a file by (offset, length) while the new file is written, so that memory does not
grow with them. Compressed frames are encapsulated with a basic offset table in the transfer syntax that they
come in. Text is written in ISO_IR 192 where it is not ASCII, as JSON and XML are Unicode.

Not here: how metadata and bulk data arrive (`dicomweb.bulk_parts`); an image description is not derived from
compressed frames: the metadata must have it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from isocenter.dicom.codestream import bare, syntax_of
from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN, is_encapsulated, is_valid_uid
from isocenter.errors import UnreadableObject

_STREAMED = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_MOST_IN_MEMORY = 256 * 1024 * 1024
_PIXELS = "7FE00010"


@dataclass(frozen=True)
class Bulk:
    """One bulk part: where it is in the file, its media type and, if it names one, its transfer syntax."""

    offset: int
    length: int
    media_type: str = "application/octet-stream"
    transfer_syntax: str = ""


@dataclass(frozen=True)
class Place:
    """An element whose value is bulk data: its data set by (tag, item) steps, its tag and VR."""

    steps: tuple[tuple[str, int], ...]
    tag: str
    vr: str
    uri: str


class Section(io.RawIOBase):
    """A part of an open file as a file of its own, of even length: an odd one ends with a zero."""

    def __init__(self, file: BinaryIO, offset: int, length: int) -> None:
        super().__init__()
        self._file, self._offset, self._at = file, offset, 0
        self._real, self._length = length, length + length % 2

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the section."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def tell(self) -> int:
        """Where it is within the section."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read on."""
        wanted = min(len(buffer), max(self._length - self._at, 0))
        self._file.seek(self._offset + self._at)
        piece = self._file.read(min(wanted, max(self._real - self._at, 0)))
        if len(piece) < wanted and self._at + len(piece) == self._real:
            piece += b"\0"
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def bulk_places(document: Mapping[str, Any], steps: tuple[tuple[str, int], ...] = ()) -> Iterator[Place]:
    """Every element of a data set, at any depth, whose value is a BulkDataURI."""
    for tag, element in document.items():
        if not isinstance(element, Mapping):
            raise UnreadableObject(f"The metadata has no element at {str(tag)[:20]!r}")
        if "BulkDataURI" in element:
            uri = element["BulkDataURI"]
            yield Place(
                steps, tag, str(element.get("vr")), str(uri[0] if isinstance(uri, list) and uri else uri)
            )
        elif element.get("vr") == "SQ":
            for number, item in enumerate(element.get("Value") or ()):
                yield from bulk_places(item or {}, (*steps, (tag, number)))


def assemble(
    document: Mapping[str, Any], bulk: Mapping[str, Sequence[Bulk]], bulk_file: str, target: str
) -> str:
    """Write the Part 10 file; its transfer syntax.

    Args:
        document: the data set in the DICOM JSON model; File Meta Information in it is not used.
        bulk: parts by the URI that the metadata names, in order; the frames of compressed Pixel Data are one
            part each.
        bulk_file: path of the file that the parts are in.
        target: path of the file to write.

    Raises:
        UnreadableObject: the metadata is no data set, a part is missing, or a value cannot be written.
    """
    import pydicom

    places = list(bulk_places(document))
    missing = [place.uri for place in places if place.uri not in bulk]
    if missing:
        raise UnreadableObject(f"No part has the Content-Location {missing[0][:80]!r}")
    try:
        with warnings.catch_warnings(), open(bulk_file, "rb") as file:
            warnings.simplefilter("ignore")  # odd values are kept as they are said
            data_set = pydicom.Dataset.from_json(_without_bulk(document))
            syntax = EXPLICIT_LITTLE_ENDIAN
            for place in places:
                found = _fill(data_set, place, bulk[place.uri], file)
                syntax = found or syntax
            _write(data_set, syntax, target)
    except UnreadableObject:
        raise
    except Exception as error:
        raise UnreadableObject(
            f"The metadata cannot be written as a data set: {type(error).__name__}"
        ) from error
    return syntax


def _without_bulk(document: Mapping[str, Any]) -> dict[str, Any]:
    """The data set without bulk values, File Meta Information and group lengths, in Unicode."""
    plain: dict[str, Any] = {}
    for tag, element in sorted(document.items()):
        number = int(tag, 16)
        if number >> 16 <= 0x0002 or not number & 0xFFFF:
            continue
        if "BulkDataURI" in element:
            plain[tag] = {"vr": element.get("vr")}
        elif element.get("vr") == "SQ":
            items = [_without_bulk(item or {}) for item in element.get("Value") or ()]
            for item in items:
                item.pop("00080005", None)
            plain[tag] = {"vr": "SQ", "Value": items}
        else:
            plain[tag] = dict(element)
    return plain


def _fill(data_set: Any, place: Place, parts: Sequence[Bulk], file: BinaryIO) -> str | None:
    """Give an element its value; the transfer syntax that it asks for, if it is compressed Pixel Data."""
    for tag, number in place.steps:
        data_set = data_set[int(tag, 16)].value[number]
    if place.tag == _PIXELS and not place.steps:
        compressed = [_compressed(part, file) for part in parts]
        if any(compressed):
            return _encapsulate(data_set, [one for one in compressed if one], file)
    length = sum(part.length for part in parts)
    if place.vr in _STREAMED and len(parts) == 1:
        whole = io.BufferedReader(Section(file, parts[0].offset, length))
        data_set.add_new(int(place.tag, 16), place.vr, whole)
        return None
    if length > _MOST_IN_MEMORY:
        raise UnreadableObject(f"The value of {place.tag} is too long for {place.vr} in {len(parts)} parts")
    _set_bytes(data_set, place, b"".join(_read(part, file) for part in parts))
    return None


def _set_bytes(data_set: Any, place: Place, value: bytes) -> None:
    from pydicom.dataelem import RawDataElement, convert_raw_data_element
    from pydicom.tag import Tag

    if place.vr == "SQ":
        raise UnreadableObject(f"The sequence {place.tag} cannot be bulk data")
    raw = RawDataElement(Tag(int(place.tag, 16)), place.vr, len(value), value, 0, False, True, True)
    data_set.add(convert_raw_data_element(raw, encoding=["utf8"], ds=data_set))


def _read(part: Bulk, file: BinaryIO) -> bytes:
    file.seek(part.offset)
    return file.read(part.length)


def _compressed(part: Bulk, file: BinaryIO) -> tuple[str, Bulk] | None:
    """The transfer syntax of a compressed frame, and the codestream itself; None of plain bytes."""
    named = part.transfer_syntax
    if named and not is_valid_uid(named):
        raise UnreadableObject("The transfer syntax of a part is no UID")
    if part.media_type == "application/octet-stream" and not (named and is_encapsulated(named)):
        return None
    file.seek(part.offset)
    start, length = bare(file.read(min(part.length, 64 * 1024)), part.length)
    inside = Bulk(part.offset + start, length, part.media_type, named)
    syntax = (
        named if named and is_encapsulated(named) else syntax_of(_read_some(inside, file), part.media_type)
    )
    if syntax is None:
        raise UnreadableObject(f"No transfer syntax is known for pixels of type {part.media_type[:60]}")
    return syntax, inside


def _read_some(part: Bulk, file: BinaryIO) -> bytes:
    file.seek(part.offset)
    return file.read(min(part.length, 64 * 1024))


def _encapsulate(data_set: Any, frames: Sequence[tuple[str, Bulk]], file: BinaryIO) -> str:
    from pydicom.encaps import encapsulate_buffer, encapsulate_extended_buffer

    syntaxes = {syntax for syntax, _ in frames}
    if len(syntaxes) > 1:
        raise UnreadableObject("The frames of Pixel Data are in several transfer syntaxes")
    buffers: list[io.BufferedIOBase] = [
        io.BufferedReader(Section(file, part.offset, part.length)) for _, part in frames
    ]
    if sum(part.length + 8 for _, part in frames) < 2**32 - 1024:
        data_set.PixelData = encapsulate_buffer(buffers)
    else:
        made = encapsulate_extended_buffer(buffers)
        data_set.PixelData, data_set.ExtendedOffsetTable, data_set.ExtendedOffsetTableLengths = made
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    return syntaxes.pop()


def _write(data_set: Any, syntax: str, target: str) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    if "SpecificCharacterSet" in data_set or not _is_ascii(data_set):
        data_set.SpecificCharacterSet = "ISO_IR 192"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    for name in ("Class", "Instance"):
        if uid := data_set.get(f"SOP{name}UID"):
            setattr(meta, f"MediaStorageSOP{name}UID", uid)
    data_set.file_meta = meta
    data_set.preamble = b"\0" * 128
    data_set.save_as(target, implicit_vr=False, little_endian=True, enforce_file_format=False)


def _is_ascii(data_set: Any) -> bool:
    for element in data_set:
        if element.VR == "SQ":
            if not all(map(_is_ascii, element.value)):
                return False
        elif element.VR in ("LO", "LT", "PN", "SH", "ST", "UC", "UT") and not str(element.value).isascii():
            return False
    return True
