from __future__ import annotations

import hashlib

import pytest

from isocenter.objects import Incoming, ObjectStore
from isocenter.objects.part10 import Provenance, build_head

SYNTAX = "1.2.840.10008.1.2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def provenance() -> Provenance:
    return Provenance("SCANNER", "ISOCENTER", "main", 1_700_000_000_000_001)


def receive(
    store: ObjectStore, data: bytes, *, sop: str = "1.2.3", said: Provenance | None = None
) -> Incoming:
    """An incoming object that is ready to be placed."""
    incoming = store.create()
    incoming.write(data)
    incoming.seal(build_head(CT, sop, SYNTAX, said or Provenance()))
    return incoming


def identity(data: bytes) -> str:
    return hashlib.sha256(data + SYNTAX.encode()).hexdigest()
