"""Asking a peer for an association (PS3.8 7.1, requestor side)."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.service import Service

if TYPE_CHECKING:
    from isocenter.network.negotiation import Proposal


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
) -> Association:
    """An established association.

    `contexts` are proposals of negotiation.py (abstract syntax, transfer syntaxes, roles). `service`
    answers what the peer asks (C-STORE of a C-GET, N-EVENT-REPORT).

    Raises:
        Unreachable: no connection in `limits.connect` seconds, or refused.
        AssociationRejected: with `.result .source .reason`.
        AssociationLost: the peer aborted, closed, or did not answer in `limits.accept`.
    """
    raise NotImplementedError
