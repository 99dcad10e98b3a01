"""Bytes sealed for a public key: a fresh AES-256-GCM key for each, agreed by X25519 or wrapped by RSA-OAEP.

A sealed message is a version byte, a kind byte (1: X25519, 2: RSA), the length of the wrapped key as two
bytes, the ephemeral public key or wrapped key, a nonce of 12 bytes, and the ciphertext with its tag. Not
here: CMS (`encrypted`), and what is sealed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from isocenter.errors import BadRequest, NotFound

Private = X25519PrivateKey | RSAPrivateKey
Public = X25519PublicKey | RSAPublicKey

_VERSION, _X25519, _RSA = 1, 1, 2
_NONCE = 12
_SMALLEST = 2048
_PURPOSE = b"isocenter/deid/envelope/1"


def seal(data: bytes, public: Public, bound: bytes) -> bytes:
    """Seal for the holder of the key; it opens only together with `bound`, which is not kept."""
    if isinstance(public, X25519PublicKey):
        ephemeral = X25519PrivateKey.generate()
        wrapped = ephemeral.public_key().public_bytes_raw()
        key, kind = _agreed(ephemeral.exchange(public), wrapped, public), _X25519
    else:
        key = secrets.token_bytes(32)
        wrapped, kind = public.encrypt(key, _oaep()), _RSA
    head = bytes((_VERSION, kind)) + len(wrapped).to_bytes(2, "big") + wrapped
    nonce = secrets.token_bytes(_NONCE)
    return head + nonce + AESGCM(key).encrypt(nonce, data, head + bound)


def open_sealed(sealed: bytes, private: Private, bound: bytes) -> bytes:
    """What was sealed.

    Raises:
        ValueError: it is not sealed for this kind of key, or cut.
        cryptography.exceptions.InvalidTag: it was changed, or sealed for another key or other bound bytes.
    """
    end = 4 + int.from_bytes(sealed[2:4], "big")
    head, wrapped, nonce = sealed[:end], sealed[4:end], sealed[end : end + _NONCE]
    kind = _X25519 if isinstance(private, X25519PrivateKey) else _RSA
    if sealed[:2] != bytes((_VERSION, kind)) or len(nonce) != _NONCE:
        raise ValueError("sealed for another kind of key, or cut")
    if isinstance(private, X25519PrivateKey):
        shared = private.exchange(X25519PublicKey.from_public_bytes(wrapped))
        key = _agreed(shared, wrapped, private.public_key())
    else:
        key = private.decrypt(wrapped, _oaep())
    return AESGCM(key).decrypt(nonce, sealed[end + _NONCE :], head + bound)


def fingerprint(public: Public) -> str:
    """Sixteen hexadecimal digits that tell holders apart."""
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[
        :16
    ]


def read_public(path: Path) -> Public:
    """A public key (PEM: X25519, or RSA of at least 2048 bits). Raises NotFound, BadRequest."""
    try:
        key = load_pem_public_key(_bytes(path))
    except ValueError as error:
        raise BadRequest(f"{path} holds no public key (PEM)", hint=str(error)) from None
    if isinstance(key, RSAPublicKey) and key.key_size >= _SMALLEST:
        return key
    if isinstance(key, X25519PublicKey):
        return key
    raise BadRequest(f"{path} is neither an X25519 key nor an RSA key of at least {_SMALLEST} bits")


def read_private(path: Path, password: str | None = None) -> Private:
    """A private key (PEM). Raises NotFound; BadRequest, also when its password is missing or wrong."""
    try:
        key = load_pem_private_key(_bytes(path), password.encode() if password else None)
    except (ValueError, TypeError) as error:
        raise BadRequest(f"{path} cannot be opened", hint=str(error)) from None
    if not isinstance(key, (X25519PrivateKey, RSAPrivateKey)):
        raise BadRequest(f"{path} is neither an X25519 nor an RSA key")
    return key


def write_pair(private: Path, public: Path, *, password: str | None = None, rsa: bool = False) -> Public:
    """Make a pair of keys; files that are there are never overwritten. Raises BadRequest."""
    key: Private = generate_private_key(65537, 3072) if rsa else X25519PrivateKey.generate()
    locked: KeySerializationEncryption = (
        BestAvailableEncryption(password.encode()) if password else NoEncryption()
    )
    _write(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked), 0o600)
    _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return key.public_key()


def _agreed(shared: bytes, ephemeral: bytes, public: X25519PublicKey) -> bytes:
    return HKDF(SHA256(), 32, ephemeral + public.public_bytes_raw(), _PURPOSE).derive(shared)


def _oaep() -> OAEP:
    return OAEP(MGF1(SHA256()), SHA256(), _PURPOSE)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}") from None
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise BadRequest(f"{path} cannot be made: {error.strerror}") from None
    with os.fdopen(file, "wb") as stream:
        stream.write(data)
