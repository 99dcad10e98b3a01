"""Users of a JupyterHub: their hub tokens are bearer tokens here, checked by asking the hub whose they are.

The hub's `GET /user` tells the owner of a token, the owner's groups and what the token may do. It must have
the scope `access:services!service=<name>`, as every service of a hub asks for: a token made for something
else opens nothing here. Answers are remembered for a while, by the token's digest. Not here: signing in by a
browser (OAuth).
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from isocenter.config import JupyterHubSettings
from isocenter.errors import Unavailable
from isocenter.security.acl import Role
from isocenter.security.identity import Identity

REFUSED_FOR = 30.0
"""Seconds until the hub is asked again about a token that it did not know."""
_REMEMBERED = 10_000
_ORDER = (Role.READER, Role.CONTRIBUTOR, Role.DEIDENTIFIER, Role.CURATOR, Role.ADMIN)


@dataclass(frozen=True)
class _Answer:
    identity: Identity | None
    until: float


class HubUsers:
    """Whose a hub token is.

    Args:
        settings: where the hub is, and what its users may do.
    """

    def __init__(self, settings: JupyterHubSettings) -> None:
        self._settings = settings
        self._answers: dict[bytes, _Answer] = {}
        self._asking: dict[bytes, asyncio.Task[None]] = {}

    def is_known(self, digest: bytes) -> bool:
        """Whether the hub has answered lately about the token of this digest."""
        answer = self._answers.get(digest)
        return answer is not None and answer.until > time.monotonic()

    def identity(self, digest: bytes) -> Identity | None:
        """Who presents the token of this digest; None when the hub has not told so lately."""
        answer = self._answers.get(digest)
        return answer.identity if answer is not None and answer.until > time.monotonic() else None

    async def ask(self, secret: str, digest: bytes) -> None:
        """Ask the hub; those who present the same token meanwhile wait for the same answer.

        Raises:
            Unavailable: the hub does not answer.
        """
        task = self._asking.get(digest)
        if task is None:
            task = self._asking[digest] = asyncio.create_task(self._ask(secret, digest))
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        await asyncio.shield(task)

    async def _ask(self, secret: str, digest: bytes) -> None:
        request = HTTPRequest(
            f"{self._settings.api_url.rstrip('/')}/user",
            headers={"Authorization": f"token {secret}"},
            follow_redirects=False,  # the token is for the hub alone
            connect_timeout=10,
            request_timeout=20,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request, raise_error=False)
            told = json.loads(answer.body) if answer.code == 200 else None
        except (HTTPClientError, OSError, ValueError) as error:
            raise Unavailable("JupyterHub does not answer", hint=f"jupyterhub.api_url: {error}") from error
        if answer.code not in (200, 401, 403, 404):
            raise Unavailable(f"JupyterHub answered {answer.code} when asked about a token")
        self._remember(digest, self._identity(told) if isinstance(told, dict) else None)

    def _remember(self, digest: bytes, identity: Identity | None) -> None:
        seconds = REFUSED_FOR if identity is None else self._settings.remembered
        self._answers.pop(digest, None)
        self._answers[digest] = _Answer(identity, time.monotonic() + seconds)
        while len(self._answers) > _REMEMBERED:
            del self._answers[next(iter(self._answers))]

    def _identity(self, told: dict[str, Any]) -> Identity | None:
        settings = self._settings
        wanted = {"access:services", f"access:services!service={settings.service}"}
        if not isinstance(told.get("name"), str) or not wanted & set(told.get("scopes") or ()):
            return None
        groups = told.get("groups") or ()
        roles = [
            Role(settings.role),
            *(Role(role) for name, role in settings.groups.items() if name in groups),
        ]
        return Identity(told["name"], max(roles, key=_ORDER.index))
