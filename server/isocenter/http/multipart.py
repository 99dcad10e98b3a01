"""Reading and writing multipart/related as a stream (RFC 2046 5.1, RFC 2387, PS3.18 8.6.1.2).

The reader takes what real senders write: a line break before the first delimiter or none after the last, a
last delimiter without the line break before it, bare LF, white space after delimiters, a preamble, parts
without headers. It holds no more than a delimiter's length of data. It does not decode transfer encodings.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from isocenter.errors import BadRequest

_MOST_PREAMBLE = 64 * 1024
_MOST_HEADERS = 16 * 1024
_MOST_PADDING = 256  # white space that may follow a delimiter on its line (RFC 2046 transport padding)
_LINE_REST = re.compile(rb"[ \t]*\r?\n")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class PartStart:
    """A part begins. Header names are lower case."""

    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PartData:
    """Bytes of the current part."""

    data: bytes | memoryview


@dataclass(frozen=True)
class PartEnd:
    """The current part is complete."""


Event = PartStart | PartData | PartEnd


class MultipartReader:
    """Cuts a body that arrives in pieces into parts: `feed` each piece, then `finish`.

    Raises:
        BadRequest: the body is not multipart with this boundary, or ends inside a part.
    """

    def __init__(self, boundary: str) -> None:
        if not boundary or len(boundary) > 256:
            raise BadRequest(
                "A multipart body needs a boundary",
                hint="Content-Type: multipart/related; type=...; boundary=...",
            )
        self._mark = b"--" + boundary.encode("latin-1", "replace")
        self._delimiter = b"\r\n" + self._mark
        self._held = b""
        self._at = 0  # what is held before it was used: cutting it off for every part would copy the rest
        self._state = "preamble"
        self._fresh = False  # no byte of the current part's body was seen yet

    @property
    def done(self) -> bool:
        """Whether the closing delimiter was seen."""
        return self._state == "epilogue"

    def feed(self, data: bytes) -> Iterator[Event]:
        """What `data` completes. The iterator must be used up before the next call."""
        self._held = self._held[self._at :] + data if self._at < len(self._held) else data
        self._at = 0
        while True:
            state, before = self._state, self._at
            if state == "body":
                yield from self._body()
            elif state == "headers":
                yield from self._headers()
            elif state == "preamble":
                self._preamble()
            else:
                self._held, self._at = b"", 0
                return
            if self._state == state and self._at == before:
                return

    def finish(self) -> Iterator[Event]:
        """The end of the body has come."""
        if self._state == "body":
            # Some senders close with `--boundary--` right behind the data, without a line break.
            last = re.compile(rb"(?:\r?\n)?" + re.escape(self._mark) + rb"--\s*\Z")
            found = last.search(self._held, self._at)
            if found:
                yield from self._data(found.start())
                yield PartEnd()
                self._state = "epilogue"
        if self._state != "epilogue":
            where = {"preamble": "before its first part", "headers": "inside a part's headers"}
            raise BadRequest(
                f"The multipart body ends {where.get(self._state, 'inside a part')}",
                hint="is it complete, and is the boundary that of the Content-Type?",
            )

    def _preamble(self) -> None:
        held, at = self._held, self._at
        first = held.startswith(self._mark, at)
        place = at if first else held.find(b"\n" + self._mark, at) + 1
        if place == 0 and not first:
            if len(held) - at > _MOST_PREAMBLE:
                raise BadRequest("The multipart body has no delimiter of its boundary")
            return
        after = self._after(place + len(self._mark))
        if after is None:
            return
        kind, end = after
        if kind == "data":
            raise BadRequest("The multipart body's first delimiter is not alone on its line")
        if held[max(end - 2, 0) : end] != b"\r\n":
            self._delimiter = b"\n" + self._mark  # a sender of bare LF
        self._at = end
        self._state = "headers" if kind == "next" else "epilogue"

    def _after(self, place: int) -> tuple[str, int] | None:
        """What follows a delimiter that ends at `place`: `next`, `last` or `data`; None to wait for more."""
        rest = self._held[place : place + _MOST_PADDING + 2]
        if rest.startswith(b"--"):
            return "last", place + 2
        found = _LINE_REST.match(rest)
        if found:
            return "next", place + found.end()
        if len(rest) > _MOST_PADDING or (rest.strip(b" \t\r") and rest != b"-"):
            return "data", place
        return None

    def _headers(self) -> Iterator[Event]:
        held, at = self._held, self._at
        if held.startswith((b"\r\n", b"\n"), at):
            end = at + (2 if held.startswith(b"\r\n", at) else 1)
            block = b""
        else:
            found = _EMPTY_LINE.search(held, at, at + _MOST_HEADERS + 4)
            if not found:
                if len(held) - at > _MOST_HEADERS:
                    raise BadRequest("The headers of a part are too long")
                return
            block, end = held[at : found.start()], found.end()
        self._at = end
        self._state, self._fresh = "body", True
        yield PartStart(_parse_headers(block))

    def _body(self) -> Iterator[Event]:
        place = self._held.find(self._delimiter, self._at)
        # An empty part: its delimiter follows the headers at once, whose last line break was its line break.
        if self._fresh and place != self._at and self._held.startswith(self._mark, self._at):
            after = self._after(self._at + len(self._mark))
            if after is None or after[0] != "data":
                yield from self._closed(self._at, after)
                return
        if place < 0:
            keep = len(self._delimiter) + _MOST_PADDING
            yield from self._data(len(self._held) - keep)
            return
        after = self._after(place + len(self._delimiter))
        if after is not None and after[0] == "data":
            yield from self._data(place + 2)
            return
        yield from self._closed(place, after)

    def _closed(self, place: int, after: tuple[str, int] | None) -> Iterator[Event]:
        yield from self._data(place)
        if after is not None:
            kind, self._at = after
            self._state = "headers" if kind == "next" else "epilogue"
            yield PartEnd()

    def _data(self, end: int) -> Iterator[Event]:
        """The data of the part up to `end`."""
        if end > self._at:
            piece = memoryview(self._held)[self._at : end]
            self._at = end
            self._fresh = False
            yield PartData(piece)


def _parse_headers(block: bytes) -> dict[str, str]:
    headers = {}
    for line in re.sub(rb"\r?\n[ \t]+", b" ", block).splitlines():
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers


class MultipartWriter:
    """Text between the parts of a multipart/related body that we send.

    Args:
        media_type: that of the parts (the `type` parameter).
        boundary: for a body that is to be the same each time; random otherwise.
    """

    def __init__(self, media_type: str, boundary: str = "") -> None:
        self.media_type = media_type
        self.boundary = boundary or secrets.token_hex(16)
        self.content_type = f'multipart/related; type="{media_type}"; boundary={self.boundary}'
        self._begun = False

    def again(self) -> MultipartWriter:
        """A writer of the same body from its start: what was written so far only measured it."""
        other = MultipartWriter(self.media_type)
        other.boundary, other.content_type = self.boundary, self.content_type
        return other

    def head(self, headers: Mapping[str, str]) -> bytes:
        """What goes before a part: delimiter, its headers and the empty line."""
        lines = [f"--{self.boundary}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        text = "\r\n".join(lines)
        text = "\r\n" + text if self._begun else text
        self._begun = True
        return text.encode("latin-1")

    def tail(self) -> bytes:
        """What goes behind the last part."""
        return f"\r\n--{self.boundary}--\r\n".encode("latin-1")
