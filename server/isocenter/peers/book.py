"""The book of peers: AE title -> host, port, rights and what else is known of a remote node.

It comes from settings; callers that are not in it come in when settings say so (promiscuous). Called and
calling AE titles are compared as they are, case included, without padding (PS3.8 9.3.2).

Not here: talking to peers, DICOMweb peers, the datasets behind called titles.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from isocenter.config import PeerSettings, Settings
from isocenter.errors import NotFound
from isocenter.peers.rights import ALL_RIGHTS, Right, Rights

_RESOLVED_FOR = 60.0  # seconds that a looked-up address counts


@dataclass(frozen=True, slots=True)
class Peer:
    """A remote application entity; `host` is empty for a caller that is not in the book."""

    ae_title: str
    host: str = ""
    port: int = 104
    rights: Rights = ALL_RIGHTS
    check_host: bool = False
    tls: bool = False
    character_set: str | None = None
    assume_charset: str | None = None
    transfer_syntax_order: tuple[str, ...] = ()

    def may(self, right: Right) -> bool:
        """Whether it may use this service."""
        return right in self.rights


class Book:
    """Peers by AE title, and who else may call.

    Args:
        peers: the known ones.
        promiscuous: unknown callers come in, with all rights.
        loopback_promiscuous: the same for callers on this machine only.
    """

    def __init__(
        self, peers: tuple[Peer, ...], *, promiscuous: bool = False, loopback_promiscuous: bool = False
    ) -> None:
        self._peers = {peer.ae_title: peer for peer in peers}
        self._promiscuous = promiscuous
        self._loopback = loopback_promiscuous
        self._addresses: dict[str, tuple[float, frozenset[str]]] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Book:
        """The book that the settings describe."""
        return cls(
            tuple(_peer(title, each) for title, each in settings.peers.items()),
            promiscuous=settings.dicom.promiscuous,
            loopback_promiscuous=settings.dicom.loopback_promiscuous,
        )

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def find(self, ae_title: str) -> Peer | None:
        """The peer of this title, None when it is not in the book."""
        return self._peers.get(ae_title.strip())

    def __getitem__(self, ae_title: str) -> Peer:
        peer = self.find(ae_title)
        if peer is None:
            raise NotFound(f"There is no peer {ae_title.strip()!r}", hint="peers are named in settings")
        return peer

    def caller(self, ae_title: str, host: str) -> Peer | None:
        """Who calls itself `ae_title` from the address `host`; None when it may not come in.

        The host check of known peers is not made here: :meth:`comes_from_its_host`.
        """
        known = self._peers.get(ae_title)
        if known is not None:
            return known
        if self._promiscuous or (self._loopback and is_loopback(host)):
            return Peer(ae_title)
        return None

    async def comes_from_its_host(self, peer: Peer, host: str) -> bool:
        """Whether `host` is an address of the peer; True when it is not to be checked.

        A name that does not resolve is no address.
        """
        if not peer.check_host:
            return True
        return _plain(host) in await self._resolve(peer.host)

    async def _resolve(self, name: str) -> frozenset[str]:
        now = time.monotonic()
        kept = self._addresses.get(name)
        if kept is not None and now - kept[0] < _RESOLVED_FOR:
            return kept[1]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError:
            found = []
        addresses = frozenset(_plain(str(entry[4][0])) for entry in found)
        self._addresses[name] = (now, addresses)
        return addresses


def is_loopback(host: str) -> bool:
    """Whether a connection's address is on this machine; unix sockets have none and are."""
    try:
        return not host or ipaddress.ip_address(_plain(host)).is_loopback
    except ValueError:
        return False


def _plain(host: str) -> str:
    """The address without zone, and IPv4 out of its IPv6 wrapping."""
    bare = host.partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return bare
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _peer(ae_title: str, settings: PeerSettings) -> Peer:
    return Peer(
        ae_title=ae_title.strip(),
        host=settings.host,
        port=settings.port,
        rights=frozenset(Right(right) for right in settings.rights),
        check_host=settings.check_host,
        tls=settings.tls,
        character_set=settings.character_set,
        assume_charset=settings.assume_charset,
        transfer_syntax_order=settings.transfer_syntax_order,
    )
