"""C-MOVE as SCP (PS3.4 C.4.2): the objects go by C-STORE to a destination from the book of peers.

One move to a destination at a time (by setting), over one association: another one follows when 128
presentation contexts do not suffice, or when the destination dropped the first. The requester's abort ends
the move, since the association that asked cancels this coroutine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from isocenter.archive import StoredInstance
from isocenter.dimse import outgoing, status
from isocenter.dimse.identifier import Unfit
from isocenter.dimse.models import Model
from isocenter.dimse.retrieve import wanted
from isocenter.dimse.session import Session
from isocenter.dimse.suboperations import Retrieval
from isocenter.errors import IsocenterError
from isocenter.network.negotiation import Proposal
from isocenter.network.problems import AssociationLost, AssociationProblem
from isocenter.network.requestor import request
from isocenter.network.service import Message
from isocenter.peers.book import Peer

_log = logging.getLogger(__name__)

_TRIES = 3
"""Associations in a row that may be lost without an object getting through."""


async def answer(session: Session, message: Message, model: Model) -> None:
    """Answer a C-MOVE-RQ: send every object to its destination, then the final response."""
    destination = session.around.book.find(message.command.get("MoveDestination", ""))
    if destination is None or not destination.host:
        session.answer(message, status.DESTINATION_UNKNOWN, "unknown move destination")
        return
    try:
        instances = await wanted(session, message, model)
        retrieval = Retrieval(
            session,
            message,
            instances,
            {
                "MoveOriginatorApplicationEntityTitle": session.calling_ae,
                "MoveOriginatorMessageID": message.message_id,
            },
        )
        async with retrieval.reporting():
            await _in_turn(session, message, retrieval, instances, destination)
    except Unfit as error:
        session.answer(message, error.dimse_status, error.message)
    except AssociationLost:
        return
    except IsocenterError as error:
        _log.warning("C-MOVE from %s failed: %s", session.calling_ae, error)
        code, comment = status.of_retrieve_error(error)
        session.answer(message, code, comment)
    else:
        retrieval.finish()


async def _in_turn(
    session: Session,
    message: Message,
    retrieval: Retrieval,
    instances: Sequence[StoredInstance],
    destination: Peer,
) -> None:
    """Send when no other move sends to this destination; not at all when cancelled before."""
    waiting = asyncio.create_task(session.around.turns.take(destination.ae_title))
    message.on_cancel(waiting.cancel)
    try:
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            waiting.result()  # or why there is none
            await _send_all(session, message, retrieval, instances, destination)
    finally:
        waiting.cancel()
        if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
            waiting.result().end()


async def _send_all(
    session: Session,
    message: Message,
    retrieval: Retrieval,
    instances: Sequence[StoredInstance],
    destination: Peer,
) -> None:
    """Each object over the association whose contexts serve it."""
    left = list(instances)
    for contexts in outgoing.proposals(instances):
        mine = [each for each in left if outgoing.serves(contexts, each)]
        left = [each for each in left if not outgoing.serves(contexts, each)]
        await _send_over(session, message, retrieval, mine, destination, contexts)
    if not message.cancelled:
        retrieval.fail(left)


async def _send_over(
    session: Session,
    message: Message,
    retrieval: Retrieval,
    instances: Sequence[StoredInstance],
    destination: Peer,
    contexts: list[Proposal],
) -> None:
    """Over one kind of association, asked for again when it is lost on the way."""
    tries = 0
    while instances and not message.cancelled:
        before = retrieval.counts.sent
        try:
            association = await request(
                destination.host,
                destination.port,
                session.called_ae,
                destination.ae_title,
                contexts,
                tls=session.around.client_tls(destination),
                limits=session.around.limits,
            )
        except AssociationProblem as error:
            _log.warning("No association with move destination %s: %s", destination.ae_title, error)
            retrieval.fail(instances)
            return
        try:
            done = await retrieval.send(association, instances)
            instances = instances[done:]
            if association.established:
                await association.release()
        finally:
            association.abort()
        tries = 0 if retrieval.counts.sent > before else tries + 1
        if tries >= _TRIES:
            retrieval.fail(instances)
            return
