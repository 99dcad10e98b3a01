"""Bearer tokens: made once, kept as digests, listed, revoked, expiring, followed between processes."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from isocenter.security import Action, Role, Tokens, digest_of, new_secret
from isocenter.state import State, open_state


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path)
    yield state
    state.close()


def test_without_tokens_everybody_is_the_owner(state: State) -> None:
    tokens = Tokens(state)
    assert not tokens.exist()
    assert tokens.identify(None).role is Role.ADMIN


def test_a_token_that_is_not_known_opens_nothing_though_none_exists(state: State) -> None:
    """One that was revoked last, or a secret of an earlier start: its holder is not the owner by chance."""
    tokens = Tokens(state)
    secret, made = tokens.create("gone")
    tokens.revoke(made.id)
    for wrong in (secret, "stale-secret-of-an-earlier-start"):
        with pytest.raises(Unauthorized, match="not known"):
            tokens.identify(wrong)


def test_a_token_is_asked_for_once_one_exists(state: State) -> None:
    tokens = Tokens(state)
    secret, made = tokens.create("notebook", role=Role.READER)
    assert tokens.identify(secret).name == "notebook"
    for wrong in (None, "", "iso_wrong", secret + "x", "\udcff"):
        with pytest.raises(Unauthorized):
            tokens.identify(wrong)
    assert [token.id for token in tokens.list()] == [made.id]


def test_the_secret_is_nowhere_on_disk(state: State, tmp_path: Path) -> None:
    secret, _ = Tokens(state).create("notebook")
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert digest_of(secret) in held
    assert secret.encode() not in held


def test_a_revoked_token_is_refused_at_once_also_by_another_worker(state: State, tmp_path: Path) -> None:
    here, state_there = Tokens(state), open_state(tmp_path)
    there = Tokens(state_there)
    secret, made = here.create("a")
    here.create("b")
    assert there.identify(secret).name == "a"
    here.revoke(made.id)
    for tokens in (here, there):
        with pytest.raises(Unauthorized):
            tokens.identify(secret)
    with pytest.raises(NotFound):
        there.revoke(made.id)
    state_there.close()


def test_an_expired_token_is_refused_and_does_not_open_the_server(state: State) -> None:
    tokens = Tokens(state)
    secret, made = tokens.create("short", expires_in=0.01)
    while not made.expired:
        pass
    with pytest.raises(Unauthorized, match="expired"):
        tokens.identify(secret)
    assert tokens.exist()
    with pytest.raises(Unauthorized):
        tokens.identify(None)


def test_the_token_of_this_start_is_an_administrators_and_does_not_count(state: State) -> None:
    local = new_secret()
    tokens = Tokens(state, local=digest_of(local))
    assert not tokens.exist()
    tokens.create("reader")
    assert tokens.identify(local).role is Role.ADMIN


@pytest.mark.parametrize(
    ("name", "expires_in"),
    [(" ", None), ("x", 0.0), ("x", -1.0), ("x", math.nan), ("x", math.inf), ("x", 1e12)],
)
def test_nonsense_is_refused(state: State, name: str, expires_in: float | None) -> None:
    with pytest.raises(BadRequest):
        Tokens(state).create(name, expires_in=expires_in)


def test_a_token_holds_in_its_datasets_only(state: State) -> None:
    tokens = Tokens(state)
    secret, _ = tokens.create("lab", role=Role.CONTRIBUTOR, datasets=["ct-lab"])
    identity = tokens.identify(secret)
    identity.require(Action.STORE, "ct-lab")
    for action, dataset in [
        (Action.READ, "main"),
        (Action.CURATE, "ct-lab"),
        (Action.ADMINISTER, None),
    ]:
        with pytest.raises(Forbidden, match="lab has role contributor"):
            identity.require(action, dataset)


def test_an_administrator_of_one_dataset_is_none_of_the_server(state: State) -> None:
    tokens = Tokens(state)
    secret, _ = tokens.create("teacher", role=Role.ADMIN, datasets=["ct-lab"])
    assert not tokens.identify(secret).may(Action.ADMINISTER)


def test_state_survives_and_is_private(state: State, tmp_path: Path) -> None:
    secret, _ = Tokens(state).create("kept", datasets=["b", "a"])
    state.close()
    again = open_state(tmp_path)
    assert Tokens(again).list()[0].datasets == ("a", "b")
    assert Tokens(again).identify(secret).name == "kept"
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0
    again.close()


def test_a_file_of_a_newer_version_is_refused(state: State, tmp_path: Path) -> None:
    with state.write() as connection:
        connection.exec_driver_sql("PRAGMA user_version=999")
    with pytest.raises(Conflict, match="999"):
        open_state(tmp_path)


def test_several_processes_write_at_once(state: State, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from isocenter.state import open_state;"
        "from isocenter.security import Tokens; t = Tokens(open_state(Path(sys.argv[1])));"
        "[t.create(f'{sys.argv[2]}-{i}') for i in range(20)]"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(n)]) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(Tokens(state).list()) == 60
