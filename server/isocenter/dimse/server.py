"""The DICOM services on listening sockets: who may come in, which dataset is meant, which service answers.

The called AE title picks the dataset; the calling one, its host and its certificate say who it is (the book
of peers, or anybody where settings are promiscuous).
Not here: binding sockets (the supervisor), what each service does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from isocenter.archive import Archive
from isocenter.config import Settings
from isocenter.dimse import echo, find, get, models, move, status, store
from isocenter.dimse.identities import Authenticate
from isocenter.dimse.models import MODELS
from isocenter.dimse.session import Session, Surroundings
from isocenter.dimse.turns import Turns
from isocenter.errors import BadRequest
from isocenter.network import associate, negotiation
from isocenter.network.acceptor import AssociationServer
from isocenter.network.associate import Rejection
from isocenter.network.association import Association
from isocenter.network.limits import Limits
from isocenter.network.messages import Field
from isocenter.network.negotiation import Admitted, Answer, Caller, Policy
from isocenter.network.service import DataSink, Ending, Message
from isocenter.network.service import Peer as Remote
from isocenter.network.tls import Certificates, ClientCertificates
from isocenter.peers.book import Book, Peer
from isocenter.peers.rights import Right
from isocenter.pool import ProcessPool

_log = logging.getLogger(__name__)

RELOAD_EVERY = 10.0
"""Seconds between looks at the TLS files."""

_QUERIES = {
    (Field.C_FIND_RQ, Right.FIND): find.answer,
    (Field.C_MOVE_RQ, Right.MOVE): move.answer,
    (Field.C_GET_RQ, Right.GET): get.answer,
}


class DimseServer:
    """The DICOM side of one worker.

    Args:
        archive: whose datasets are served, by their AE titles.
        settings: of the server.
        pool: for transcoding.
        scratch: folder for transcoded objects on their way.
        authenticate: checks user identities; without it they are let in unchecked, as PS3.7 D.3.3.7 has
            acceptors do that do not support them.
    """

    def __init__(
        self,
        archive: Archive,
        settings: Settings,
        *,
        pool: ProcessPool,
        scratch: Path,
        authenticate: Authenticate | None = None,
    ) -> None:
        self.book = Book.from_settings(settings)
        self.certificates = certificates_of(settings)
        self._client_certificates = client_certificates_of(settings)
        self._archive = archive
        self._settings = settings
        self._authenticate = authenticate
        limits = limits_of(settings)
        turns = Turns(settings.data / "run" / "destinations", settings.dicom.limits.per_destination)
        self._around = Surroundings(settings.dicom, limits, self.book, pool, scratch, self._client_tls, turns)
        self._tls_sockets: tuple[socket.socket, ...] = ()
        self._following: asyncio.Task[None] | None = None
        self._server = AssociationServer(self._negotiate, self._service, limits)

    @property
    def associations(self) -> frozenset[Association]:
        """Those that stand or are being negotiated."""
        return self._server.associations

    def listen(self, sockets: Sequence[socket.socket], tls_sockets: Sequence[socket.socket] = ()) -> None:
        """Accept on bound sockets; on `tls_sockets` with the certificates of the settings."""
        self._server.listen(sockets)
        if tls_sockets:
            if self.certificates is None:
                raise ValueError("TLS sockets without `dicom.tls` settings")
            self._server.listen(tls_sockets, self.certificates.context)
            self._tls_sockets = tuple(tls_sockets)
            self._following = asyncio.get_running_loop().create_task(self._follow_certificates())

    def reload_certificates(self) -> bool:
        """Read the TLS files again if they changed; new connections get them. Whether they did.

        Raises:
            BadRequest: they cannot be used; the old ones stay in force.
        """
        if self.certificates is None or not self.certificates.reload():
            return False
        self._server.listen(self._tls_sockets, self.certificates.context)
        return True

    async def _follow_certificates(self) -> None:
        """Whoever renews certificates puts new files in place of the old ones and tells nobody."""
        while True:
            await asyncio.sleep(RELOAD_EVERY)
            try:
                if self.reload_certificates():
                    _log.info("New TLS certificates are in force")
            except BadRequest as error:
                _log.error("The TLS files changed but cannot be used, the old ones stay: %s", error)

    async def stop(self, grace: float = 10.0) -> None:
        """Accept no more, let associations end for `grace` seconds, abort the rest."""
        if self._following is not None:
            self._following.cancel()
        await self._server.stop(grace)
        await asyncio.to_thread(self._around.threads.shutdown, cancel_futures=True)

    # -- who may come in ----------------------------------------------------------------------------

    async def _negotiate(self, pdu: bytes, remote: Remote) -> Answer:
        calling = associate.split(pdu).calling_ae
        known = self.book.find(calling)
        policy = policy_of(self._settings, known.transfer_syntax_order if known else ())

        async def admit(caller: Caller) -> Admitted | Rejection:
            return await self._admit(caller, remote)

        answer = await negotiation.negotiate(pdu, policy, admit)
        if answer.rejection is not None:
            _log.info("Association of %r from %s %s", calling, remote.host, answer.rejection)
        return answer

    async def _admit(self, caller: Caller, remote: Remote) -> Admitted | Rejection:
        dataset = self._archive.dataset_of_ae(caller.called_ae)
        if dataset is None:
            return negotiation.CALLED_UNKNOWN
        peer = self.book.caller(caller.calling_ae, remote.host)
        if peer is None or not await self.book.comes_from_its_host(peer, remote.host):
            return negotiation.CALLING_UNKNOWN
        if self.certificates and not self.certificates.may_call_as(remote.certificate, caller.calling_ae):
            return negotiation.CALLING_UNKNOWN
        if caller.identity is not None and self._authenticate is not None:
            told = self._authenticate(caller, dataset.name)
            if not (told if isinstance(told, bool) else await told):
                return negotiation.IDENTITY_REFUSED
        return Admitted()

    def _client_tls(self, peer: Peer) -> ssl.SSLContext | None:
        return self._client_certificates.context if peer.tls else None

    # -- what answers -------------------------------------------------------------------------------

    def _service(self, association: Association) -> Services:
        dataset = self._archive.dataset_of_ae(association.called_ae)
        peer = self.book.caller(association.calling_ae, association.peer.host)
        if dataset is None or peer is None:
            raise LookupError("the association was let in without dataset or peer")
        return Services(Session(association, dataset, peer, self._around))


class Services:
    """Answers the requests of one association."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def established(self, association: Association) -> None:
        """Nothing to do before the first request."""

    def message_begin(self, association: Association, message: Message) -> DataSink | None:
        """Objects stream to the archive; identifiers are collected."""
        if message.command["CommandField"] == Field.C_STORE_RQ:
            return store.begin(self._session, message)
        return None

    def message_end(self, association: Association, message: Message) -> Coroutine[Any, Any, object] | None:
        """Dispatch a complete request."""
        field = message.command["CommandField"]
        if field == Field.C_STORE_RQ:
            store.end(self._session, message)
        elif not message.context.scp:
            text = "our role in this context is not to answer"
            self._session.answer(message, status.SOP_CLASS_NOT_SUPPORTED, text)
        elif field == Field.C_ECHO_RQ:
            echo.answer(self._session, message)
        else:
            return self._query(field, message)
        return None

    def _query(self, field: int, message: Message) -> Coroutine[Any, Any, object] | None:
        model = MODELS.get(message.context.abstract_syntax)
        known = [right for kind, right in _QUERIES if kind == field]
        if not known:
            self._session.answer(message, status.UNRECOGNIZED_OPERATION, "no such operation here")
        elif model is None or model.right is not known[0]:
            self._session.answer(message, status.SOP_CLASS_NOT_SUPPORTED, "the context is of another service")
        elif not self._session.may(model.right):
            self._session.answer(message, status.NOT_AUTHORIZED, f"not authorized to {model.right}")
        else:
            return _QUERIES[Field(field), model.right](self._session, message, model)
        return None

    def ended(self, association: Association, ending: Ending) -> None:
        """Tasks and sinks are cancelled by the association itself."""


# -- from settings ----------------------------------------------------------------------------------


@lru_cache(64)
def _policy(unknown: bool, extra: tuple[str, ...], max_length: int, order: tuple[str, ...]) -> Policy:
    return Policy(
        services=models.SERVED,
        unknown_sop_classes=unknown,
        transfer_syntaxes=negotiation.STORED_SYNTAXES.union(extra),
        order=order,
        extended=models.EXTENDED,
        max_length=max_length,
    )


def policy_of(settings: Settings, order: tuple[str, ...] = ()) -> Policy:
    """What is negotiated, with a peer's own order of transfer syntaxes."""
    dicom = settings.dicom
    return _policy(dicom.unknown_sop_classes, dicom.extra_transfer_syntaxes, dicom.limits.max_pdu, order)


def limits_of(settings: Settings) -> Limits:
    """Limits of associations, from their settings."""
    told = settings.dicom.limits
    return Limits(
        artim=told.artim,
        connect=told.connect,
        message=told.between_pdus,
        idle=told.idle,
        closing=told.release,
        keep_alive=told.keep_alive,
        max_length=told.max_pdu,
        unlimited_peer_length=told.max_pdu_sent,
        collected=told.identifier,
        request=told.associate_rq,
        associations=told.associations,
    )


def certificates_of(settings: Settings) -> Certificates | None:
    """The TLS listener's certificates, None without `dicom.tls`.

    Raises:
        BadRequest: a file cannot be used.
    """
    tls = settings.dicom.tls
    if tls is None:
        return None
    return Certificates(tls.certificate, tls.key, tls.ca, tls.client_certificate, tls.ae_of_certificate)


def client_certificates_of(settings: Settings) -> ClientCertificates:
    """Those of our requests: the listener's own files, the system's authorities without them."""
    tls = settings.dicom.tls
    if tls is None:
        return ClientCertificates(None, None, None, check_hostname=True)
    # Certificates of a hospital's own authority seldom name the host that AE titles are configured with.
    return ClientCertificates(tls.ca, tls.certificate, tls.key, check_hostname=tls.ca is None)
