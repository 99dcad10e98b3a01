"""TLS for DICOM, both sides (PS3.15 Annex B: BCP 195 secure transport connection profiles).

TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3. A :class:`Certificates` holds one
listener's context and puts new files into it without a restart: connections that stand keep what they have.

Not here: the sockets, HTTP's certificates.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from isocenter.errors import BadRequest

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
"""TLS 1.2 suites of RFC 9325 4.2; those of TLS 1.3 are all good and not set here."""

log = logging.getLogger(__name__)

Stamps = tuple[tuple[int, int], ...]
ClientCertificate = Literal["none", "optional", "required"]
_VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


@dataclass
class Certificates:
    """A listener's certificate, key, authorities and what it asks of clients.

    Args:
        certificate: PEM file with the server's certificate chain.
        key: PEM file with its private key, not encrypted.
        ca: PEM file of authorities for client certificates; needed unless `client_certificate` is `none`.
        client_certificate: whether clients show one.
        ae_of_certificate: subject common name of a client certificate -> the AE title it may call as.

    Raises:
        BadRequest: a file is missing or is not what it should be.
    """

    certificate: Path
    key: Path
    ca: Path | None = None
    client_certificate: ClientCertificate = "none"
    ae_of_certificate: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.client_certificate != "none" and self.ca is None:
            raise BadRequest("Client certificates are asked for, but no authorities are named to check them")
        self._context = self._build()
        self._loaded = _stamps(self.certificate, self.key, self.ca)

    @property
    def context(self) -> ssl.SSLContext:
        """The context for new connections; another object after a reload."""
        return self._context

    def reload(self) -> bool:
        """Read the files again when they changed; whether they did.

        Raises:
            BadRequest: they cannot be used; the old ones stay in force.
        """
        stamps = _stamps(self.certificate, self.key, self.ca)
        if stamps == self._loaded:
            return False
        self._context = self._build()
        self._loaded = stamps
        return True

    def may_call_as(self, peer_certificate: Mapping[str, Any] | None, ae_title: str) -> bool:
        """Whether the holder of this certificate may call itself `ae_title`.

        A certificate that the mapping names is bound to its title, and a title that the mapping names
        to its certificates; others are free.
        """
        name = common_name(peer_certificate)
        bound = self.ae_of_certificate.get(name) if name else None
        if bound is not None:
            return bound == ae_title
        return ae_title not in self.ae_of_certificate.values()

    def _build(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(context)
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
            if self.ca is not None:
                context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise BadRequest(
                f"The TLS certificate, key or authorities cannot be used: {error}",
                hint="PEM files are needed; the key belongs to the certificate and has no pass phrase",
            ) from error
        context.verify_mode = _VERIFY[self.client_certificate]
        return context


class ClientCertificates:
    """What our own requests use; files that were renewed are read again before the next request.

    Args:
        ca, certificate, key: as of `client_context`; the system's authorities without `ca`.
        check_hostname: as of `client_context`.
    """

    def __init__(
        self, ca: Path | None, certificate: Path | None, key: Path | None, *, check_hostname: bool
    ) -> None:
        self._ca, self._certificate, self._key = ca, certificate, key
        self._check_hostname = check_hostname
        self._context: ssl.SSLContext | None = None
        self._loaded: Stamps = ()

    @property
    def context(self) -> ssl.SSLContext:
        """The context for the next request.

        Raises:
            BadRequest: a file cannot be used, and nothing was read before, which would stay in force.
        """
        try:
            stamps = _stamps(self._certificate, self._key, self._ca)
            if self._context is None or stamps != self._loaded:
                self._context = client_context(
                    ca=self._ca,
                    certificate=self._certificate,
                    key=self._key,
                    check_hostname=self._check_hostname,
                )
                self._loaded = stamps
        except BadRequest as error:
            if self._context is None:
                raise
            log.error("The TLS files changed but cannot be used, the old ones stay: %s", error)
        return self._context


def client_context(
    *,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    check_hostname: bool = True,
) -> ssl.SSLContext:
    """The context for our own requests.

    Args:
        ca: PEM file of authorities; the system's when absent.
        certificate: PEM file of our own certificate, for peers that ask for one.
        key: PEM file of its key.
        check_hostname: whether the peer's certificate must name its host; the chain is always checked.

    Raises:
        BadRequest: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.check_hostname = check_hostname
    try:
        if ca is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(ca)
        if certificate is not None:
            context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise BadRequest(f"The TLS files of requests cannot be used: {error}") from error
    return context


def _stamps(*paths: Path | None) -> Stamps:
    try:
        told = [path.stat() for path in paths if path is not None]
    except OSError as error:
        raise BadRequest(f"A TLS file cannot be read: {error}") from error
    return tuple((status.st_mtime_ns, status.st_ino) for status in told)


def common_name(certificate: Mapping[str, Any] | None) -> str:
    """The subject's common name of a certificate as `getpeercert` gives it; empty without one."""
    for parts in (certificate or {}).get("subject", ()):
        for name, value in parts:
            if name == "commonName":
                return str(value)
    return ""


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION


def _no_password() -> str:
    """Without it OpenSSL would ask on the terminal, and the server would hang there."""
    raise ValueError("the private key is encrypted")
