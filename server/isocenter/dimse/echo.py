"""Verification (PS3.4 Annex A): a C-ECHO is answered, with success."""

from __future__ import annotations

from isocenter.dimse import status
from isocenter.dimse.session import Session
from isocenter.network.service import Message
from isocenter.peers.rights import Right


def answer(session: Session, message: Message) -> None:
    """Answer a C-ECHO-RQ; 0124 when the peer may not ask."""
    if session.may(Right.ECHO):
        session.answer(message, status.SUCCESS)
    else:
        session.answer(message, status.NOT_AUTHORIZED, "not authorized")
