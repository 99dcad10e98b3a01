"""What a remote application entity may do here.

Not here: who it is (:mod:`isocenter.peers.book`), users of the web side (:mod:`isocenter.security`).
"""

from __future__ import annotations

from enum import StrEnum


class Right(StrEnum):
    """One service that a peer may use."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    MOVE = "move"
    GET = "get"


Rights = frozenset[Right]

ALL_RIGHTS: Rights = frozenset(Right)
"""Of peers that are let in without being known."""
