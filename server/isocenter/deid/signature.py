"""Signatures of reports: who has the project key can tell that nobody changed one, a person can vouch for it.

HMAC-SHA-256 by a key derived from the project's; optionally Ed25519 (RFC 8032) by a person's own. Both are
over the report as JSON with sorted names and without its signatures, so that it may be reformatted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from isocenter.deid.key import Key
from isocenter.errors import BadRequest

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
