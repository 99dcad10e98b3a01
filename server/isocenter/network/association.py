"""One association, as acceptor or requestor: messages in both directions (PS3.7 6.3, PS3.8 7 and 9).

Both roles share this class. What the peer asks goes to a :class:`~isocenter.network.service.Service`;
what we ask goes out by :meth:`Association.exchange` and :meth:`Association.replies`. All methods belong
to the event loop's thread.

Not here: framing of PDUs (``stream``), the state machine (``upper_layer``), negotiation, the services.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from isocenter.network.limits import Limits
from isocenter.network.service import Ending, Message, Peer, Reply, Service

if TYPE_CHECKING:
    from isocenter.network.messages import Command
    from isocenter.network.negotiation import Answer, Context


class Association:
    """An association; made by :class:`AssociationServer` or :func:`request`, never by hand."""

    requestor: bool
    """We asked for it."""
    peer: Peer
    limits: Limits
    service: Service | None
    answer: Answer
    """What was negotiated; there from `Service.established` on."""
    closed: asyncio.Future[Ending]
    """Done when the association is over and the connection is closed; never an exception."""

    @property
    def calling_ae(self) -> str:
        """Calling AE title as negotiated, without padding."""
        raise NotImplementedError

    @property
    def called_ae(self) -> str:
        """Called AE title as negotiated, without padding."""
        raise NotImplementedError

    @property
    def contexts(self) -> dict[int, Context]:
        """The accepted presentation contexts by their id."""
        raise NotImplementedError

    @property
    def established(self) -> bool:
        """Requests and responses can be sent."""
        raise NotImplementedError

    # -- answering ---------------------------------------------------------------------------------

    def respond(
        self, message: Message, command: Command, data: bytes | None = None, *, final: bool = True
    ) -> None:
        """Write one response in one write, without waiting; `final` ends the message.

        `data` is the encoded identifier. CommandDataSetType is set here, MessageIDBeingRespondedTo too.
        Nothing happens when the association is over: the peer that would read it is gone.
        """
        raise NotImplementedError

    async def answer_pending(self, message: Message, command: Command, data: bytes | None = None) -> None:
        """`respond(final=False)` and then :meth:`drained`.

        Raises:
            AssociationLost: the association is over.
        """
        raise NotImplementedError

    async def drained(self) -> None:
        """Returns when the peer reads what we write: at once unless more than 256 KiB wait.

        Raises:
            AssociationLost: the association is over.
        """
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Read no more from the peer until :meth:`resume_reading`; what one read holds still arrives.

        Pauses count: each needs its own resume.
        """
        raise NotImplementedError

    def resume_reading(self) -> None:
        """Undo one :meth:`pause_reading`."""
        raise NotImplementedError

    # -- asking ------------------------------------------------------------------------------------

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> Context | None:
        """The accepted context in which we may ask (SCU) for this SOP class; lowest id first."""
        raise NotImplementedError

    async def exchange(
        self,
        context: Context | int,
        command: Command,
        data: bytes | None = None,
        *,
        timeout: float | None = None,
    ) -> Reply:
        """Send a request and give its (final) response; MessageID and CommandDataSetType are set here.

        `data` is the encoded data set, or a :class:`~isocenter.network.send.FileRange`, which is
        cut from the file without being read whole. `timeout` in seconds, default `limits.idle`.

        Raises:
            AssociationLost: it ended before the response.
            Timeout: no response in time; the association is aborted.
        """
        raise NotImplementedError

    def replies(
        self, context: Context | int, command: Command, data: bytes | None = None, *, timeout: float | None = None
    ) -> AsyncIterator[Reply]:
        """Send a request and give every response, pending ones first, the final one last.

        Leaving the loop early sends C-CANCEL and waits for the final response in the background.
        Raises as `exchange`.
        """
        raise NotImplementedError

    # -- ending ------------------------------------------------------------------------------------

    async def release(self) -> None:
        """Release (PS3.8 7.2) and wait until the connection is closed; aborts after `limits.closing`."""
        raise NotImplementedError

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """Abort now (PS3.8 7.3; 7.4 with source 2). Tasks of the services are cancelled. Idempotent."""
        raise NotImplementedError
