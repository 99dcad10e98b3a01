"""What the services of one association share: who asks, which dataset, by which settings.

Not here: the services; the dispatch (:mod:`isocenter.dimse.server`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.archive import Dataset, Origin
from isocenter.config import DicomSettings
from isocenter.network.association import Association
from isocenter.network.messages import Command, response
from isocenter.network.service import Message
from isocenter.peers.book import Book, Peer
from isocenter.peers.rights import Right
from isocenter.pool import ProcessPool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all associations of a server share."""

    settings: DicomSettings
    book: Book
    pool: ProcessPool
    """For transcoding."""
    scratch: Path
    """Folder for transcoded objects on their way; on a local disk."""
    client_tls: Callable[[Peer], ssl.SSLContext | None]
    """The TLS context for requests to a peer; None: without TLS."""
    turns: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    """Of moves to one destination, by its AE title."""

    def turn(self, ae_title: str) -> asyncio.Semaphore:
        """Held by a move that sends to this destination."""
        return self.turns.setdefault(ae_title, asyncio.Semaphore(self.settings.limits.per_destination))


@dataclass(frozen=True, slots=True)
class Session:
    """One association's view."""

    association: Association
    dataset: Dataset
    peer: Peer
    around: Surroundings

    @property
    def called_ae(self) -> str:
        """Our title, as the peer called it."""
        return self.association.called_ae

    @property
    def calling_ae(self) -> str:
        """The peer's title."""
        return self.association.calling_ae

    @property
    def origin(self) -> Origin:
        """Where objects of this association come from."""
        return Origin(self.calling_ae, self.called_ae, self.association.peer.host)

    def may(self, right: Right) -> bool:
        """Whether the peer may use this service."""
        return self.peer.may(right)

    def answer(
        self,
        message: Message,
        status: int,
        comment: str = "",
        *,
        fields: Command | None = None,
        data: bytes | None = None,
    ) -> None:
        """Write the final response of `message`."""
        command = response(message.command, status, data_set=data is not None, comment=comment)
        if fields:
            command.update(fields)
        self.association.respond(message, command, data)
