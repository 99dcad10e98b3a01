"""The project key: 256 random bits from which every replaced identifier follows.

Whoever has the key can repeat a de-identification, on any machine and in any order; without it nothing can
be guessed, not even by trying every date or patient number. A key for each purpose is derived from it (HKDF,
RFC 5869), so that a value of one kind says nothing about one of another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from isocenter.errors import BadRequest, NotFound

SIZE = 32
_LABEL = "isocenter-deid-key-1:"
_DOMAIN = b"isocenter/deid/1/"


class Key:
    """A project key.

    Args:
        secret: 32 bytes that nobody can guess.

    Raises:
        BadRequest: it has another length.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SIZE:
            raise BadRequest(f"A key has {SIZE} bytes, not {len(secret)}")
        self._secret = secret

    def __repr__(self) -> str:
        return f"<Key {self.fingerprint}>"

    @classmethod
    def generate(cls) -> Key:
        """A new key."""
        return cls(secrets.token_bytes(SIZE))

    @classmethod
    def read(cls, path: Path) -> Key:
        """The key in a file that `write` made.

        Raises:
            NotFound: there is no such file.
            BadRequest: it holds no key.
        """
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            hint = f"make one with `isocenter deid --new-key {path}`"
            raise NotFound(f"There is no key file {path}", hint=hint) from None
        except (OSError, UnicodeDecodeError) as error:
            raise BadRequest(f"{path} cannot be read as a key file", hint=str(error)) from None
        try:
            return cls.parse(text)
        except BadRequest as error:
            raise BadRequest(f"{path} holds no key", hint=error.message) from None

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key that `text` writes. Raises BadRequest."""
        if not text.startswith(_LABEL):
            raise BadRequest(f"A key begins with {_LABEL}")
        try:
            return cls(base64.b64decode(text.removeprefix(_LABEL), validate=True))
        except binascii.Error:
            raise BadRequest("The key is cut or changed: it is no base64") from None

    def write(self, path: Path) -> None:
        """Make the file, readable by its owner alone; one that is there is never overwritten.

        Raises:
            BadRequest: the file is there, or cannot be made.
        """
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            hint = "a key that is lost or overwritten can never be made again"
            raise BadRequest(f"{path} cannot be made: {error.strerror}", hint=hint) from None
        with os.fdopen(file, "w", encoding="ascii") as stream:
            stream.write(str(self.text()) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def text(self) -> str:
        """The key as one line of text."""
        return _LABEL + base64.b64encode(self._secret).decode("ascii")

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell keys apart and say nothing about the key."""
        return self.derive("fingerprint").hex()[:16]

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose (HKDF-Expand, RFC 5869 2.3; the key is uniform already)."""
        return HKDFExpand(SHA256(), SIZE, _DOMAIN + purpose.encode()).derive(self._secret)


def keyed(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA-256 over parts that cannot be mistaken for others: each is preceded by its length."""
    running = hmac.new(key, digestmod=sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        running.update(len(data).to_bytes(8, "big"))
        running.update(data)
    return running.digest()
