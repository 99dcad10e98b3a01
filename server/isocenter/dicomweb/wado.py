"""WADO-RS for whole instances (PS3.18 10.4): the DICOM files of a study, a series or an instance.

In parts, one alone as a single body with ranges, or all as a zip. A file goes out as it is stored where the
client takes that; else decoded, or encoded without loss, by the pool, the next one while one is sent.
Not here: metadata, frames, bulk data, rendering.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from hashlib import blake2b

from isocenter import metrics
from isocenter.dicom.levels import Level
from isocenter.dicom.reencode import CannotTranscode
from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN
from isocenter.dicomweb.conversion import OpenedFile, open_file, open_nearest
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.media import DICOM, OCTETS, Wanted, file_syntax, wanted_forms
from isocenter.dicomweb.zipped import ZIP, zip_pieces
from isocenter.errors import NotAcceptable
from isocenter.http.closing import ends_with_connection
from isocenter.http.conditional import not_modified, tell_range, tell_representation
from isocenter.http.multipart import MultipartWriter
from isocenter.http.stream import send_pieces
from isocenter.index.records import StoredInstance


@dataclass(frozen=True)
class Part:
    """One instance and the transfer syntax it is to go out in."""

    instance: StoredInstance
    transfer_syntax: str

    @property
    def as_stored(self) -> bool:
        """Whether the stored file itself is sent."""
        return self.transfer_syntax == self.instance.transfer_syntax


@dataclass(frozen=True)
class Plan:
    """What is sent and how; `left_out` counts instances that no accepted transfer syntax fits."""

    multipart: bool
    media_type: str
    parts: tuple[Part, ...]
    left_out: int

    @property
    def etag(self) -> str:
        """Weak, of several files: changes when an instance comes, goes or is replaced, and with the form."""
        told = (self.multipart, self.media_type, *sorted({part.transfer_syntax for part in self.parts}))
        digest = blake2b(repr(told).encode(), digest_size=12)
        digest.update(array("q", sorted(part.instance.seq for part in self.parts)).tobytes())
        return f'W/"{digest.hexdigest()}"'


def plan_of(found: Sequence[StoredInstance], forms: Sequence[Wanted]) -> Plan:
    """How to send instances to who takes `forms`, best first.

    Raises:
        NotAcceptable: not one instance can be sent so.
    """
    usable = [form for form in forms if _usable(form, len(found))]
    for first in usable[:1]:
        chosen = first.multipart, first.media_type
        asked = [form.transfer_syntax for form in usable if (form.multipart, form.media_type) == chosen]
        parts = [part for one in found if (part := _part(one, asked)) is not None]
        if parts:
            return Plan(*chosen, tuple(parts), len(found) - len(parts))
    stored = sorted({one.transfer_syntax for one in found})
    raise NotAcceptable(
        f"This is application/dicom, stored in transfer syntax {', '.join(stored)}",
        hint='Accept: multipart/related; type="application/dicom"; transfer-syntax=*',
    )


def _usable(form: Wanted, count: int) -> bool:
    if form.media_type == ZIP:
        return not form.multipart
    return form.media_type in (DICOM, OCTETS) and (form.multipart or count == 1)


def _part(instance: StoredInstance, asked: Sequence[str]) -> Part | None:
    for syntax in asked:
        sent = file_syntax(instance.transfer_syntax, syntax)
        if sent is not None:
            return Part(instance, sent)
    return None


class RetrieveHandler(DicomwebHandler):
    """The files of what the path names."""

    face = "wado"

    @ends_with_connection
    async def get(self, **_path: str) -> None:
        """Send them: in parts, one alone as a single body, or as a zip."""
        single = self.target.level is Level.INSTANCE
        found = [await self.instance()] if single else await self.instances()
        plan = plan_of(found, wanted_forms(self.accepted(), DICOM))
        if plan.left_out:
            self.set_status(206)
            self.warn(f"{plan.left_out} instances are stored in a transfer syntax that Accept leaves out")
        if plan.multipart:
            await self._send_parts(plan)
        elif plan.media_type == ZIP:
            await self._send_zip(plan)
        else:
            await self._send_one(plan)

    head = get

    def _known(self, plan: Plan) -> bool:
        """Tell what several files are; whether the client has them already."""
        tell_representation(self, plan.etag, max(part.instance.received for part in plan.parts))
        return not_modified(self)

    async def _send_parts(self, plan: Plan) -> None:
        if self._known(plan):
            return
        writer = MultipartWriter(plan.media_type)
        self.set_header("Content-Type", writer.content_type)
        if all(part.as_stored for part in plan.parts):
            heads = sum(len(writer.head(_headers(plan, part.transfer_syntax))) for part in plan.parts)
            size = heads + sum(part.instance.size for part in plan.parts) + len(writer.tail())
            self.set_header("Content-Length", str(size))
            writer = writer.again()
        if self.request.method == "HEAD":
            await self.flush()
            return
        async with aclosing(self._files(plan)) as files:
            async for file in files:
                with closing(file):
                    self.write(writer.head(_headers(plan, file.transfer_syntax)))
                    await send_pieces(self, file.read(0, file.size))
        self.write(writer.tail())

    async def _send_zip(self, plan: Plan) -> None:
        if self._known(plan):
            return
        name = next(reversed(self.target.uids.values()), "files")
        plain = re.sub("[^A-Za-z0-9.-]", "_", name)
        self.set_header("Content-Type", ZIP)
        self.set_header("Content-Disposition", f'attachment; filename="{plain[:80]}.zip"')
        if self.request.method == "HEAD":
            await self.flush()
            return
        dicomdir = self.get_query_argument("dicomdir", "").lower() in ("true", "1")
        short = self.get_query_argument("names", "").lower() == "short"
        async with aclosing(self._files(plan)) as files:
            pieces = zip_pieces(self.context, files, short=short, dicomdir=dicomdir)
            async with aclosing(pieces):
                async for piece in pieces:
                    self.write(piece)
                    await self.flush()
                    metrics.bytes_sent.labels(self.face).inc(len(piece))

    async def _send_one(self, plan: Plan) -> None:
        part = plan.parts[0]
        tell_representation(self, _etag(part.instance, part.transfer_syntax), part.instance.received)
        if not_modified(self):
            return
        # What is really sent is known when it is made: it may be the stored file in place of a damaged one.
        with closing(await self._open(plan, part)) as file:
            etag = _etag(file.instance, file.transfer_syntax)
            self.set_header("ETag", etag)
            if not_modified(self):
                return
            self.set_header("Content-Type", _headers(plan, file.transfer_syntax)["Content-Type"])
            start, length = tell_range(self, file.size, etag)
            if self.request.method != "HEAD":
                await send_pieces(self, file.read(start, length))

    async def _open(self, plan: Plan, part: Part) -> OpenedFile:
        """The file of a part; among others, what cannot be had as asked comes as near to it as it can.

        Raises:
            NotAcceptable: it is the only one, and there is no encoder for it.
        """
        try:
            if len(plan.parts) > 1 or part.transfer_syntax == EXPLICIT_LITTLE_ENDIAN:
                return await open_nearest(self.context, part.instance, part.transfer_syntax)
            return await open_file(self.context, part.instance, part.transfer_syntax)
        except CannotTranscode as error:
            raise NotAcceptable(error.message, hint="ask for transfer-syntax=*") from error

    async def _files(self, plan: Plan) -> AsyncGenerator[OpenedFile]:
        """The files in order; one that has to be made is begun while the one before is sent."""
        ahead: asyncio.Future[OpenedFile] | None = None
        try:
            for place, part in enumerate(plan.parts):
                file = await (ahead or self._open(plan, part))
                ahead = None
                if place + 1 < len(plan.parts) and not plan.parts[place + 1].as_stored:
                    ahead = asyncio.ensure_future(self._open(plan, plan.parts[place + 1]))
                yield file
        finally:
            if ahead is not None:
                ahead.add_done_callback(_close)
                ahead.cancel()


def _close(opened: asyncio.Future[OpenedFile]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


def _etag(instance: StoredInstance, transfer_syntax: str) -> str:
    return f'"{instance.sha256[:32]}-{transfer_syntax}"'


def _headers(plan: Plan, transfer_syntax: str) -> dict[str, str]:
    """Of one file; plain, as viewers parse it literally."""
    kind = OCTETS if plan.media_type == OCTETS else DICOM
    return {"Content-Type": f"{kind}; transfer-syntax={transfer_syntax}"}
