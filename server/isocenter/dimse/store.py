"""Storage (PS3.4 Annex B), as SCP: a data set streams into the archive; the answer comes when it is durable.

While one object waits for the disk, other associations go on, and a sender that is faster than the disk is
read no further above 4 MiB. Not here: sending (:mod:`isocenter.dimse.suboperations`).
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from functools import cache

from prometheus_client import Counter

from isocenter import metrics
from isocenter.archive import Reception, Stored
from isocenter.archive.reception import BACKLOG_LIMIT
from isocenter.dicom.uids import MEDIA_STORAGE_DIRECTORY
from isocenter.dimse import status
from isocenter.dimse.models import SERVED
from isocenter.dimse.session import Session
from isocenter.errors import IsocenterError
from isocenter.network.service import DataSink, Message
from isocenter.peers.rights import Right

_log = logging.getLogger(__name__)


class Storing:
    """The data set of one C-STORE while it arrives."""

    def __init__(self, session: Session, reception: Reception) -> None:
        self._association = session.association
        self._reception = reception
        self._paused: asyncio.Task[None] | None = None
        self.size = 0

    def feed(self, fragment: memoryview) -> None:
        """The next bytes."""
        self._reception.feed(fragment)
        self.size += len(fragment)
        if self._paused is None and self._reception.backlog > BACKLOG_LIMIT:
            self._association.pause_reading()
            self._paused = asyncio.get_running_loop().create_task(self._resume())

    async def _resume(self) -> None:
        try:
            await self._reception.drained()
        finally:
            self._paused = None
            self._association.resume_reading()

    def abort(self) -> None:
        """The data set will not be complete: nothing of it stays."""
        if self._paused is not None:
            self._paused.cancel()
        self._reception.abort()

    def finish(self) -> Future[Stored]:
        """It is complete."""
        return self._reception.finish()


class Refused:
    """Takes the data set of a C-STORE that is refused, and drops it: its sender sends it all the same."""

    def __init__(self, code: int, comment: str) -> None:
        self.status = code
        self.comment = comment

    def feed(self, fragment: memoryview) -> None:
        """More to drop."""

    def abort(self) -> None:
        """Nothing was kept."""


def begin(session: Session, message: Message) -> DataSink:
    """A C-STORE-RQ came and its data set follows."""
    command = message.command
    sop_class = command.get("AffectedSOPClassUID")
    if not session.may(Right.STORE):
        return Refused(status.NOT_AUTHORIZED, "not authorized to store")
    if MEDIA_STORAGE_DIRECTORY in (sop_class, message.context.abstract_syntax):
        return Refused(status.SOP_CLASS_NOT_SUPPORTED, "a DICOMDIR is not stored")
    if sop_class not in (None, message.context.abstract_syntax):
        return Refused(status.SOP_CLASS_NOT_SUPPORTED, "the SOP class is not the context's")
    if not message.context.scp:
        return Refused(status.SOP_CLASS_NOT_SUPPORTED, "our role in this context is not to store")
    if message.context.abstract_syntax in SERVED:
        return Refused(status.SOP_CLASS_NOT_SUPPORTED, "this context is not one of storage")
    try:
        reception = session.dataset.receive(
            session.origin,
            transfer_syntax=message.context.transfer_syntax,
            sop_class=sop_class,
            sop_instance=command.get("AffectedSOPInstanceUID"),
        )
    except IsocenterError as error:
        return Refused(*status.of_error(error))
    return Storing(session, reception)


def end(session: Session, message: Message) -> None:
    """The data set of a C-STORE is complete, or there is none: answer when it is durable."""
    sink = message.data
    if isinstance(sink, Refused):
        session.answer(message, sink.status, sink.comment)
    elif isinstance(sink, Storing):
        loop = asyncio.get_running_loop()

        def told(done: Future[Stored]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, session, message, done)

        sink.finish().add_done_callback(told)
    else:
        session.answer(message, status.CANNOT_UNDERSTAND, "there is no data set")


def _answer(session: Session, message: Message, done: Future[Stored]) -> None:
    error = done.exception()
    if error is None:
        session.answer(message, status.SUCCESS)
        _count(done.result().outcome.kind, message)
        return
    if not isinstance(error, IsocenterError):
        _log.error("C-STORE from %s failed", session.calling_ae, exc_info=error)
    code, comment = status.of_error(error)
    session.answer(message, code, comment)
    _count("refused", message)


def _count(outcome: str, message: Message) -> None:
    _received(outcome).inc()
    if isinstance(message.data, Storing):
        _bytes_received().inc(message.data.size)


# Looking a labelled counter up takes as long as counting.
@cache
def _received(outcome: str) -> Counter:
    return metrics.instances_received.labels("dimse", outcome)


@cache
def _bytes_received() -> Counter:
    return metrics.bytes_received.labels("dimse")
