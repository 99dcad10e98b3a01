"""The C-STORE sub-operations of C-MOVE and C-GET, sent one after the other and counted (PS3.4 C.4.2, C.4.3).

The next objects are made ready while one is on the wire. Pending responses leave every second and every ten
objects; a cancel ends it after the sub-operation at hand.
Not here: associations to destinations (:mod:`isocenter.dimse.move`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from isocenter import metrics
from isocenter.archive import StoredInstance
from isocenter.dimse import outgoing, status
from isocenter.dimse.outgoing import Ready
from isocenter.dimse.session import Session
from isocenter.errors import IsocenterError
from isocenter.network.association import Association
from isocenter.network.identifiers import Form
from isocenter.network.messages import WITH_DATA_SET, Command, Field, response
from isocenter.network.problems import AssociationLost
from isocenter.network.service import Message
from isocenter.network.state_table import State

_log = logging.getLogger(__name__)

_EVERY_SECONDS, _EVERY_OBJECTS = 1.0, 10
_AHEAD = 4
"""Objects made ready ahead: a disk, and a thread that opens files, are waited for less often."""
_MOST = 0xFFFF  # of a count in a response


@dataclass(slots=True)
class Counts:
    """What became of the sub-operations so far."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)

    def add(self, instance: StoredInstance, code: int | None) -> None:
        """Count one; `code` is the status of its C-STORE, None when it was not sent."""
        self.remaining -= 1
        if code == status.SUCCESS:
            self.completed += 1
        elif code is not None and status.is_warning(code):
            self.warning += 1
        else:
            self.failed += 1
            self.failed_uids.append(instance.SOPInstanceUID)

    def fields(self, *, remaining: bool) -> Command:
        """The numbers of a response; those remaining only in pending and cancel (PS3.7 9.1.4)."""
        numbers: Command = {
            "NumberOfCompletedSuboperations": min(self.completed, _MOST),
            "NumberOfFailedSuboperations": min(self.failed, _MOST),
            "NumberOfWarningSuboperations": min(self.warning, _MOST),
        }
        if remaining:
            numbers["NumberOfRemainingSuboperations"] = min(self.remaining, _MOST)
        return numbers

    @property
    def sent(self) -> int:
        """Those that got through, with or without a remark of the receiver."""
        return self.completed + self.warning

    @property
    def outcome(self) -> int:
        """The final status: success, some failed or warned, or none could be sent."""
        if not self.failed and not self.warning:
            return status.SUCCESS
        return status.SOME_FAILED if self.sent else status.CANNOT_SEND


class Retrieval:
    """The sub-operations of one C-MOVE or C-GET.

    Args:
        session: the requester's.
        message: its request.
        instances: what to send, in order.
        fields: further elements of each C-STORE-RQ, e.g. the move originator.
    """

    def __init__(
        self,
        session: Session,
        message: Message,
        instances: Sequence[StoredInstance],
        fields: Command | None = None,
    ) -> None:
        self.counts = Counts(remaining=len(instances))
        self._session = session
        self._message = message
        self._fields = fields or {}
        self._told = time.monotonic()
        self._since = 0
        self._ahead: deque[asyncio.Task[Ready]] = deque()

    async def send(self, association: Association, instances: Sequence[StoredInstance]) -> int:
        """Send these over `association` until done, cancelled, or it ends; how many were dealt with.

        The one under way when it is lost counts as failed.
        """
        done = 0
        try:
            for n, instance in enumerate(instances):
                if self._message.cancelled or association.state != State.ESTABLISHED:
                    break  # also when its peer asked for its release: nothing more can be asked of it
                for following in instances[n + len(self._ahead) : n + _AHEAD]:
                    self._ahead.append(self._prepare(association, following))
                code = await self._one(association, instance, self._ahead.popleft())
                self.counts.add(instance, code)
                done += 1
                await self._count()
        finally:
            while self._ahead:
                await _discard(self._ahead.popleft())
        return done

    def _prepare(self, association: Association, instance: StoredInstance) -> asyncio.Task[Ready]:
        return asyncio.create_task(outgoing.prepare(self._session, association, instance))

    async def _one(
        self, association: Association, instance: StoredInstance, preparing: asyncio.Task[Ready]
    ) -> int | None:
        """Send one object; the status, None when it could not be sent."""
        try:
            ready = await preparing
        except (IsocenterError, OSError) as error:
            _log.info("An object cannot be sent: %s", getattr(error, "strerror", None) or error)
            return None
        try:
            reply = await association.exchange(ready.context, self._command(instance), ready.source.range)
        except (IsocenterError, OSError) as error:  # lost, no answer in time, or the file cannot be read
            _log.info("A sub-operation failed: %s", getattr(error, "strerror", None) or error)
            return None
        finally:
            ready.close()
        metrics.bytes_sent.labels("dimse").inc(ready.source.length)
        return reply.status

    def _command(self, instance: StoredInstance) -> Command:
        return {
            "CommandField": Field.C_STORE_RQ,
            "AffectedSOPClassUID": instance.SOPClassUID,
            "AffectedSOPInstanceUID": instance.SOPInstanceUID,
            "Priority": self._message.command.get("Priority", 0),
            "CommandDataSetType": WITH_DATA_SET,
            **self._fields,
        }

    async def _count(self) -> None:
        self._since += 1
        if self.counts.remaining and self._since >= _EVERY_OBJECTS:
            await self._tell()

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Inside, a pending response leaves every second, however long a sub-operation takes."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.wait([ticking])

    async def _tick(self) -> None:
        while self._session.association.established:
            wait = self._told + _EVERY_SECONDS - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                with contextlib.suppress(AssociationLost):
                    await self._tell()

    async def _tell(self) -> None:
        """Send a pending response with the counts; AssociationLost when the requester has gone."""
        self._told, self._since = time.monotonic(), 0
        pending = response(self._message.command, status.PENDING)
        pending.update(self.counts.fields(remaining=True))
        await self._session.association.answer_pending(self._message, pending)

    def _destination(self) -> str:
        return self._message.command.get("MoveDestination") or self._session.calling_ae

    def fail(self, instances: Sequence[StoredInstance]) -> None:
        """Count these as failed: they cannot be sent at all."""
        for instance in instances:
            self.counts.add(instance, None)

    def finish(self) -> None:
        """Write the final response: counts, and the list of what failed."""
        if self.counts.failed:
            _log.warning("%d objects could not be sent to %s", self.counts.failed, self._destination())
        cancelled = self._message.cancelled and self.counts.remaining > 0
        code = status.CANCELLED if cancelled else self.counts.outcome
        data = None
        if self.counts.failed_uids:
            form = Form(["FailedSOPInstanceUIDList"], self._message.context.transfer_syntax)
            values: dict[str, Any] = {"FailedSOPInstanceUIDList": "\\".join(self.counts.failed_uids)}
            data = form.pack(values)
        fields = self.counts.fields(remaining=cancelled)
        comment = "none of the objects could be sent" if code == status.CANNOT_SEND else ""
        self._session.answer(self._message, code, comment, fields=fields, data=data)


async def _discard(ahead: asyncio.Task[Ready]) -> None:
    """Wait for what was made ready in vain, and close it."""
    ahead.cancel()
    await asyncio.wait([ahead])
    if not ahead.cancelled() and ahead.exception() is None:
        ahead.result().close()
