"""Byte ranges of a request (RFC 9110 14): one range; several are answered by the whole, as the RFC allows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isocenter.http.failures import RangeNotSatisfiable

_ONE = re.compile(r"^\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class ByteRange:
    """Bytes `start` to `start + length` of a representation of `size` bytes."""

    start: int
    length: int
    size: int

    @property
    def content_range(self) -> str:
        """The Content-Range that describes it."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The range that `header` asks of a representation of `size` bytes; None for the whole.

    Raises:
        RangeNotSatisfiable: it begins behind the end, or asks for the last 0 bytes.
    """
    found = _ONE.match(header or "")
    if not found or found[1] == found[2] == "":
        return None
    first, last = found[1], found[2]
    if first == "":
        start = max(size - int(last), 0)
        end = size if int(last) else start
    else:
        start = int(first)
        end = min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None  # not a valid range: ignored (RFC 9110 14.1.1)
    if start >= size or end <= start:
        raise RangeNotSatisfiable(f"The range begins behind the end: {size} bytes", detail={"size": size})
    return ByteRange(start, end - start, size)


def if_range(header: str | None, etag: str | None) -> bool:
    """Whether a Range may be answered: no If-Range, or one that names this very representation (strong)."""
    return header is None or (etag is not None and not etag.startswith("W/") and header.strip() == etag)
