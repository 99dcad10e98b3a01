"""What only the local store does: durable folders, leftovers of dead processes, a disk that is full."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.objects.conftest import receive

from isocenter.errors import NoSpace, Unavailable
from isocenter.objects import HEAD_SIZE, Incoming, LocalStore, durable
from isocenter.objects import local as local_module
from isocenter.objects.direct import LARGEST

_LEAVE_BEHIND = """
import os, signal, sys, pathlib
from isocenter.objects import LocalStore, durable
LocalStore(pathlib.Path(sys.argv[1])).create().write(bytes(3 << 20))
os.kill(os.getpid(), signal.SIGKILL)
"""


def _large(store: LocalStore) -> Incoming:
    """An incoming object that has its file already: no buffer is large enough."""
    incoming = store.create()
    incoming.write(bytes(LARGEST))
    return incoming


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    other = LocalStore(tmp_path)
    mine, theirs = _large(store), _large(other)
    died = subprocess.run([sys.executable, "-c", _LEAVE_BEHIND, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(list((tmp_path / ".incoming").iterdir())) == 3
    assert store.remove_leftovers() == 1
    assert mine.path.exists()
    assert theirs.path.exists()
    mine.discard()
    theirs.discard()
    store.close()
    other.close()


_RECEIVE_MANY = """
import sys, pathlib
from isocenter.objects import LocalStore, durable
store = LocalStore(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
for _ in range(200):
    incoming = store.create()
    incoming.write(bytes(3 << 20))
    incoming.discard()
"""


def test_whoever_removes_leftovers_disturbs_nobody_who_receives(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    command = [sys.executable, "-c", _RECEIVE_MANY, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as receiving:
        assert receiving.stdout is not None
        receiving.stdout.readline()
        removed = 0
        while receiving.poll() is None:
            removed += store.remove_leftovers()
        assert receiving.stderr is not None
        assert (removed, receiving.stderr.read(), receiving.returncode) == (0, b"", 0)
    assert list((tmp_path / ".incoming").iterdir()) == []
    store.close()


def test_an_old_file_is_removed_only_while_nobody_holds_it(tmp_path: Path) -> None:
    """The number of a dead process may be that of a living one by now."""
    store, other = LocalStore(tmp_path), LocalStore(tmp_path)
    held = _large(other)
    left = tmp_path / ".incoming" / "1-abc-1"
    left.write_bytes(b"half an object")
    for path in (held.path, left):
        os.utime(path, (1, 1))
    assert store.remove_leftovers() == 1
    assert held.path.exists()
    held.discard()
    for one in (store, other):
        one.close()


def test_every_folder_on_the_way_is_made_durable_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = local_module.fsync_folder

    def spy(folder: Path) -> None:
        synced.append(str(folder.relative_to(tmp_path)))
        real(folder)

    monkeypatch.setattr(local_module, "fsync_folder", spy)
    store = LocalStore(tmp_path)
    names = ["1/2/a.dcm", "1/2/b.dcm", "1/3/c.dcm"]
    for name in names:
        store.place(receive(store, name.encode()), name)
    store.sync_directories(names)
    assert sorted(synced) == [".", "1", "1/2", "1/3"]
    synced.clear()
    store.place(receive(store, b"d"), "1/2/d.dcm")
    store.sync_directories(["1/2/d.dcm"])
    assert synced == ["1/2"]
    with store.lock_exclusive():
        for name in (*names[:2], "1/2/d.dcm"):
            store.delete(name)
    synced.clear()
    store.place(receive(store, b"e"), "1/2/e.dcm")
    store.sync_directories(["1/2/e.dcm"])
    assert sorted(synced) == [".", "1", "1/2"]
    store.close()


def test_without_hard_links_a_name_is_still_never_taken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = LocalStore(tmp_path)
    assert store.place(receive(store, b"first"), "1/2/a.dcm")
    second = receive(store, b"second")
    assert not store.place(second, "1/2/a.dcm")
    second.discard()
    assert (tmp_path / "1/2/a.dcm").read_bytes().endswith(b"first")
    store.close()


def _write_and_seal(incoming: Incoming, *pieces: bytes) -> None:
    incoming.write(*pieces)
    incoming.seal(bytes(HEAD_SIZE))


@pytest.mark.parametrize("size", [180_000, LARGEST], ids=["waiting in memory", "written as it comes"])
def test_a_full_disk_is_no_space_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    """RLIMIT_FSIZE makes the kernel refuse in the middle of a write, as a full disk does."""
    store = LocalStore(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    incoming = store.create()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(NoSpace):
            _write_and_seal(incoming, bytes(90_000), bytes(size - 90_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    incoming.discard()
    assert list((tmp_path / ".incoming").iterdir()) == []
    store.close()


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    """Even root cannot make a file below a file."""
    (tmp_path / "objects").write_bytes(b"")
    with pytest.raises(Unavailable):
        LocalStore(tmp_path / "objects" / "deeper")


def test_folders_that_are_made_are_named_durably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(durable, "fsync_folder", lambda path: synced.append(str(path.relative_to(tmp_path))))
    durable.make_folder(tmp_path / "data" / "datasets" / "main")
    assert sorted(synced) == [".", "data", "data/datasets"]
    synced.clear()
    LocalStore(tmp_path / "data" / "objects").close()
    assert sorted(synced) == ["data", "data/objects"]
    synced.clear()
    durable.make_folder(tmp_path / "data" / "objects")
    assert synced == []
