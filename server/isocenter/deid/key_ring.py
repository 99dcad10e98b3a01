"""The key ring of a server: project keys by name, each a file in one folder that only its owner may read.

A key never leaves by the network: whoever asks for a de-identification names it. Not here: what a key is
(`key`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from isocenter.deid.key import Key
from isocenter.errors import BadRequest, Conflict, NotFound

_SUFFIX = ".key"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Named(NamedTuple):
    """A key as it is told of: its name and what tells it apart, never itself."""

    name: str
    fingerprint: str


class KeyRing:
    """Keys by name.

    Args:
        folder: where they are; made, for its owner alone, with the first key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, data: Path) -> KeyRing:
        """The ring of a data folder."""
        return cls(data / "keys")

    def names(self) -> list[str]:
        """The names of all keys."""
        return sorted(path.stem for path in self.folder.glob(f"*{_SUFFIX}"))

    def all(self) -> list[Named]:
        """All keys, by what tells them apart. Raises BadRequest where a file holds none."""
        return [Named(name, self.get(name).fingerprint) for name in self.names()]

    def get(self, name: str) -> Key:
        """The key of a name.

        Raises:
            NotFound: there is none.
            BadRequest: it is no name of a key, or its file holds none.
        """
        path = self._path(name)
        if not path.is_file():
            there = ", ".join(self.names())
            hint = f"make it: `isocenter deid-key new {name}`" + (f"; there are: {there}" if there else "")
            raise NotFound(f"The server has no de-identification key {name!r}", hint=hint)
        return Key.read(path)

    def make(self, name: str) -> Named:
        """Make a new key.

        Raises:
            Conflict: there is one of this name; it stays.
            BadRequest: it is no name of a key, or its file cannot be made.
        """
        path = self._path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise Conflict(f"There is a key {name!r} already", hint="a key is never overwritten")
        made = Key.generate()
        made.write(path)
        return Named(name, made.fingerprint)

    def take(self, name: str, file: Path) -> Named:
        """Put the key of a file into the ring. Raises as `make`, and NotFound without a file."""
        key, path = Key.read(file), self._path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise Conflict(f"There is a key {name!r} already", hint="a key is never overwritten")
        key.write(path)
        return Named(name, key.fingerprint)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadRequest(f"{name!r} is no name of a key", hint="letters, digits, dots, - and _")
        return self.folder / f"{name}{_SUFFIX}"
