"""What the services of one association share: who asks, which dataset, by which settings.

Not here: the services; the dispatch (:mod:`isocenter.dimse.server`).
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from isocenter.archive import Dataset, Origin
from isocenter.config import DicomSettings
from isocenter.dimse.turns import Turns
from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.messages import Command, response
from isocenter.network.service import Message
from isocenter.peers.book import Book, Peer
from isocenter.peers.rights import Right
from isocenter.pool import ProcessPool

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 8


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="dimse")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all associations of a server share."""

    settings: DicomSettings
    limits: Limits
    """Of associations that we ask for."""
    book: Book
    pool: ProcessPool
    """For transcoding."""
    scratch: Path
    """Folder for transcoded objects on their way; on a local disk."""
    client_tls: Callable[[Peer], ssl.SSLContext | None]
    """The TLS context for requests to a peer; None: without TLS."""
    turns: Turns
    """Of moves to one destination."""
    threads: ThreadPoolExecutor = field(default_factory=_threads)
    """For what may take seconds. The loop's own threads are left to what takes milliseconds, as reading from
    files and requests for associations, which then never wait behind queries."""

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run what may take seconds."""
        return asyncio.get_running_loop().run_in_executor(self.threads, work)

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of what may take seconds."""
        return await self.start(functools.partial(work, *args, **kwargs))


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
