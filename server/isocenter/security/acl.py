"""Roles and what they may do. One table, so that an answer can be explained; users and groups come later."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What somebody may do to a dataset, or (ADMINISTER) to the server."""

    READ = "read"
    STORE = "store"
    FREEZE = "freeze"
    DEIDENTIFY = "deidentify"
    CURATE = "curate"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a token holder is, in the datasets that its token names."""

    READER = "reader"
    CONTRIBUTOR = "contributor"
    DEIDENTIFIER = "deidentifier"
    CURATOR = "curator"
    ADMIN = "admin"

    def may(self, action: Action) -> bool:
        """Whether this role allows `action`."""
        return action in _ALLOWED[self]


_ALLOWED: dict[Role, frozenset[Action]] = {
    Role.READER: frozenset({Action.READ}),
    Role.CONTRIBUTOR: frozenset({Action.READ, Action.STORE, Action.FREEZE}),
    Role.DEIDENTIFIER: frozenset({Action.READ, Action.STORE, Action.FREEZE, Action.DEIDENTIFY}),
    Role.CURATOR: frozenset({Action.READ, Action.STORE, Action.FREEZE, Action.CURATE}),
    Role.ADMIN: frozenset(Action),
}
