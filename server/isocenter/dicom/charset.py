"""stub"""
from __future__ import annotations

from collections.abc import Callable


class CharacterSet:
    """A set."""
    assume: str | None = None
    def decode(self, value: bytes, note: Callable[[str], None]) -> str:
        return value.decode("latin-1")

_S = CharacterSet()
def of_bytes(terms: bytes | None, assume: str | None, note: Callable[[str], None]) -> CharacterSet:
    return _S
