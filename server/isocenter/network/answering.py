"""Requests of the peer, from their command to their final response (PS3.7 6.3, 9.3.2.3 for C-CANCEL).

Not here: what the answers are (the service), how they leave (``outbox``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from isocenter.network import messages
from isocenter.network.pdu import Malformed, Reason
from isocenter.network.problems import AssociationLost
from isocenter.network.service import DataSink, Ending, Message, Service

if TYPE_CHECKING:
    from isocenter.network.association import Association
    from isocenter.network.messages import Command
    from isocenter.network.negotiation import Context

log = logging.getLogger(__name__)

DUPLICATE_INVOCATION = 0x0210
"""Status: the message id belongs to a request that is still being answered (PS3.7 C.5.6)."""
UNRECOGNIZED_OPERATION = 0x0211
"""Status: nothing here answers requests (PS3.7 C.5.22)."""


class _Passed:
    """Takes the data set of a request that is refused already, with `status`."""

    def __init__(self, status: int) -> None:
        self.status = status

    def feed(self, fragment: memoryview, /) -> None:
        """Passed over."""

    def abort(self) -> None:
        """Nothing was kept."""


class Answering:
    """The requests of one peer that are arriving or being answered."""

    def __init__(self, association: Association, service: Service | None) -> None:
        self.service = service
        self._association = association
        self._arriving: Message | None = None  # its data set is under way
        self._outstanding: dict[int, Message] = {}  # by message id
        self._tasks: set[asyncio.Task[Any]] = set()
        self._begun = False  # the service knows that the association stands
        self._resting = False  # reading, because too many are outstanding

    def __len__(self) -> int:
        return len(self._outstanding)

    def begin(self, context: Context, command: Command) -> DataSink | None:
        """A request with a data set begins: who takes the data set."""
        message = self._message(context, command)
        sink: DataSink | None = None
        refusal = self._refusal(message)
        if refusal is not None or self.service is None:
            sink = _Passed(refusal or UNRECOGNIZED_OPERATION)
        else:
            try:
                sink = self.service.message_begin(self._association, message)
            except Exception:
                log.exception("message_begin failed; the association is aborted")
                self._association.abort(text="a service failed here")
                return None
        message.data = sink
        self._arriving = message
        return sink

    def arrived(self, context: Context, command: Command, data: DataSink | bytes | None) -> None:
        """A request is complete."""
        message, self._arriving = self._arriving or self._message(context, command), None
        # What was refused when it began stays refused, also when its message id is free meanwhile.
        refusal = data.status if isinstance(data, _Passed) else self._refusal(message)
        if refusal is not None or self.service is None:
            response = messages.response(command, refusal or UNRECOGNIZED_OPERATION)
            self._association.respond(message, response, final=False)
            return
        message.data = data
        self._outstanding[message.message_id] = message
        self._rest()
        try:
            work = self.service.message_end(self._association, message)
        except Exception:
            log.exception("message_end failed; the association is aborted")
            self._association.abort(text="a service failed here")
            return
        if work is not None:
            self._run(message, work)

    def established(self) -> None:
        """The association stands."""
        if self.service is not None:
            self._begun = True
            try:
                self.service.established(self._association)
            except Exception:
                log.exception("established failed; the association is aborted")
                self._association.abort(text="a service failed here")

    def cancel(self, command: Command) -> None:
        """C-CANCEL arrived; for an unknown request it means nothing."""
        message = self._outstanding.get(command.get("MessageIDBeingRespondedTo", -1))
        if message is not None:
            message.cancel()

    def finished(self, message: Message) -> None:
        """The final response of this request was given."""
        if self._outstanding.get(message.message_id) is message:
            del self._outstanding[message.message_id]
            if self._resting and len(self._outstanding) < self._association.limits.outstanding:
                self._resting = False
                self._association.resume_reading()

    def stop(self, ending: Ending) -> None:
        """The association is over: nobody waits for answers."""
        self._arriving = None
        self._outstanding.clear()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        if self.service is not None and self._begun:
            try:
                self.service.ended(self._association, ending)
            except Exception:
                log.exception("the service failed at the end of an association")

    def _message(self, context: Context, command: Command) -> Message:
        if "MessageID" not in command:
            raise Malformed(Reason.INVALID_PARAMETER, "a request without MessageID")
        return Message(context, command)

    def _refusal(self, message: Message) -> int | None:
        if self.service is None:
            return UNRECOGNIZED_OPERATION
        return DUPLICATE_INVOCATION if message.message_id in self._outstanding else None

    def _rest(self) -> None:
        if not self._resting and len(self._outstanding) >= self._association.limits.outstanding:
            self._resting = True
            self._association.pause_reading()

    def _run(self, message: Message, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def done(_: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            problem = None if task.cancelled() else task.exception()
            if problem is not None and not isinstance(problem, AssociationLost):
                log.error("an answer failed; the association is aborted", exc_info=problem)
                self._association.abort(text="a service failed here")
            self._association.finish(message)

        task.add_done_callback(done)
