"""User identities of associations (PS3.7 D.3.3.7), checked against the server's bearer tokens.

A passcode (type 2) or JSON web token (type 5) field carries a token; a wrong one is refused. A bare name
(type 1) proves nothing and is let in; Kerberos and SAML are not supported, which PS3.7 has acceptors ignore.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from isocenter.errors import Unauthorized
from isocenter.network.negotiation import Caller
from isocenter.security import Action, Tokens

Authenticate = Callable[[Caller, str], Awaitable[bool] | bool]
"""Whether the identity that a caller shows is a true one for the dataset of this name."""

_PASSCODE, _WEB_TOKEN = 2, 5


def by_token(tokens: Tokens) -> Authenticate:
    """Checks passcodes and web tokens as bearer tokens; while no token exists nothing is checked."""

    async def check(caller: Caller, dataset: str) -> bool:
        identity = caller.identity
        if identity is None or identity.kind not in (_PASSCODE, _WEB_TOKEN):
            return True
        shown = identity.secondary if identity.kind == _PASSCODE else identity.primary
        secret = shown.decode("utf-8", "replace").strip(" \0")
        if not await asyncio.to_thread(tokens.exist):
            return True
        try:
            known = await asyncio.to_thread(tokens.identify, secret)
        except Unauthorized:
            return False
        return known.may(Action.READ, dataset) or known.may(Action.STORE, dataset)

    return check
