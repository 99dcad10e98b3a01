"""A proxy of ours, such as Jupyter's, holds an administrator's token and says for whom it asks."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from live_http import LiveHttp

from isocenter.security import Role


@pytest.fixture
def live(serve: Callable[..., LiveHttp]) -> LiveHttp:
    return serve()


def ask(live: LiveHttp, secret: str, user: str, scheme: str = "Bearer") -> str:
    headers = {"Authorization": f"{scheme} {secret}", "X-Isocenter-User": user}
    return str(live.get("/told", headers=headers).json()["name"])


def test_with_an_administrator_s_token_the_name_is_that_of_whom_the_proxy_let_in(live: LiveHttp) -> None:
    assert ask(live, live.secret, "ada") == "ada"
    assert ask(live, live.secret, quote("Jürgen Müller")) == "Jürgen Müller"
    secret, _ = live.context.tokens.create("hub", role=Role.ADMIN)
    assert ask(live, secret, "ada") == "ada"


@pytest.mark.parametrize("user", ["", "%20", "a%0ab", "x" * 1000])
def test_what_is_no_name_is_none(live: LiveHttp, user: str) -> None:
    assert ask(live, live.secret, user) == "local"


def test_nobody_else_can_take_another_name(live: LiveHttp) -> None:
    assert live.get("/told", headers={"X-Isocenter-User": "ada"}).json()["name"] == "local"
    secret, _ = live.context.tokens.create("eve", role=Role.CURATOR)
    assert ask(live, secret, "ada") == "eve"


def test_the_scheme_of_jupyterhub_is_understood_too(live: LiveHttp) -> None:
    secret, _ = live.context.tokens.create("ada", role=Role.READER)
    assert ask(live, secret, "", "token") == "ada"
