"""What an association and the services above it say to each other: messages in, sinks, endings.

A service is one object per association. The association calls it on the event loop; nothing in it
may block. Not here: the services themselves (:mod:`isocenter.dimse`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from isocenter.network.association import Association
    from isocenter.network.messages import Command
    from isocenter.network.negotiation import Context


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the connection."""

    host: str
    port: int
    certificate: dict[str, Any] | None = None
    """As :meth:`ssl.SSLSocket.getpeercert` gives it; None without TLS or without client certificate."""

    @property
    def subject(self) -> str:
        """Subject of the peer's certificate, ``commonName=ct1,organizationName=...``, or ``""``."""
        parts = (pair for names in (self.certificate or {}).get("subject", ()) for pair in names)
        return ",".join(f"{name}={value}" for name, value in parts)


class End(Enum):
    """How an association ended."""

    RELEASED = "released"
    REJECTED = "rejected"
    ABORTED = "aborted"  # A-ABORT of a service user (PS3.8 9.3.8 source 0), theirs or ours
    PROVIDER_ABORTED = "provider-aborted"  # A-P-ABORT: protocol error, time-out, connection lost


@dataclass(frozen=True, slots=True)
class Ending:
    """How an association ended, by whom, and what was said."""

    kind: End
    by_peer: bool
    source: int = 0
    reason: int = 0
    text: str = ""


class DataSink(Protocol):
    """Takes the data set of one message while it arrives."""

    def feed(self, fragment: memoryview, /) -> object:
        """The next bytes, of any length, also odd.

        Not copied; the memory stays as it is as long as this view or a slice of it is alive. May raise:
        the association then aborts the sink and itself.
        """

    def abort(self) -> object:
        """The message will not be completed (abort, connection lost): forget it. Called at most once,
        and never after `message_end`."""


@dataclass(slots=True, eq=False)
class Message:
    """A request of the peer, from its command on until its final response."""

    context: Context
    command: Command
    data: DataSink | bytes | None = None
    """What `message_begin` gave, else the collected data set; None if the message has no data set."""
    cancelled: bool = False
    """The peer sent C-CANCEL for this message."""
    _on_cancel: list[Callable[[], object]] = field(default_factory=list)

    @property
    def message_id(self) -> int:
        """MessageID of the request; the association lets no request in without one."""
        return self.command["MessageID"]

    def on_cancel(self, call: Callable[[], object]) -> None:
        """`call()` when C-CANCEL arrives; at once when it did."""
        if self.cancelled:
            call()
        else:
            self._on_cancel.append(call)

    def cancel(self) -> None:
        """C-CANCEL arrived (called by the association)."""
        if not self.cancelled:
            self.cancelled = True
            for call in self._on_cancel:
                call()
            self._on_cancel.clear()


@dataclass(frozen=True, slots=True)
class Reply:
    """One response to a request of ours."""

    command: Command
    data: bytes | None

    @property
    def status(self) -> int:
        """Status of the response."""
        return self.command["Status"]

    @property
    def pending(self) -> bool:
        """More responses follow (PS3.7 Annex C: FF00 and FF01)."""
        return self.command["Status"] in (0xFF00, 0xFF01)


class Service(Protocol):
    """What answers the requests of one association."""

    def established(self, association: Association, /) -> object:
        """The association stands; nothing was received yet."""

    def message_begin(self, association: Association, message: Message, /) -> DataSink | None:
        """The command of a request is complete and a data set follows.

        Give a sink that takes the data set as it arrives, or None to have it collected (up to
        `Limits.collected` bytes).
        """

    def message_end(
        self, association: Association, message: Message, /
    ) -> Coroutine[Any, Any, object] | None:
        """A request is complete, `message.data` is all there.

        Either give a coroutine, which the association runs (and cancels when it ends before): when it
        returns the message is over. Or give None and call `association.respond(message, ...)` with the
        final response later or now: the quick way, without a task.
        An exception is logged and aborts the association.
        """

    def ended(self, association: Association, ending: Ending, /) -> object:
        """The association is over; tasks and sinks of it are cancelled. Called once, after `established`."""
