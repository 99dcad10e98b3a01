"""Small objects wait in memory and are written past the page cache; nobody sees a difference."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest
from tests.unit.objects.conftest import identity, receive

from isocenter.objects import HEAD_SIZE, LocalStore, direct
from isocenter.objects.direct import LARGEST, Buffers

PAGE = 4096
SIZES = [
    1,
    PAGE - HEAD_SIZE,
    PAGE - HEAD_SIZE + 1,
    3 * PAGE - HEAD_SIZE - 1,
    LARGEST - HEAD_SIZE,
    LARGEST - HEAD_SIZE + 1,
]


@pytest.mark.parametrize("size", SIZES)
def test_an_object_of_any_size_is_stored_byte_for_byte(tmp_path: Path, size: int) -> None:
    store, data = LocalStore(tmp_path), os.urandom(size)
    incoming = receive(store, data)
    assert incoming.digest(b"1.2.840.10008.1.2.1").hex() == identity(data)
    assert store.place(incoming, "1/2/a.dcm")
    assert (tmp_path / "1/2/a.dcm").read_bytes()[HEAD_SIZE:] == data
    store.close()


def test_what_comes_in_parts_is_stored_whole(tmp_path: Path) -> None:
    store, parts = LocalStore(tmp_path), [os.urandom(10_000), os.urandom(LARGEST), b"end"]
    incoming = store.create()
    for part in parts:
        incoming.write(part)
    incoming.seal(bytes(HEAD_SIZE))
    store.place(incoming, "1/2/a.dcm")
    assert (tmp_path / "1/2/a.dcm").read_bytes()[HEAD_SIZE:] == b"".join(parts)
    store.close()


def test_a_buffer_that_is_used_again_leaves_nothing_of_the_object_before(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.place(receive(store, b"secret" * 10_000), "1/2/a.dcm")
    store.place(receive(store, b"short"), "1/2/b.dcm")
    assert (tmp_path / "1/2/b.dcm").read_bytes()[HEAD_SIZE:] == b"short"
    store.close()


def test_where_a_file_system_has_no_direct_writes_they_go_the_usual_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def refuse(file: int, command: int, argument: int = 0) -> int:
        if command == fcntl.F_SETFL and argument & os.O_DIRECT:
            raise OSError(errno.EINVAL, "no direct writes here")
        return real(file, command, argument)

    monkeypatch.setattr(direct.fcntl, "fcntl", refuse)
    store, data = LocalStore(tmp_path), os.urandom(50_000)
    store.place(receive(store, data), "1/2/a.dcm")
    assert (tmp_path / "1/2/a.dcm").read_bytes()[HEAD_SIZE:] == data
    store.close()


def test_more_objects_at_once_than_buffers_are_stored_too(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    arriving = {f"1/2/{number}.dcm": store.create() for number in range(40)}
    for name, incoming in arriving.items():
        incoming.write(name.encode() * 1000)
    for name, incoming in arriving.items():
        incoming.seal(bytes(HEAD_SIZE))
        store.place(incoming, name)
        assert (tmp_path / name).read_bytes()[HEAD_SIZE:] == name.encode() * 1000
    store.close()


def test_a_buffer_comes_back_whatever_becomes_of_its_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for _ in range(100):
        incoming = store.create()
        incoming.write(b"half an object")
        assert incoming.waits_in_memory
        incoming.discard()
    store.close()


def test_no_buffer_is_given_for_more_than_fits() -> None:
    assert Buffers().take(LARGEST + 1) is None
