"""One association, as acceptor or requestor: messages in both directions (PS3.7 6.3, PS3.8 7 and 9).

Both roles share this class. What the peer asks goes to a :class:`~isocenter.network.service.Service`;
what we ask goes out by :meth:`Association.exchange` and :meth:`Association.replies`. All methods belong
to the event loop's thread.

Not here: framing of PDUs (``stream``), the state machine (``upper_layer``), negotiation, the services.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from isocenter.errors import Damaged, Timeout
from isocenter.network import messages, send
from isocenter.network.answering import Answering
from isocenter.network.exchange import Exchange
from isocenter.network.incoming import Incoming
from isocenter.network.limits import Limits
from isocenter.network.messages import Field
from isocenter.network.outbox import Outbox
from isocenter.network.pdu import Source
from isocenter.network.problems import AssociationLost
from isocenter.network.service import DataSink, End, Ending, Message, Reply, Service
from isocenter.network.state_table import Event, State
from isocenter.network.upper_layer import UpperLayer
from isocenter.network.watch import Watch

if TYPE_CHECKING:
    from isocenter.network.messages import Command
    from isocenter.network.negotiation import Answer, Context

log = logging.getLogger(__name__)

_RESPONSE = 0x8000
"""Bit of CommandField."""
_TURN = 32
"""Pending responses written in one turn of the loop."""
_CAN_SEND = (State.ESTABLISHED, State.RELEASE_ASKED)


class Association(UpperLayer):
    """An association; made by :class:`AssociationServer` or :func:`request`, never by hand.

    Attributes:
        requestor: we asked for it.
        peer: who is at the other end.
        limits: what it may cost.
        closed: done when it is over and the socket is closed; never an exception.
    """

    def __init__(self, limits: Limits, *, requestor: bool, service: Service | None = None) -> None:
        super().__init__(limits, requestor=requestor)
        self.closed: asyncio.Future[Ending] = self._loop.create_future()
        self._answer: Answer | None = None
        self._answering = Answering(self, service)
        self._outbox = Outbox(self._write_data, self.drained, self._cut_off)
        self._exchanges: dict[int, Exchange] = {}  # requests of ours, by message id
        self._last_id = 0
        self._turns = 0
        self._watch = Watch(self)

    # -- what it is --------------------------------------------------------------------------------

    @property
    def answer(self) -> Answer:
        """What was negotiated; there from `Service.established` on."""
        if self._answer is None:
            raise RuntimeError("the association was not established")
        return self._answer

    @property
    def service(self) -> Service | None:
        """What answers the peer's requests."""
        return self._answering.service

    @property
    def calling_ae(self) -> str:
        """Calling AE title as negotiated, without padding."""
        return self.answer.calling_ae

    @property
    def called_ae(self) -> str:
        """Called AE title as negotiated, without padding."""
        return self.answer.called_ae

    @property
    def contexts(self) -> Mapping[int, Context]:
        """The accepted presentation contexts by their id."""
        return self._incoming.contexts

    @property
    def established(self) -> bool:
        """Requests and responses can be sent."""
        return self._state in _CAN_SEND

    @property
    def outstanding(self) -> int:
        """Requests of the peer that wait for their final response."""
        return len(self._answering)

    # -- answering ---------------------------------------------------------------------------------

    def respond(
        self, message: Message, command: Command | bytes, data: bytes | None = None, *, final: bool = True
    ) -> None:
        """Write one response in one write, without waiting; `final` ends the message.

        `command` is written as it is (see :func:`messages.response`); bytes are a packed command set.
        `data` is the encoded identifier. Nothing happens when the association is over: the peer that
        would read it is gone.
        """
        if self.established:
            self._outbox.send_now(message.context.id, command, data)
        if final:
            self.finish(message)

    def finish(self, message: Message) -> None:
        """The request is answered; what comes last does not need this (`final`, the end of a coroutine)."""
        self._answering.finished(message)
        if self._state == State.RELEASE_ASKED:
            self._release_indication()

    async def answer_pending(
        self, message: Message, command: Command | bytes, data: bytes | None = None
    ) -> None:
        """`respond(final=False)` and then :meth:`drained`; other work has its turn now and then.

        Raises:
            AssociationLost: the association is over.
        """
        self.respond(message, command, data, final=False)
        self._turns += 1
        if self._turns % _TURN == 0:
            await asyncio.sleep(0)  # a quick peer never makes us wait, and C-CANCEL is to be read
        await self.drained()

    async def drained(self) -> None:
        """Returns when the peer reads what we write: at once unless more than 256 KiB wait.

        Raises:
            AssociationLost: the association is over.
        """
        if self._stuck and self.established:
            await self._writable()
        if not self.established:
            raise self._lost()

    # -- asking ------------------------------------------------------------------------------------

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> Context | None:
        """The accepted context in which we may ask (SCU) for this SOP class; lowest id first."""
        fits = (
            each
            for _, each in sorted(self.contexts.items())
            if each.abstract_syntax == abstract_syntax
            and each.scu
            and transfer_syntax in (None, each.transfer_syntax)
        )
        return next(fits, None)

    async def exchange(
        self,
        context: Context | int,
        command: Command,
        data: send.Data | None = None,
        *,
        timeout: float | None = None,
    ) -> Reply:
        """Send a request and give its final response; pending ones are passed over.

        Args:
            context: an accepted one, or its id.
            command: MessageID and CommandDataSetType are set here.
            data: the encoded data set, or a :class:`~isocenter.network.send.FileRange`, which is cut
                from the file without being read whole.
            timeout: seconds to wait for each response; default `limits.idle`.

        Raises:
            AssociationLost: it ended before the response.
            Timeout: no response in time; the association is aborted.
        """
        exchange = await self._ask(context, command, data)
        try:
            reply = await self._next_reply(exchange, timeout)
            while reply.pending:
                reply = await self._next_reply(exchange, timeout)
            return reply
        finally:
            exchange.abandon()

    async def replies(
        self,
        context: Context | int,
        command: Command,
        data: send.Data | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncIterator[Reply]:
        """Send a request and give every response, pending ones first, the final one last.

        Closing the iterator before its end sends C-CANCEL; what still arrives is dropped.
        Arguments and errors as of `exchange`.
        """
        exchange = await self._ask(context, command, data)
        try:
            pending = True
            while pending:
                reply = await self._next_reply(exchange, timeout)
                pending = reply.pending
                yield reply
        finally:
            if exchange.message_id in self._exchanges and self.established:
                self.cancel(context, exchange.message_id)
            exchange.abandon()

    def cancel(self, context: Context | int, message_id: int) -> None:
        """Send C-CANCEL for a request of ours (PS3.7 9.3.2.3)."""
        command: Command = {
            "CommandField": Field.C_CANCEL_RQ,
            "MessageIDBeingRespondedTo": message_id,
            "CommandDataSetType": messages.NO_DATA_SET,
        }
        self._outbox.send_now(context if isinstance(context, int) else context.id, command)

    # -- ending ------------------------------------------------------------------------------------

    async def release(self) -> Ending:
        """Release (PS3.8 7.2) and wait until the connection is closed; aborts after `limits.closing`."""
        async with self._outbox.streaming:
            self._fire(Event.RELEASE_REQUEST)
        return await asyncio.shield(self.closed)

    def abort(self, source: int = Source.USER, reason: int = 0, text: str = "aborted here") -> None:
        """Abort now (PS3.8 7.3; 7.4 with source 2). Tasks of the services are cancelled. Idempotent."""
        kind = End.ABORTED if source == Source.USER else End.PROVIDER_ABORTED
        ending = Ending(kind, False, source, reason, text)
        if self._ending is None and not self._fire(Event.ABORT_REQUEST, ending):
            self._end(ending)  # before there was a request: the table has no abort there
            self.close_now()

    # -- messages that arrive (incoming.Owner) -----------------------------------------------------

    def message_begins(self, context: Context, command: Command) -> DataSink | None:
        """Incoming: a data set follows."""
        field = command["CommandField"]
        if field & _RESPONSE or field == Field.C_CANCEL_RQ:
            return None
        return self._answering.begin(context, command)

    def message_arrived(self, context: Context, command: Command, data: DataSink | bytes | None) -> None:
        """Incoming: a message is complete."""
        field = command["CommandField"]
        if field & _RESPONSE:
            self._response_arrived(command, data if isinstance(data, bytes) else None)
        elif field == Field.C_CANCEL_RQ:
            self._answering.cancel(command)
        else:
            self._answering.arrived(context, command, data)

    def sink_failed(self, problem: Exception) -> None:
        """Incoming: a sink raised."""
        log.error("a data set could not be taken; the association is aborted", exc_info=problem)
        self.abort(text="a data set could not be taken here")

    def _response_arrived(self, command: Command, data: bytes | None) -> None:
        exchange = self._exchanges.get(command.get("MessageIDBeingRespondedTo", -1))
        if exchange is None or "Status" not in command:
            self.abort(text="a response that nobody asked for, or without status")
            return
        reply = Reply(command, data)
        if not reply.pending:
            del self._exchanges[exchange.message_id]
        exchange.put(reply)

    # -- requests of ours --------------------------------------------------------------------------

    async def _ask(self, context: Context | int, command: Command, data: send.Data | None) -> Exchange:
        if self._state != State.ESTABLISHED:
            raise self._lost()
        exchange = Exchange(self._next_id(), self.pause_reading, self.resume_reading)
        self._exchanges[exchange.message_id] = exchange
        command = command.copy()
        command["MessageID"] = exchange.message_id
        command["CommandDataSetType"] = messages.NO_DATA_SET if data is None else messages.WITH_DATA_SET
        try:
            await self._outbox.send(context if isinstance(context, int) else context.id, command, data)
        except (OSError, Damaged):
            # The data set cannot be read; nothing of it is out, or else this association is over.
            self._exchanges.pop(exchange.message_id, None)
            raise
        except BaseException:
            exchange.abandon()
            raise
        return exchange

    def _cut_off(self) -> None:
        self.abort(text="a request was not sent to its end")

    async def _next_reply(self, exchange: Exchange, timeout: float | None) -> Reply:
        try:
            return await exchange.next(self.limits.idle if timeout is None else timeout)
        except Timeout:
            self.abort(text="no response in time")
            raise

    def _next_id(self) -> int:
        self._last_id = self._last_id % 0xFFFF + 1
        while self._last_id in self._exchanges:
            self._last_id = self._last_id % 0xFFFF + 1
        return self._last_id

    # -- upper layer -------------------------------------------------------------------------------

    def _make_incoming(self) -> Incoming:
        return Incoming(self, self.limits)

    def _establish(self, answer: Answer) -> None:
        """What was negotiated holds from now on."""
        self._answer = answer
        self._incoming.contexts = answer.contexts
        self._outbox.payload = send.payload_size(answer.max_length, self.limits.unlimited_peer_length)

    def _established(self) -> None:
        self._watch.start()
        self._answering.established()

    def _write_data(self, data: bytes | memoryview) -> None:
        self._fire(Event.DATA_REQUEST, data)

    def _release_indication(self) -> None:
        """Answer a release when nothing is outstanding any more (PS3.8 7.2.2)."""
        if not self._answering or self._state != State.RELEASE_ASKED:
            self._fire(Event.RELEASE_RESPONSE)

    def overdue(self) -> str:
        """Why the peer's silence is too long; "" if it is not (:mod:`isocenter.network.watch`)."""
        now = self._loop.time()
        if self._pauses:
            self._received_at = now  # it is we who rest
        elif self._incoming.under_way or not self._stream.between_pdus:
            if now - self._received_at > self.limits.message:
                return "the rest of a message did not arrive in time"
        elif self.quiet() > self.limits.idle:
            return "nothing happened for too long"
        return ""

    def quiet(self) -> float:
        """Seconds since anything happened; 0 while something is under way."""
        asking = any(not each.abandoned for each in self._exchanges.values())
        if self._answering or asking or self._outbox.streaming.locked() or self._incoming.under_way:
            return 0.0
        return self._loop.time() - max(self._received_at, self._sent_at)

    def progress(self) -> tuple[float, int, int]:
        """The time now, the bytes that left this process, and those that wait to."""
        unsent = self._unsent()
        return self._loop.time(), self._written - unsent, unsent

    def _over(self, ending: Ending) -> None:
        self._watch.stop()
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            exchange.fail(AssociationLost(ending))
        self._wake_writers()
        self._answering.stop(ending)

    def _gone(self) -> None:
        super()._gone()
        if not self.closed.done():
            self.closed.set_result(self._ending or Ending(End.PROVIDER_ABORTED, True, text="never stood"))

    def _lost(self) -> AssociationLost:
        return AssociationLost(self._ending or Ending(End.RELEASED, False, text="being released"))
