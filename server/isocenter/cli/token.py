"""`isocenter token`: create, list, revoke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from isocenter.cli import output
from isocenter.config import load
from isocenter.errors import BadRequest
from isocenter.security import Role, Tokens
from isocenter.state import open_state

DAY = 86_400.0


def create(
    data: Path | None, name: str, *, role: str, datasets: Sequence[str], days: float | None, as_json: bool
) -> None:
    """Make a token and print its secret, which is shown this once."""
    try:
        wanted = Role(role)
    except ValueError:
        raise BadRequest(f"No role {role!r}", hint="one of " + ", ".join(r.value for r in Role)) from None
    with _tokens(data) as tokens:
        secret, made = tokens.create(
            name, role=wanted, datasets=datasets, expires_in=None if days is None else days * DAY
        )
    if as_json:
        output.tell_json({**made.to_json(), "secret": secret})
        return
    output.out.print(secret, highlight=False, soft_wrap=True)
    output.err.print("Keep it: it is not shown again. From now on every request needs a token.", style="dim")


def show(data: Path | None, *, as_json: bool) -> None:
    """List tokens."""
    with _tokens(data) as tokens:
        known = tokens.list()
    if as_json:
        output.tell_json([token.to_json() for token in known])
        return
    rows = [
        (t.id, t.name, t.role.value, ", ".join(t.datasets) or "all", _day(t.created), _day(t.expires))
        for t in known
    ]
    output.table(("id", "name", "role", "datasets", "created", "expires"), rows)


def revoke(data: Path | None, id: str) -> None:
    """Revoke a token."""
    with _tokens(data) as tokens:
        gone = tokens.revoke(id)
    output.err.print(f"Revoked {gone.id} ({gone.name})", highlight=False)


@contextmanager
def _tokens(data: Path | None) -> Iterator[Tokens]:
    state = open_state(load({"data": data} if data else {}).data)
    try:
        yield Tokens(state)
    finally:
        state.close()


def _day(seconds: float | None) -> str:
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
