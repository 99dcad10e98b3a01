"""The parts of a `multipart/related` answer (RFC 2046 5.1, RFC 2387), one after the other while they arrive.

Memory holds one part. Not here: what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING

from isocenter.errors import Unavailable

if TYPE_CHECKING:
    from isocenter.client.transport import Response

_BLOCK = 1 << 18
_LONGEST_HEAD = 1 << 16


@dataclass(frozen=True)
class Part:
    """One part: its bytes, and its headers by lower-case name."""

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


def parts(response: Response) -> Iterator[Part]:
    """The parts of an answer; an answer of a single body is one part.

    Raises:
        Unavailable: it ends in the middle.
    """
    kind = response.headers.get("Content-Type", "")
    boundary = _boundary(kind)
    with response:
        if boundary is None:
            yield Part(response.readall(), {"content-type": kind})
            return
        reader = _Reader(response)
        delimiter = b"\r\n--" + boundary
        reader.until(delimiter)
        while not reader.starts(b"--"):
            head = reader.until(b"\r\n\r\n", _LONGEST_HEAD)
            yield Part(reader.until(delimiter), dict(_headers(head)))
        response.finish()


def _boundary(content_type: str) -> bytes | None:
    message = Message()
    message["Content-Type"] = content_type
    told = message.get_param("boundary")
    if not content_type.lower().startswith("multipart/") or not isinstance(told, str):
        return None
    return told.encode("ascii", "replace")


def _headers(head: bytes) -> Iterator[tuple[str, str]]:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if value:
            yield name.strip().lower(), value.strip()


class _Reader:
    """What arrived and is not taken yet."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._kept = bytearray(b"\r\n")  # so that the first delimiter is like the others
        self._block = bytearray(_BLOCK)

    def until(self, mark: bytes, longest: int | None = None) -> bytes:
        """All before `mark`, which is taken as well."""
        start = 0
        while (at := self._kept.find(mark, start)) < 0:
            start = max(len(self._kept) - len(mark) + 1, 0)
            if longest is not None and start > longest:
                raise Unavailable("The server sent no multipart answer")
            self._more()
        taken = bytes(memoryview(self._kept)[:at])
        del self._kept[: at + len(mark)]
        return taken

    def starts(self, mark: bytes) -> bool:
        """Whether `mark` comes next."""
        while len(self._kept) < len(mark):
            self._more()
        return self._kept.startswith(mark)

    def _more(self) -> None:
        count = self._response.readinto(self._block)
        if not count:
            raise Unavailable("The server stopped in the middle of an answer")
        self._kept += memoryview(self._block)[:count]
