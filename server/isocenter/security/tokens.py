"""Bearer tokens (RFC 6750): made once, shown once, kept as a digest, revocable, expiring.

A token is 256 random bits, so its SHA-256 is kept and no slow, salted password hash: those exist because
people choose guessable passwords. Nobody can enumerate 2**256 values however fast the hash is, a salt adds
nothing to values that never repeat, and 100 ms of argon2 for each request would be a way to stall the server.
The lookup is by digest: comparing in constant time is not needed, since a guess does not reveal how close it
came.

Policy: while no token exists the server answers this machine alone and asks for nothing; as soon as one
exists, expired ones included, every request needs one. One that is shown must be known at any time: the
holder of a revoked token does not become the owner when the last one goes.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from isocenter.errors import BadRequest, NotFound, Unauthorized
from isocenter.security.acl import Role
from isocenter.security.identity import LOCAL, Identity
from isocenter.security.jupyterhub import HubUsers
from isocenter.state import State
from isocenter.state.schema import token as table

PREFIX = "iso_"
LONGEST = 100 * 365.25 * 86_400  # seconds until a token expires


@dataclass(frozen=True)
class Token:
    """A token as it may be listed: everything but the secret. Times are seconds since 1970, UTC."""

    id: str
    name: str
    role: Role
    datasets: tuple[str, ...]
    created: float
    expires: float | None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= time.time()

    @property
    def identity(self) -> Identity:
        """Who presents it."""
        return Identity(self.name, self.role, frozenset(self.datasets))

    def to_json(self) -> dict[str, Any]:
        """As `/api/tokens` and the command line list it."""
        return {
            "id": self.id,
            "name": self.name,
            "role": self.role.value,
            "datasets": list(self.datasets),
            "created": self.created,
            "expires": self.expires,
            "expired": self.expired,
        }


def new_secret() -> str:
    """A fresh secret: 256 random bits behind a prefix that secret scanners can be taught."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> bytes:
    """What is kept of a secret (see the module's text for why plain SHA-256 is right)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


class Tokens:
    """The tokens of a server, read from `state.db` and followed when another process changes them.

    Args:
        state: the open state of the server.
        local: digest of the secret of this start, which the connection file carries; it is an
            administrator's, and does not count as an existing token.
        hub: whose tokens are good here too; with it every request needs one.
    """

    def __init__(self, state: State, *, local: bytes | None = None, hub: HubUsers | None = None) -> None:
        self._state = state
        self.hub = hub
        self._local = local
        self._lock = threading.Lock()
        self._seen = -1
        self._by_digest: dict[bytes, Token] = {}

    def create(
        self,
        name: str,
        *,
        role: Role = Role.READER,
        datasets: Iterable[str] = (),
        expires_in: float | None = None,
    ) -> tuple[str, Token]:
        """Make a token; returns its secret, which is not kept and cannot be shown again, and its description.

        Args:
            name: what it is for; shown in lists and in the audit.
            role: what its holder may do.
            datasets: names of datasets it holds in; none means all.
            expires_in: seconds from now, at most LONGEST, or None for never.
        """
        if not name.strip():
            raise BadRequest("A token needs a name", hint="say what it is for")
        if expires_in is not None and not 0 < expires_in <= LONGEST:
            raise BadRequest("A token expires in the future, within a hundred years, or never")
        secret, now = new_secret(), round(time.time(), 6)
        expires = None if expires_in is None else round(now + expires_in, 6)
        made = Token(secrets.token_hex(4), name.strip(), role, tuple(sorted(set(datasets))), now, expires)
        with self._state.write() as connection:
            connection.execute(insert(table).values(**_row(made), digest=digest_of(secret)))
        return secret, made

    def list(self) -> list[Token]:
        """Every token, oldest first."""
        return sorted(self._current().values(), key=lambda token: token.created)

    def revoke(self, id: str) -> Token:
        """Remove a token; in effect in every process with its next request. NotFound for an unknown id."""
        found = next((token for token in self._current().values() if token.id == id), None)
        if found is None:
            raise NotFound(f"No token {id}", hint="`isocenter token list` shows their ids")
        with self._state.write() as connection:
            connection.execute(delete(table).where(table.c.id == id))
        return found

    def exist(self) -> bool:
        """Whether any token exists. Expired ones count: a server never opens because time passed."""
        return bool(self._current())

    async def ask_hub(self, secret: str) -> None:
        """Have JupyterHub say whose token this is, unless it is one of ours or the hub has said so lately.

        Raises:
            Unavailable: the hub does not answer.
        """
        digest = digest_of(secret)
        if self.hub is not None and not (self._is_own(digest) or self.hub.is_known(digest)):
            await self.hub.ask(secret, digest)

    def _is_own(self, digest: bytes) -> bool:
        return digest in self._current() or (
            self._local is not None and secrets.compare_digest(digest, self._local)
        )

    def identify(self, secret: str | None) -> Identity:
        """Who presents `secret`.

        Raises:
            Unauthorized: none was presented though tokens exist, or it is unknown, also while none
                exists, or expired.
        """
        digest = digest_of(secret) if secret else None
        if digest is not None and self._local is not None and secrets.compare_digest(digest, self._local):
            return LOCAL
        known = self._current()
        if digest is None:
            if not known and self.hub is None:
                return LOCAL
            raise Unauthorized("This server needs a token", hint="send `Authorization: Bearer <token>`")
        found = known.get(digest)
        if found is None and self.hub is not None and (user := self.hub.identity(digest)):
            return user
        if found is None:
            hint = "it may have been revoked, or be that of an earlier start"
            raise Unauthorized(
                "This token is not known here",
                hint=hint if known or self.hub is not None else hint + "; none is needed",
            )
        if found.expired:
            raise Unauthorized("This token has expired", hint="ask for a new one")
        return found.identity

    def _current(self) -> dict[bytes, Token]:
        with self._lock:
            version = self._state.version()
            if version != self._seen:
                with self._state.read() as connection:
                    rows = connection.execute(select(table)).mappings().all()
                self._by_digest = {row["digest"]: _token(row) for row in rows}
                # The version from before the read: a change in between is read again, never missed.
                self._seen = version
            return self._by_digest


def _row(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "datasets": json.dumps(token.datasets),
        "created": round(token.created * 1e6),
        "expires": None if token.expires is None else round(token.expires * 1e6),
    }


def _token(row: Any) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        datasets=tuple(json.loads(row["datasets"])),
        created=row["created"] / 1e6,
        expires=None if row["expires"] is None else row["expires"] / 1e6,
    )
