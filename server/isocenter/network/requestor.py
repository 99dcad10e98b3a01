"""Asking a peer for an association (PS3.8 7.1, requestor side)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isocenter.network import negotiation
from isocenter.network.associate import MalformedAssociate
from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.pdu import Reason
from isocenter.network.problems import AssociationLost, AssociationProblem, AssociationRejected, Unreachable
from isocenter.network.service import Ending, Service
from isocenter.network.state_table import Event

if TYPE_CHECKING:
    from isocenter.network.associate import UserIdentity
    from isocenter.network.negotiation import Answer, Proposal


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says."""

    called: str
    calling: str
    proposals: Sequence[Proposal]
    max_length: int
    extended: Mapping[str, bytes] = field(default_factory=dict)
    identity: UserIdentity | None = None

    def pdu(self) -> bytes:
        """The A-ASSOCIATE-RQ."""
        return negotiation.propose(
            self.called,
            self.calling,
            self.proposals,
            max_length=self.max_length,
            extended=self.extended,
            identity=self.identity,
        )

    def read(self, answer: bytes) -> Answer:
        """What the A-ASSOCIATE-AC or -RJ says."""
        return negotiation.read_answer(answer, self.proposals, called=self.called, calling=self.calling)


class RequestedAssociation(Association):
    """An association that we ask for."""

    def __init__(self, asked: bytes, limits: Limits, service: Service | None) -> None:
        super().__init__(limits, requestor=True, service=service)
        self._asked = asked
        self.confirmed: asyncio.Future[bytes] = self._loop.create_future()
        """The A-ASSOCIATE-AC or -RJ."""

    def connecting(self) -> None:
        """The connection is being made."""
        self._fire(Event.ASSOCIATE_REQUEST)

    def unreachable(self) -> None:
        """The connection was not made."""
        self._fire(Event.CONNECTION_CLOSED)
        self._gone()

    def give_up(self) -> None:
        """Nobody waits for the connection any more."""
        self.abort(text="the request was given up")
        if self._transport is None:
            self._gone()

    def accept(self, answer: Answer) -> None:
        """The answer was understood: the association stands.

        Raises:
            AssociationLost: it ended while the answer was read.
        """
        if self._ending is not None:
            raise self._lost()
        self._establish(answer)
        self._established()
        self._proceed()

    def refuse(self) -> None:
        """The answer makes no sense."""
        self._fire(Event.INVALID_PDU, Reason.INVALID_PARAMETER)
        self._proceed()

    def _request_bytes(self) -> bytes:
        return self._asked

    def _associate_confirmation(self, answer: bytes) -> None:
        self._hold()  # the peer may ask at once, and the answer is read in a thread
        if not self.confirmed.done():
            self.confirmed.set_result(answer)

    def _over(self, ending: Ending) -> None:
        super()._over(ending)
        if not self.confirmed.done():
            self.confirmed.set_exception(AssociationLost(ending))
            self.confirmed.exception()  # whoever asked may have gone


async def request(
    host: str,
    port: int,
    calling: str,
    called: str,
    contexts: Sequence[Proposal],
    *,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    service: Service | None = None,
    extended: Mapping[str, bytes] | None = None,
    identity: UserIdentity | None = None,
) -> Association:
    """An established association.

    Args:
        host, port: where the peer listens.
        calling, called: AE titles.
        contexts: what to propose, 1 to 128; roles included (C-GET: `scp=True` on storage classes).
        tls: speak TLS with these settings.
        limits: times and lengths.
        service: answers what the peer asks (C-STORE of a C-GET, N-EVENT-REPORT).
        extended: SOP class to application information (PS3.4 C.5).
        identity: user identity (PS3.7 D.3.3.7).

    Raises:
        Unreachable: no connection in `limits.connect` seconds, or refused.
        AssociationRejected: the peer said no; with `.rejection`.
        AssociationLost: the peer aborted, closed, or did not answer in `limits.accept` seconds.
    """
    limits = limits or Limits()
    asked = Asked(called, calling, contexts, limits.max_length, extended or {}, identity)
    association = RequestedAssociation(await asyncio.to_thread(asked.pdu), limits, service)
    await _connect(association, host, port, tls)
    try:
        answer = await _answered(association, asked)
    except BaseException:
        association.abort(text="the request was given up")
        raise
    if answer.rejection is not None:
        raise AssociationRejected(answer.rejection)
    association.accept(answer)
    return association


async def _connect(
    association: RequestedAssociation, host: str, port: int, tls: ssl.SSLContext | None
) -> None:
    loop = asyncio.get_running_loop()
    name = host if tls is not None else None
    association.connecting()
    try:
        async with asyncio.timeout(association.limits.connect):
            await loop.create_connection(lambda: association, host, port, ssl=tls, server_hostname=name)
    except (OSError, TimeoutError) as problem:
        association.unreachable()
        told = str(problem) or f"no answer in {association.limits.connect:g} s"
        raise Unreachable(f"{host}:{port} cannot be reached: {told}") from problem
    except BaseException:
        association.give_up()
        raise


async def _answered(association: RequestedAssociation, asked: Asked) -> Answer:
    pdu = await association.confirmed
    try:
        return await asyncio.to_thread(asked.read, pdu)
    except MalformedAssociate as problem:
        association.refuse()
        raise AssociationProblem(f"The peer's answer to the request makes no sense: {problem}") from problem
