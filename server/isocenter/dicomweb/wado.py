"""WADO-RS for whole instances (PS3.18 10.4): the DICOM files of a study, a series or an instance.

A file goes out as it is stored where the client takes that, straight from the object store and with a
Content-Length; else decoded or re-encoded into Explicit VR Little Endian by `dicom.transcode`.
Not here: metadata, frames, bulk data, rendering.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tornado.httputil import format_timestamp

from isocenter.dicom.levels import Level
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicomweb.conversion import converted
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.media import DICOM, Wanted, file_syntax, wanted_forms
from isocenter.errors import NotAcceptable
from isocenter.http.multipart import MultipartWriter
from isocenter.http.ranges import if_range, parse_range
from isocenter.http.stream import read_segments, send_file, send_pieces
from isocenter.index.records import StoredInstance


@dataclass(frozen=True)
class Part:
    """One instance and the transfer syntax it goes out in."""

    instance: StoredInstance
    transfer_syntax: str

    @property
    def as_stored(self) -> bool:
        """Whether the stored file itself is sent."""
        return self.transfer_syntax == self.instance.transfer_syntax

    @property
    def content_type(self) -> str:
        """Plain, as viewers parse it literally."""
        return f"{DICOM}; transfer-syntax={self.transfer_syntax}"


@dataclass(frozen=True)
class Plan:
    """What is sent and how; `left_out` counts instances that no accepted transfer syntax fits."""

    multipart: bool
    parts: tuple[Part, ...]
    left_out: int


def plan_of(found: Sequence[StoredInstance], forms: Sequence[Wanted]) -> Plan:
    """How to send instances to who takes `forms`, best first.

    Raises:
        NotAcceptable: not one instance can be sent so.
    """
    usable = [form for form in forms if form.media_type == DICOM and (form.multipart or len(found) == 1)]
    if usable:
        multipart = usable[0].multipart
        asked = [form.transfer_syntax for form in usable if form.multipart == multipart]
        parts = [part for one in found if (part := _part(one, asked)) is not None]
        if parts:
            return Plan(multipart, tuple(parts), len(found) - len(parts))
    stored = sorted({one.transfer_syntax for one in found})
    raise NotAcceptable(
        f"This is application/dicom, stored in transfer syntax {', '.join(stored)}",
        hint='Accept: multipart/related; type="application/dicom"; transfer-syntax=*',
    )


def _part(instance: StoredInstance, asked: Sequence[str]) -> Part | None:
    for syntax in asked:
        sent = file_syntax(instance.transfer_syntax, syntax)
        if sent is not None:
            return Part(instance, sent)
    return None


class RetrieveHandler(DicomwebHandler):
    """The files of what the path names."""

    face = "wado"

    async def get(self, **_path: str) -> None:
        """Send them, in parts or, one alone, as a single body."""
        single = self.target.level is Level.INSTANCE
        found = [await self.instance()] if single else await self.instances()
        plan = plan_of(found, wanted_forms(self.accepted(), DICOM))
        if plan.left_out:
            self.set_status(206)
            self.warn(f"{plan.left_out} instances are stored in a transfer syntax that Accept leaves out")
        if plan.multipart:
            await self._send_parts(plan.parts)
        else:
            await self._send_one(plan.parts[0])

    head = get

    async def _send_parts(self, parts: Sequence[Part]) -> None:
        writer = MultipartWriter(DICOM)
        self.set_header("Content-Type", writer.content_type)
        if all(part.as_stored for part in parts):
            heads = sum(len(writer.head(_headers(part))) for part in parts)
            size = heads + sum(part.instance.size for part in parts) + len(writer.tail())
            self.set_header("Content-Length", str(size))
            writer = writer.again()
        if self.request.method == "HEAD":
            return
        for part in parts:
            await self._send_file(part, writer)
        self.write(writer.tail())

    async def _send_one(self, part: Part) -> None:
        self.set_header("Content-Type", part.content_type)
        etag = f'"{part.instance.sha256[:32]}-{part.transfer_syntax}"'
        self.set_header("ETag", etag)
        self.set_header("Last-Modified", format_timestamp(part.instance.received / 1e6))
        self.add_header("Vary", "Accept")
        if self.check_etag_header():
            self.set_status(304)
            return
        if not part.as_stored:
            if self.request.method != "HEAD":
                await self._send_file(part)
            return
        size = part.instance.size
        wanted = parse_range(self.request.headers.get("Range"), size)
        if wanted is None or not if_range(self.request.headers.get("If-Range"), etag):
            segment = (0, size)
        else:
            self.set_status(206)
            self.set_header("Content-Range", wanted.content_range)
            segment = (wanted.start, wanted.length)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Content-Length", str(segment[1]))
        if self.request.method != "HEAD":
            await send_file(self, self.context.archive.objects, part.instance.object, [segment])

    async def _send_file(self, part: Part, writer: MultipartWriter | None = None) -> None:
        """One file, behind its part's headers when there is a `writer`."""
        if not part.as_stored:
            try:
                async with converted(self.context, part.instance, part.transfer_syntax) as (file, head, size):
                    self.write((writer.head(_headers(part)) if writer else b"") + head)
                    await send_pieces(self, read_segments(file, [(0, size)]))
                return
            except CannotTranscode as error:
                part = _instead(part, error)
        if writer is None:
            self.set_header("Content-Type", part.content_type)
        else:
            self.write(writer.head(_headers(part)))
        segments = [(0, part.instance.size)]
        await send_file(self, self.context.archive.objects, part.instance.object, segments)


def _headers(part: Part) -> dict[str, str]:
    return {"Content-Type": part.content_type}


def _instead(part: Part, error: CannotTranscode) -> Part:
    """What is sent in place of a file that cannot be decoded, or is too long for it: the stored one.

    Raises:
        CannotTranscode: it is stored in a syntax that never leaves the server.
    """
    stored = part.instance.transfer_syntax
    if file_syntax(stored, stored) != stored:
        raise error
    return Part(part.instance, stored)
