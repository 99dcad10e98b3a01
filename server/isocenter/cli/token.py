"""`isocenter token`: create, list, revoke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from isocenter.cli import output
from isocenter.config import Settings
from isocenter.errors import BadRequest, NotFound
from isocenter.security import Role, Tokens
from isocenter.state import open_state

DAY = 86_400.0


def create(
    settings: Settings,
    name: str,
    *,
    role: str,
    datasets: Sequence[str],
    days: float | None,
    as_json: bool,
) -> None:
    """Make a token and print its secret, which is shown this once, and of which server it is."""
    try:
        wanted = Role(role)
    except ValueError:
        raise BadRequest(f"No role {role!r}", hint="one of " + ", ".join(r.value for r in Role)) from None
    known = settings.all_datasets()
    for dataset in datasets:
        if dataset not in known:
            raise NotFound(f"No dataset {dataset!r}", hint="one of " + ", ".join(known))
    with _tokens(settings) as tokens:
        secret, made = tokens.create(
            name, role=wanted, datasets=datasets, expires_in=None if days is None else days * DAY
        )
    if as_json:
        output.tell_json({**made.to_json(), "secret": secret, "data": str(settings.data.resolve())})
        return
    output.out.print(secret, highlight=False, soft_wrap=True)
    output.err.print(
        f"Keep it: it is not shown again. From now on every request to a server of {settings.data.resolve()} "
        "needs a token.",
        style="dim",
        highlight=False,
        markup=False,
    )


def show(settings: Settings, *, as_json: bool) -> None:
    """List tokens."""
    _require(settings)
    with _tokens(settings) as tokens:
        known = tokens.list()
    if as_json:
        output.tell_json([token.to_json() for token in known])
        return
    rows = [
        (t.id, t.name, t.role.value, ", ".join(t.datasets) or "all", _day(t.created), _day(t.expires))
        for t in known
    ]
    output.table(("id", "name", "role", "datasets", "created", "expires"), rows)


def revoke(settings: Settings, id: str, *, as_json: bool) -> None:
    """Revoke a token."""
    _require(settings)
    with _tokens(settings) as tokens:
        gone = tokens.revoke(id)
    if as_json:
        output.tell_json(gone.to_json())
        return
    output.err.print(f"Revoked {gone.id} ({gone.name})", highlight=False)


def _require(settings: Settings) -> None:
    """Opening would make an empty folder where the one that was meant is not."""
    if not (settings.data / "state.db").is_file():
        raise NotFound(f"{settings.data.resolve()} is no data folder of a server", hint="name it with --data")


@contextmanager
def _tokens(settings: Settings) -> Iterator[Tokens]:
    state = open_state(settings.data)
    try:
        yield Tokens(state)
    finally:
        state.close()


def _day(seconds: float | None) -> str:
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
