"""The body of a STOW-RS request of metadata and bulk data (PS3.18 8.7.3, 10.5): parts kept as they arrive.

Metadata parts (DICOM JSON, or one XML document each) are small and stay in memory, up to a limit; bulk parts
go to one scratch file, each with its Content-Location. Which part belongs where is known at the end only.
Not here: making objects of them (`dicom.assembly`).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from isocenter.dicom.assembly import Bulk
from isocenter.dicom.xml_model import from_xml
from isocenter.errors import BadRequest, TooLarge
from isocenter.http.accept import parse_media_type
from isocenter.http.context import Context
from isocenter.http.multipart import Event, PartData, PartEnd, PartStart

METADATA_TYPES = ("application/dicom+json", "application/dicom+xml", "application/json", "application/xml")
_MOST_METADATA = 64 * 1024 * 1024
_BUFFERED = 1024 * 1024


class BulkParts:
    """Takes the events of a multipart reader.

    Args:
        context: its threads and scratch folder.
        kind: media type of the metadata (`METADATA_TYPES`), for parts that do not say theirs.
        most: parts that are taken.
    """

    def __init__(self, context: Context, kind: str, most: int) -> None:
        self._context = context
        self._kind = kind
        self._most = most
        self._count = 0
        self._metadata: list[tuple[str, bytearray]] = []
        self._held = bytearray()
        self._size = 0
        self._told = 0
        self._part: tuple[str, str, str] | None = None
        self._began = 0
        self.bulk: dict[str, list[Bulk]] = defaultdict(list)
        context.scratch.mkdir(parents=True, exist_ok=True)
        handle, self.path = tempfile.mkstemp(dir=context.scratch, suffix=".bulk")
        self._file = os.fdopen(handle, "wb")

    def close(self) -> None:
        """Leave nothing."""
        self._file.close()
        with suppress(OSError):
            os.unlink(self.path)

    async def take(self, events: Iterable[Event]) -> None:
        """More of the body. Raises TooLarge, BadRequest."""
        for event in events:
            if isinstance(event, PartStart):
                self.begin(event.headers)
            elif isinstance(event, PartData):
                if writing := self._data(bytes(event.data)):
                    await writing
            elif isinstance(event, PartEnd):
                self._end()

    async def finish(self) -> list[dict[str, Any]]:
        """The body is over: its data sets, in order. Raises BadRequest, UnreadableXml."""
        await self._context.short(self._flush, close=True)
        return await self._context.long(self._documents)

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins; header names are lower case. Raises TooLarge."""
        self._count += 1
        if self._count > self._most:
            raise TooLarge(f"One request has at most {self._most} parts", hint="send several requests")
        location = _location(headers.get("content-location", ""))
        media = parse_media_type(headers.get("content-type", "" if location else self._kind))
        if media.name in METADATA_TYPES[:2] or (not location and media.name in ("", *METADATA_TYPES)):
            self._metadata.append((media.name or self._kind, bytearray()))
            self._part = None
            return
        self._part = location, media.name or "application/octet-stream", media.get("transfer-syntax")
        self._began = self._size

    def _data(self, data: bytes) -> Awaitable[None] | None:
        if self._part is None:
            self._metadata[-1][1].extend(data)
            self._told += len(data)
            if self._told > _MOST_METADATA:
                raise TooLarge(f"Metadata of one request have at most {_MOST_METADATA} bytes")
            return None
        self._held += data
        self._size += len(data)
        return self._context.short(self._flush) if len(self._held) >= _BUFFERED else None

    def _end(self) -> None:
        if self._part is not None:
            location, kind, syntax = self._part
            self.bulk[location].append(Bulk(self._began, self._size - self._began, kind, syntax))

    def _flush(self, *, close: bool = False) -> None:
        self._file.write(self._held)
        self._held.clear()
        if close:
            self._file.close()

    def _documents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for kind, text in self._metadata:
            if "xml" in kind:
                found.append(from_xml(bytes(text)))
                continue
            try:
                told = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise BadRequest(f"A metadata part is no JSON: {error}") from None
            found.extend(told if isinstance(told, list) else [told])
        if not all(isinstance(one, dict) for one in found):
            raise BadRequest("A metadata part is no array of data sets (PS3.18 F.2)")
        return found

    def of(self, uri: str) -> list[Bulk]:
        """The parts of a URI: those of this Content-Location, or of its frames."""
        wanted = _location(uri)
        if wanted in self.bulk:
            return self.bulk[wanted]
        frames = [(place.removeprefix(f"{wanted}/frames/"), parts) for place, parts in self.bulk.items()]
        numbered = sorted((int(number), parts) for number, parts in frames if number.isdecimal())
        return [part for _, parts in numbered for part in parts]


def _location(text: str) -> str:
    """A URI as both sides may write it: quoted or in angle brackets, percent-encoded or not."""
    return unquote(text.strip().strip("<>\"' "))


def scratch_file(context: Context) -> Path:
    """A new empty file in the scratch folder."""
    handle, name = tempfile.mkstemp(dir=context.scratch, suffix=".assembled")
    os.close(handle)
    return Path(name)
