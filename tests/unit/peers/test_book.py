"""The book of peers: who is known, who may come in, from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.config import load
from isocenter.errors import NotFound
from isocenter.peers.book import Book, Peer, is_loopback
from isocenter.peers.rights import ALL_RIGHTS, Right

CT1 = Peer("CT1", "192.0.2.7", 104, frozenset({Right.STORE}))


def test_settings_become_peers(tmp_path: Path) -> None:
    told = {"host": "pacs.example", "port": 11112, "rights": ["find", "move"], "character_set": "ISO_IR 100"}
    book = Book.from_settings(load({"data": tmp_path, "peers": {"PACS": told}}))
    peer = book["PACS"]
    assert (peer.host, peer.port, peer.character_set) == ("pacs.example", 11112, "ISO_IR 100")
    assert peer.may(Right.FIND)
    assert not peer.may(Right.STORE)
    assert list(book) == [peer]


def test_a_title_that_is_not_in_the_book_is_not_found() -> None:
    book = Book((CT1,))
    assert book.find(" CT1 ") == CT1
    assert book.find("ct1") is None
    with pytest.raises(NotFound, match="NOWHERE"):
        book["NOWHERE"]


@pytest.mark.parametrize(
    ("promiscuous", "loopback", "host", "let_in"),
    [
        (False, False, "127.0.0.1", False),
        (False, True, "127.0.0.1", True),
        (False, True, "::1", True),
        (False, True, "::ffff:127.0.0.1", True),
        (False, True, "192.0.2.1", False),
        (True, False, "192.0.2.1", True),
    ],
)
def test_strangers_come_in_only_where_settings_say_so(
    promiscuous: bool, loopback: bool, host: str, let_in: bool
) -> None:
    book = Book((CT1,), promiscuous=promiscuous, loopback_promiscuous=loopback)
    caller = book.caller("STRANGER", host)
    assert (caller is not None) is let_in
    if caller is not None:
        assert caller.rights == ALL_RIGHTS
        assert caller.host == ""


def test_a_known_caller_has_its_own_rights_wherever_it_calls_from() -> None:
    book = Book((CT1,), promiscuous=True)
    assert book.caller("CT1", "127.0.0.1") == CT1


@pytest.mark.parametrize(
    ("named", "host", "fits"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("no-such-host.invalid", "127.0.0.1", False),
    ],
)
async def test_the_host_is_checked_by_its_addresses(named: str, host: str, fits: bool) -> None:
    checked = Peer("A", named, check_host=True)
    assert await Book((checked,)).comes_from_its_host(checked, host) is fits


async def test_the_host_is_not_checked_unless_asked() -> None:
    assert await Book((CT1,)).comes_from_its_host(CT1, "127.0.0.1")


def test_a_unix_socket_is_on_this_machine_and_a_name_is_not() -> None:
    assert is_loopback("")
    assert not is_loopback("example.org")
