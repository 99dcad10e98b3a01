"""What one association may cost: times, lengths and counts, all settable.

Not here: which abstract syntaxes and AE titles are accepted (:mod:`isocenter.network.negotiation`).
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, lengths in bytes."""

    artim: float = 30.0
    """ARTIM (PS3.8 9.1.5): to wait for A-ASSOCIATE-RQ after connect, for the TLS handshake, and for
    the peer to close after A-ASSOCIATE-RJ."""
    connect: float = 10.0
    """As requestor: to reach the peer (TCP)."""
    accept: float = 30.0
    """As requestor: to wait for A-ASSOCIATE-AC or -RJ."""
    message: float = 60.0
    """Between the PDUs of one message, and for a peer to read on when what we send is stuck."""
    idle: float = 600.0
    """Of an established association with nothing under way; also to wait for a response."""
    closing: float = 5.0
    """For A-RELEASE-RP after A-RELEASE-RQ, and for the peer to close after A-ABORT or A-RELEASE-RP."""
    keep_alive: float = 60.0
    """Silence until TCP asks whether the peer is there; it is gone after four questions without an answer."""
    max_length: int = 128 * KIB
    """Announced maximum length: the variable field of a P-DATA-TF that we accept (PS3.8 D.1)."""
    unlimited_peer_length: int = 1024 * KIB
    """What we send at most in one P-DATA-TF to a peer that announces 0 (no limit) or more than this."""
    request: int = 256 * KIB
    """An A-ASSOCIATE-RQ or -AC."""
    command: int = 64 * KIB
    """A command set."""
    collected: int = 16 * 1024 * KIB
    """A data set that no sink takes (identifiers)."""
    outstanding: int = 64
    """Requests of one peer that wait for their final response; above it reading rests."""
    backlog: int = 256
    """Connections that the system keeps until they are accepted."""
    associations: int = 256
    """Accepted at a time by one server; above it A-ASSOCIATE-RJ 2,3,2."""
    connections: int = 1024
    """Open at a time on one server, associations included; above it a connection is closed at once."""
