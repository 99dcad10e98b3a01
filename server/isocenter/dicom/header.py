"""The header of a stored object: every data element up to Pixel Data, without the bytes of large values.

`read_header` walks a Part 10 file or a bare data set once and keeps the header packed (`Header.raw`): the
data set's bytes up to Pixel Data, the bytes of values over 1 KiB left out. `Header.unpack` gives the same
header back from these bytes alone, offsets into the file included.

Not here: the walk itself (`_walker`), text (`charset`), DICOM JSON (`json_model`), frames (`frames`).
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from struct import Struct

from isocenter.dicom import _keys
from isocenter.dicom._elements import BIG, EXPLICIT, IMPLICIT, Element, Pick, Pixels, Syntax, Wanted
from isocenter.dicom._keys import text_of_value
from isocenter.dicom._limits import DEFAULT, Limits, UnreadableHeader
from isocenter.dicom._meta import find_meta, look
from isocenter.dicom._walker import Walker
from isocenter.dicom._windows import Inflated, Readable, Whole, windows_of
from isocenter.dicom.uids import (
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    is_deflated,
)

__all__ = [
    "Element",
    "Header",
    "IndexKeys",
    "Limits",
    "PixelData",
    "UnreadableHeader",
    "read_header",
    "text_of_value",
]

PixelData = Pixels
IndexKeys = dict[str, str]
Source = bytes | bytearray | memoryview | mmap.mmap | Readable

_NATIVE = frozenset({IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN})
_SYNTAX = {IMPLICIT_LITTLE_ENDIAN: IMPLICIT, EXPLICIT_BIG_ENDIAN: BIG}

# version, VR of Pixel Data, its tag (0: none), its offset, its length, the end of the header; offsets count
# from the start of the data set.
_PACKED = Struct("<B2sxIQQQ")
_VERSION = 1
_ENCAPSULATED = 0xFFFFFFFFFFFFFFFF


class Header:
    """All data elements of one object up to Pixel Data; equal when syntax, offset and bytes are equal.

    Attributes:
        transfer_syntax: UID; what the data set is written in, where the file says otherwise.
        data_set_offset: bytes of preamble and File Meta Information before the data set.
        meta: File Meta Information, text by keyword; empty for a bare data set.
        size: bytes of the source; None when not told.
        pixel_data: tag, vr, offset and length (None: encapsulated) of top-level Pixel Data, or None.
            The offset is in the file, or in the inflated stream when `deflated`.
    """

    __slots__ = (
        "_body",
        "_keys",
        "_limits",
        "_noted",
        "_picks",
        "_problems",
        "_span",
        "data_set_offset",
        "meta",
        "pixel_data",
        "size",
        "transfer_syntax",
    )

    def __init__(
        self,
        transfer_syntax: str,
        data_set_offset: int,
        body: bytes,
        span: int,
        pixel_data: PixelData | None,
        *,
        meta: dict[str, str] | None = None,
        size: int | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        self.transfer_syntax = transfer_syntax
        self.data_set_offset = data_set_offset
        self.meta = {} if meta is None else meta
        self.size = size
        self.pixel_data = pixel_data
        self._body = body
        self._span = span
        self._limits = limits
        self._problems: list[str] | None = None
        self._noted: list[str] = []
        self._picks: list[Pick] | None = None
        self._keys: tuple[str | None, IndexKeys] | None = None

    @classmethod
    def unpack(
        cls,
        raw: bytes,
        *,
        transfer_syntax: str,
        data_set_offset: int = 0,
        size: int | None = None,
        limits: Limits = DEFAULT,
    ) -> Header:
        """The header that `raw` was taken from, for a file whose data set begins at `data_set_offset`.

        Raises:
            UnreadableHeader: `raw` is not a packed header of a known version.
        """
        if len(raw) < _PACKED.size or raw[0] != _VERSION:
            raise UnreadableHeader("Not a packed header of this version")
        _, vr, tag, offset, length, span = _PACKED.unpack_from(raw)
        start = 0 if is_deflated(transfer_syntax) else data_set_offset
        pixel_data = None
        if tag:
            known = None if length == _ENCAPSULATED else length
            pixel_data = PixelData(tag, vr.decode("ascii"), start + offset, known)
        body = raw[_PACKED.size :]
        return cls(transfer_syntax, data_set_offset, body, span, pixel_data, size=size, limits=limits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Header) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"<Header {self.transfer_syntax}, {len(self._body)} bytes kept of {self._span}>"

    def _identity(self) -> tuple[object, ...]:
        return self.transfer_syntax, self.data_set_offset, self._span, self.pixel_data, self._body

    @property
    def deflated(self) -> bool:
        """Whether offsets count in the inflated stream and not in the file."""
        return is_deflated(self.transfer_syntax)

    @property
    def raw(self) -> bytes:
        """The packed header: a prefix of 32 bytes, then the bytes kept; see `unpack`."""
        pixels = self.pixel_data
        if pixels is None:
            return _PACKED.pack(_VERSION, b"", 0, 0, 0, self._span) + self._body
        length = _ENCAPSULATED if pixels.length is None else pixels.length
        offset = pixels.offset - self._start
        return _PACKED.pack(_VERSION, pixels.vr.encode(), pixels.tag, offset, length, self._span) + self._body

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the encoding, found so far, without any value.

        Sequences of at most 1 KiB and character sets are looked into when they are asked for.
        """
        if self._problems is None:
            self._pick()
        return tuple(dict.fromkeys([*(self._problems or ()), *self._noted]))

    def elements(self) -> Iterator[Element]:
        """The data elements in the order of the file, group lengths included, Pixel Data not.

        Raises:
            UnreadableHeader: beyond the limits.
        """
        return iter(self.tree())

    def tree(self) -> list[Element]:
        """What `elements` iterates over."""
        walker = self._walker()
        out: list[Element] = []
        walker.level(0, walker.end, self._syntax(), 0, out)
        for problem in walker.problems:
            self.note(problem)
        return out

    def index_keys(self, *, assume_charset: str | None = None) -> IndexKeys:
        """The attributes that the index holds, as Unicode text by keyword, values joined by a backslash.

        Empty elements are empty text, missing ones are not there. `assume_charset` is the character set of
        text beyond ASCII where the object names none (a term of PS3.3 C.12.1.1.2).
        """
        if self._keys is None or self._keys[0] != assume_charset:
            if self._picks is None:
                self._pick()
            self._keys = assume_charset, _keys.decode(self._picks or [], assume_charset, self.note)
        return self._keys[1]

    def pick(self, tags: Collection[int]) -> list[Element]:
        """The top-level elements of these tags, without building the others."""
        walker = self._walker()
        walker.wanted = Wanted(tags)
        walker.level(0, walker.end, self._syntax(), 0, None)
        return list(map(Element._make, walker.picks))

    def text(self, keyword: str) -> str | None:
        """The text of one top-level attribute (or of a dotted path), None when it is missing or large."""
        if keyword in _keys.NAMES:
            return self.index_keys().get(keyword)
        return _keys.text_of(self.pick(_keys.tags_of(keyword)), keyword, self.note)

    def note(self, problem: str) -> None:
        """Add to the problems what a reader of values found."""
        if problem not in self._noted and len(self._noted) < 50:
            self._noted.append(problem)

    @property
    def _start(self) -> int:
        return 0 if self.deflated else self.data_set_offset

    def _syntax(self) -> Syntax:
        return _syntax_of(look(self._body, 0), self.transfer_syntax)

    def _walker(self) -> Walker:
        start = self._start
        return Walker(self._body, start, start + self._span, packed=True, limits=self._limits)

    def _pick(self) -> None:
        walker = self._walker()
        walker.wanted = _keys.WANTED
        walker.level(0, walker.end, self._syntax(), 0, None)
        self._picks, self._problems = walker.picks, walker.problems


def read_header(source: Source, *, transfer_syntax: str | None = None, limits: Limits = DEFAULT) -> Header:
    """The header of a Part 10 file, or of a bare data set.

    Args:
        source: bytes-like, an mmap, or a seekable binary file, read from its start; large values and Pixel
            Data are not read from it.
        transfer_syntax: of a bare data set, as negotiated; without it the source may be a Part 10 file with
            or without preamble and File Meta Information, and what is not told is guessed by looking.
        limits: see `Limits`.

    Raises:
        UnreadableHeader: not DICOM, no element can be read, or a limit is passed.
    """
    windows = windows_of(source)
    meta, start, head = ({}, 0, windows.head(0)) if transfer_syntax else find_meta(windows)
    told = transfer_syntax or meta.get("TransferSyntaxUID") or None
    size = windows.size
    if told and is_deflated(told):
        inflated = Inflated(windows, start, limits)
        walker = Walker(inflated.at(0), 0, inflated.size, windows=inflated, limits=limits)
        return _walk(walker, 0, start, told, meta, size)
    if isinstance(windows, Whole):
        walker = Walker(windows.buffer, 0, size, limits=limits)
    else:
        walker = Walker(head or windows.at(0), 0, size, windows=windows, limits=limits)
    walker.keep = start
    return _walk(walker, start, start, told, meta, size)


def _walk(
    walker: Walker, pos: int, start: int, told: str | None, meta: dict[str, str], size: int | None
) -> Header:
    found = look(walker.buffer, pos)
    if told is None and found is None and start == 0:
        raise UnreadableHeader("This is not DICOM", hint="neither a Part 10 file nor a data set")
    actual = told or found or IMPLICIT_LITTLE_ENDIAN
    if told in _NATIVE and found is not None and found != told:
        walker.problem("the data set is not written in its transfer syntax", pos)
        actual = found
    origin = walker.shift + pos
    walker.wanted = _keys.WANTED
    end = walker.level(pos, walker.end, _syntax_of(found, actual), 0, None)
    span = walker.shift + end - origin
    body = walker.finish(end)
    if walker.count == 0 and walker.pixels is None and (span or not meta):
        raise UnreadableHeader("No data element can be read")
    header = Header(actual, start, body, span, walker.pixels, meta=meta, size=size, limits=walker.limits)
    header._picks, header._problems = walker.picks, walker.problems
    return header


def _syntax_of(found: str | None, told: str) -> Syntax:
    """How to walk: as the first element looks; as told when there is none to look at."""
    return _SYNTAX.get(told if found is None else found, EXPLICIT)
