"""Signatures of reports: who has the project key can tell that nobody changed one, a person can vouch for it.

HMAC-SHA-256 by a key derived from the project's; optionally Ed25519 (RFC 8032) by a person's own. Both are
over the report as JSON with sorted names and without its signatures, so that it may be reformatted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from isocenter.deid.key import Key
from isocenter.errors import BadRequest, NotFound

Signer = Ed25519PrivateKey
_PURPOSE = "report"


def digest(report: dict[str, Any]) -> str:
    """SHA-256 of the report's content, in hexadecimal."""
    return hashlib.sha256(_content(report)).hexdigest()


def sign(report: dict[str, Any], key: Key, signer: Signer | None = None) -> dict[str, Any]:
    """The report with its digest and signatures."""
    content = _content(report)
    signatures = {"hmac-sha256": _hmac(content, key), "key": key.fingerprint}
    if signer is not None:
        public = signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signatures["ed25519"] = base64.b64encode(signer.sign(content)).decode()
        signatures["public_key"] = public.decode()
    return report | {"digest": hashlib.sha256(content).hexdigest(), "signatures": signatures}


def read_signer(path: Path, password: Callable[[], str] | None = None) -> Signer:
    """A person's private key (Ed25519, PEM), such as `openssl genpkey -algorithm ed25519` makes.

    Args:
        path: its file.
        password: asked for one where the key has one.

    Raises:
        NotFound: there is no such file.
        BadRequest: it holds no such key, or the password is missing or wrong.
    """
    try:
        data = path.read_bytes()
        told = password().encode() if password and b"ENCRYPTED" in data else None
        key = load_pem_private_key(data, told)
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}") from None
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = "openssl genpkey -algorithm ed25519 makes one"
        raise BadRequest(f"{path} holds no private key that opens", hint=hint) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadRequest(f"{path} is no Ed25519 key", hint="openssl genpkey -algorithm ed25519 makes one")
    return key


def check(report: dict[str, Any], key: Key) -> None:
    """Make sure that the report is as the holder of the key made it.

    Raises:
        BadRequest: it is not signed, by another key, or was changed.
    """
    told = report.get("signatures")
    if not isinstance(told, dict) or "hmac-sha256" not in told:
        raise BadRequest("The report is not signed")
    if told.get("key") != key.fingerprint:
        raise BadRequest(f"The report is signed by the key {told.get('key')}, not by {key.fingerprint}")
    if not hmac.compare_digest(str(told["hmac-sha256"]), _hmac(_content(report), key)):
        raise BadRequest("The report was changed after it was signed")


def check_person(report: dict[str, Any], public: bytes) -> None:
    """Make sure that the owner of a public key (PEM) vouched for the report.

    The key must come from elsewhere: that in the report proves nothing.

    Raises:
        BadRequest: it is not signed so, or was changed.
    """
    try:
        key = load_pem_public_key(public)
    except ValueError as error:
        raise BadRequest("This is no public key (PEM)", hint=str(error)) from None
    told = report.get("signatures")
    if not isinstance(told, dict) or "ed25519" not in told or not isinstance(key, Ed25519PublicKey):
        raise BadRequest("The report is not signed by an Ed25519 key")
    try:
        key.verify(base64.b64decode(str(told["ed25519"])), _content(report))
    except (InvalidSignature, ValueError):
        raise BadRequest("The report was changed after it was signed, or signed by somebody else") from None


def _content(report: dict[str, Any]) -> bytes:
    kept = {name: value for name, value in report.items() if name not in ("digest", "signatures")}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def _hmac(content: bytes, key: Key) -> str:
    return hmac.digest(key.derive(_PURPOSE), content, "sha256").hex()
