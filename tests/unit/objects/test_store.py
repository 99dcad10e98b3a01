"""What every object store does: one class, run on the local store and on a pyarrow file system."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs
from tests.unit.objects.conftest import identity, receive

from isocenter.errors import InvalidValue, NotFound
from isocenter.objects import HEAD_SIZE, LocalStore, ObjectStore
from isocenter.objects.part10 import measure
from isocenter.objects.remote import RemoteStore
from isocenter.objects.sweep import sweep


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    made: ObjectStore
    if request.param == "local":
        made = LocalStore(tmp_path / "objects")
    else:
        (tmp_path / "bucket").mkdir()
        bucket = fs.SubTreeFileSystem(str(tmp_path / "bucket"), fs.LocalFileSystem())
        made = RemoteStore(bucket, "archive/objects", tmp_path / "scratch")
    yield made
    made.close()


class TestConformance:
    def test_an_object_comes_back_byte_for_byte_behind_its_head(self, store: ObjectStore) -> None:
        data = os.urandom(300_001)
        assert store.place(receive(store, data), "1.2/3.4/5.6.0a1b2c3d.dcm")
        with store.open("1.2/3.4/5.6.0a1b2c3d.dcm") as file:
            file.seek(HEAD_SIZE)
            assert file.read() == data
            file.seek(0)
            _, digest, _ = measure(file)
        assert digest == identity(data)

    def test_the_digest_does_not_depend_on_how_the_bytes_arrive(self, store: ObjectStore) -> None:
        data = os.urandom(70_000)
        incoming = store.create()
        for at in range(0, len(data), 1_111):
            incoming.write(memoryview(data)[at : at + 500], data[at + 500 : at + 1_111])
        assert incoming.size == len(data)
        assert incoming.digest(b"1.2.840.10008.1.2.1").hex() == identity(data)
        incoming.discard()

    def test_more_pieces_than_one_system_call_takes(self, store: ObjectStore) -> None:
        incoming = store.create()
        incoming.write(*[bytes([n % 256]) for n in range(3_000)])
        with incoming.data_set() as data_set:
            assert data_set == bytes(n % 256 for n in range(3_000))
        incoming.discard()

    def test_a_name_is_never_taken_twice(self, store: ObjectStore) -> None:
        assert store.place(receive(store, b"first"), "1/2/3.aa.dcm")
        second = receive(store, b"second")
        assert not store.place(second, "1/2/3.aa.dcm")
        second.discard()
        with store.open("1/2/3.aa.dcm") as file:
            assert file.read()[HEAD_SIZE:] == b"first"

    def test_a_damaged_object_can_be_replaced(self, store: ObjectStore) -> None:
        store.place(receive(store, b"first"), "1/2/3.aa.dcm")
        assert store.place(receive(store, b"whole"), "1/2/3.aa.dcm", replace=True)
        with store.open("1/2/3.aa.dcm") as file:
            assert file.read()[HEAD_SIZE:] == b"whole"

    def test_what_was_discarded_leaves_nothing(self, store: ObjectStore, tmp_path: Path) -> None:
        receive(store, b"unwanted").discard()
        assert list(store.list()) == []
        assert not [path for path in tmp_path.rglob("*-*") if path.is_file()]

    def test_nothing_incoming_is_left_after_placing(self, store: ObjectStore, tmp_path: Path) -> None:
        store.place(receive(store, b"x"), "1/2/3.aa.dcm")
        assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name[0] != "."] == [
            "3.aa.dcm"
        ]

    def test_objects_are_listed_with_size_and_time(self, store: ObjectStore) -> None:
        names = {f"1.{study}/2/3.{n}.aa.dcm" for study in range(3) for n in range(4)}
        for name in names:
            store.place(receive(store, b"abc"), name)
        store.sync_directories(names)
        listed = {info.relpath: info for info in store.list()}
        assert listed.keys() == names
        assert {info.size for info in listed.values()} == {HEAD_SIZE + 3}
        assert all(abs(info.modified - time.time()) < 60 for info in listed.values())
        assert {info.relpath for info in store.list("1.1")} == {n for n in names if n.startswith("1.1/")}
        assert store.info("1.1/2/3.1.aa.dcm") == listed["1.1/2/3.1.aa.dcm"]

    def test_a_deleted_object_is_gone_with_its_empty_folders(self, store: ObjectStore) -> None:
        store.place(receive(store, b"a"), "1/2/3.aa.dcm")
        store.place(receive(store, b"b"), "1/9/3.bb.dcm")
        store.delete("1/2/3.aa.dcm")
        store.delete("1/2/3.aa.dcm")
        assert [info.relpath for info in store.list()] == ["1/9/3.bb.dcm"]
        assert list(store.list("1/2")) == []
        assert store.info("1/2/3.aa.dcm") is None
        with pytest.raises(NotFound):
            store.open("1/2/3.aa.dcm")
        store.delete("1/9/3.bb.dcm")
        assert store.place(receive(store, b"again"), "1/2/3.aa.dcm")
        store.sync_directories(["1/2/3.aa.dcm"])
        assert [info.relpath for info in store.list()] == ["1/2/3.aa.dcm"]

    @pytest.mark.parametrize(
        "path",
        [
            "../outside.dcm",
            "1/../../outside.dcm",
            "/etc/passwd",
            "1//2.dcm",
            "1/.hidden/2.dcm",
            "",
            "1/2\\..\\3.dcm",
            "1/2\0.dcm",
            "1/" + "9" * 300,
            "1/é.dcm",
            "1/2\n/3.dcm",
        ],
    )
    def test_no_path_leaves_the_store(self, store: ObjectStore, path: str) -> None:
        incoming = receive(store, b"x")
        for attempt in (
            lambda: store.place(incoming, path),
            lambda: store.open(path),
            lambda: store.delete(path),
            lambda: store.info(path),
            lambda: store.path(path),
        ):
            with pytest.raises(InvalidValue):
                attempt()
        incoming.discard()

    def test_the_sweep_takes_only_what_nothing_names_and_is_old(self, store: ObjectStore) -> None:
        for n in range(5):
            store.place(receive(store, b"abc"), f"1/2/{n}.aa.dcm")
        named = {"1/2/0.aa.dcm", "1/2/3.aa.dcm"}
        young = sweep(store, lambda paths: named & set(paths), grace=3600)
        assert (young.seen, young.removed) == (5, ())
        swept = sweep(store, lambda paths: named & set(paths), grace=0, now=time.time() + 5)
        assert swept.removed == ("1/2/1.aa.dcm", "1/2/2.aa.dcm", "1/2/4.aa.dcm")
        assert swept.freed == 3 * (HEAD_SIZE + 3)
        assert {info.relpath for info in store.list()} == named

    def test_an_object_between_name_and_index_row_is_not_swept(self, store: ObjectStore) -> None:
        """The sweeper looks, finds nothing that names it, and waits; then the row is there."""
        rows: set[str] = set()
        share = store.hold()
        store.place(receive(store, b"abc"), "1/2/3.aa.dcm")
        done = threading.Event()

        def work() -> None:
            sweep(store, lambda paths: rows & set(paths), grace=0, now=time.time() + 5)
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert not done.wait(0.2)
        rows.add("1/2/3.aa.dcm")
        share.release()
        share.release()
        thread.join(60)
        assert done.is_set()
        assert store.info("1/2/3.aa.dcm") is not None

    def test_a_stream_of_ingest_does_not_starve_the_sweeper(self, store: ObjectStore) -> None:
        stop = threading.Event()

        def ingest() -> None:
            while not stop.is_set():
                share = store.hold()
                time.sleep(0.003)
                share.release()

        threads = [threading.Thread(target=ingest) for _ in range(6)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        for _ in range(5):
            with store.lock_exclusive():
                pass
        took = time.monotonic() - began
        stop.set()
        for thread in threads:
            thread.join()
        assert took < 60
