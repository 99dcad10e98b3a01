"""Several writers, readers that follow them, groups, leases, and an index that is locked or closed."""

import multiprocessing
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from index_objects import put, sop_uid, store_some
from postgres_server import PostgresServer

from isocenter.dicom.levels import Level
from isocenter.errors import InvalidValue, IsocenterError, NoSpace, Unavailable
from isocenter.index import GroupCommit, Index, open_index
from isocenter.index import sqlite as sqlite_module
from isocenter.index.group import Landing


class TestGroupCommit:
    def test_everything_queued_is_stored_and_told(self, index: Index) -> None:
        commit = GroupCommit(index.writer)
        futures = [commit.submit(put(1, 1, number)) for number in range(200)]
        commit.close()
        assert [future.result().seq for future in futures] == list(range(1, 201))
        assert index.reader.count(Level.INSTANCE) == 200

    def test_a_group_is_what_queued_while_the_last_commit_ran(self, index: Index) -> None:
        groups: list[int] = []
        running, go_on = threading.Event(), threading.Event()

        def before(group) -> None:
            groups.append(len(group))
            running.set()
            go_on.wait(60)

        commit = GroupCommit(index.writer, before, largest=5)
        commit.submit(put(1, 1, 0))
        running.wait(60)
        futures = [commit.submit(put(1, 1, number)) for number in range(1, 9)]
        go_on.set()
        commit.close()
        assert groups == [1, 5, 3]
        assert {future.result().kind for future in futures} == {"stored"}

    def test_what_ails_one_object_fails_that_one_alone(self, index: Index) -> None:
        running, go_on = threading.Event(), threading.Event()

        def before(group) -> None:
            running.set()
            go_on.wait(60)

        commit = GroupCommit(index.writer, before)
        first = commit.submit(put(1, 1, 0))
        running.wait(60)
        futures = [
            commit.submit(put(1, 1, 1)),
            commit.submit(put(SeriesInstanceUID="")),
            commit.submit(put(2)),
        ]
        go_on.set()
        commit.close()
        assert first.result().kind == "stored"
        with pytest.raises(InvalidValue):
            futures[1].result()
        assert [futures[0].result().kind, futures[2].result().kind] == ["stored", "stored"]

    def test_a_failing_directory_sync_fails_the_group_and_stores_nothing(self, index: Index) -> None:
        def before(group) -> None:
            raise OSError("no such disk")

        commit = GroupCommit(index.writer, before)
        future = commit.submit(put())
        commit.close()
        with pytest.raises(OSError, match="no such disk"):
            future.result()
        assert index.reader.totals().instances == 0

    def test_rows_written_ahead_are_committed_when_the_file_is_durable(self, index: Index) -> None:
        commit = GroupCommit(index.writer)
        landing = Landing()
        future = commit.submit(put(), landing)
        landing.named.set_result(None)
        with pytest.raises(TimeoutError):
            future.result(0.2)
        assert index.reader.totals().instances == 0
        landing.durable.set_result(None)
        assert future.result(60).kind == "stored"
        assert index.reader.totals().instances == 1
        commit.close()

    def test_the_folder_is_synced_while_the_file_is(self, index: Index) -> None:
        synced = threading.Event()
        commit = GroupCommit(index.writer, lambda group: synced.set())
        landing = Landing()
        future = commit.submit(put(), landing)
        assert not synced.wait(0.2)  # a name that is not there cannot be synced
        landing.named.set_result(None)
        assert synced.wait(60)
        assert not future.done()
        landing.durable.set_result(None)
        assert future.result(60).kind == "stored"
        commit.close()

    def test_a_file_that_does_not_become_durable_fails_its_object_alone(self, index: Index) -> None:
        running, go_on = threading.Event(), threading.Event()

        def before(group) -> None:
            running.set()
            go_on.wait(60)

        commit = GroupCommit(index.writer, before)
        commit.submit(put(1, 1, 0))
        running.wait(60)
        landing = Landing()
        bad, good = commit.submit(put(1, 1, 1), landing), commit.submit(put(1, 1, 2))
        go_on.set()
        landing.fail(NoSpace("the disk is full"))
        commit.close()
        with pytest.raises(NoSpace, match="the disk is full"):
            bad.result()
        assert good.result().kind == "stored"
        assert index.reader.totals().instances == 2

    def test_nothing_is_taken_after_closing(self, index: Index) -> None:
        commit = GroupCommit(index.writer)
        commit.close()
        commit.close()
        with pytest.raises(Unavailable):
            commit.submit(put())


class TestProcesses:
    def test_many_write_and_nothing_is_lost_or_counted_wrongly(self, place: str | Path) -> None:
        with open_index(place) as index:
            context = multiprocessing.get_context("spawn")
            workers = [context.Process(target=store_some, args=(place, study, 25)) for study in (1, 2, 3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(100)
            assert [worker.exitcode for worker in workers] == [0, 0, 0]
            assert index.reader.totals()[:4] == (4, 4, 6, 150)
            shared = list(index.reader.find(Level.SERIES, columns=["NumberOfSeriesRelatedInstances"]))
            assert [row["NumberOfSeriesRelatedInstances"] for row in shared] == [25] * 6
            seqs = [one.seq for one in index.reader.instances()]
            assert sorted(seqs) == list(range(1, 151))

    def test_threads_share_one_writer(self, index: Index) -> None:
        threads = [
            threading.Thread(target=lambda study=study: index.writer.commit([put(study)]))
            for study in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert index.reader.totals().studies == 20


class TestFollowing:
    def test_data_version_changes_with_a_commit_of_another_and_else_rests(self, place: str | Path) -> None:
        with open_index(place) as one, open_index(place) as other:
            first = one.reader.data_version()
            assert one.reader.data_version() == first
            other.writer.commit([put()])
            deadline = time.monotonic() + 60
            while one.reader.data_version() == first and time.monotonic() < deadline:
                time.sleep(0.01)
            assert one.reader.data_version() != first

    def test_the_change_log_says_what_happened_in_order(self, index: Index) -> None:
        index.writer.commit([put(1, 1, 1), put(1, 1, 2)])
        index.writer.commit([put(1, 1, 1, content="b")])
        index.writer.commit([put(1, 1, 2, content="b")], on_conflict="replace")
        index.writer.snapshot("s")
        index.writer.delete(Level.SERIES, "1.2.3.1.1")
        index.writer.flush_done([], {"instances": 1})
        lines = index.reader.changes()
        assert [line.kind for line in lines] == [
            "new-study",
            "new-patient",
            "new-series",
            "stored",
            "stored",
            "conflict",
            "replaced",
            "snapshot",
            "deleted",
            "deleted",
            "flushed",
        ]
        assert [line.id for line in lines] == sorted({line.id for line in lines})
        assert (lines[3].level, lines[3].SOPInstanceUID, lines[3].seq) == ("instance", sop_uid(1, 1, 1), 1)
        assert (lines[2].level, lines[2].SeriesInstanceUID, lines[2].SOPInstanceUID) == (
            "series",
            "1.2.3.1.1",
            "",
        )
        assert index.reader.changes(since=lines[-2].id) == [lines[-1]]
        assert index.reader.changes(limit=2) == lines[:2]
        assert index.reader.last_change() == lines[-1].id

    def test_a_long_change_log_is_trimmed_in_short_turns(
        self, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("isocenter.index.writer._PRUNED_AT_ONCE", 3)
        assert index.writer.trim_changes(keep=5) == 0
        for number in range(20):
            index.writer.commit([put(1, 1, number)])
        last = index.reader.last_change()
        assert index.writer.trim_changes(keep=5) == last - 5
        assert [line.id for line in index.reader.changes()] == list(range(last - 4, last + 1))
        assert index.writer.trim_changes(keep=5) == 0

    def test_the_change_log_can_be_trimmed_and_ids_go_on(self, index: Index) -> None:
        index.writer.commit([put(1)])
        last = index.reader.last_change()
        assert index.writer.trim_changes(keep=1) == last - 1
        index.writer.commit([put(1, 1, 2)])
        assert index.reader.last_change() == last + 1


class TestRestart:
    @pytest.mark.postgres
    def test_after_a_restart_of_the_server_everybody_goes_on(self, postgres_server: PostgresServer) -> None:
        with open_index(postgres_server.new_database("restarted")) as index:
            index.writer.commit([put(1)])
            known = index.reader.data_version()
            with index.database.read(), index.database.read(), index.database.read():
                pass  # three connections wait in the pool now
            postgres_server.end_sessions("restarted")
            assert index.reader.totals().instances == 1
            assert index.writer.commit([put(2)])[0].kind == "stored"
            deadline = time.monotonic() + 60  # what was committed meanwhile is not known: it counts as news
            while index.reader.data_version() == known and time.monotonic() < deadline:
                time.sleep(0.01)
            assert index.reader.data_version() != known
            with index.database.read() as one, index.database.read() as other:
                assert one.rows("SELECT 1") == other.rows("SELECT 1")
            postgres_server.end_sessions("restarted")
            assert index.writer.commit([put(3)])[0].kind == "stored"

    @pytest.mark.postgres
    def test_a_server_that_ends_in_the_middle_fails_that_answer_alone(
        self, postgres_server: PostgresServer
    ) -> None:
        with open_index(postgres_server.new_database("ended")) as index:
            index.writer.commit([put(1)])
            for begin in (index.database.read, index.database.write):
                with pytest.raises(Unavailable), begin() as session:  # noqa: PT012 (its end may fail too)
                    postgres_server.end_sessions("ended")
                    session.rows("SELECT 1")
            assert index.writer.commit([put(2)])[0].kind == "stored"
            assert index.reader.totals().instances == 2

    def test_what_one_machine_does_alone_another_waits_for(self, place: str | Path) -> None:
        """SQLite has no other machine."""
        began, done = threading.Event(), threading.Event()
        with open_index(place) as one, open_index(place) as other:

            def wait() -> None:
                began.set()
                with other.database.alone("work"):
                    done.set()

            waiting = threading.Thread(target=wait)
            with one.database.alone("work"), other.database.alone("other work"):
                waiting.start()
                began.wait(60)
                assert done.wait(0.1) == (one.database.dialect == "sqlite")
            waiting.join(60)
            assert done.is_set()


class TestCheckpoints:
    def test_the_log_goes_on_being_moved_after_a_failure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rounds: list[str] = []
        again = threading.Event()
        real = sqlite_module._Checkpoints._checkpoint

        def fail_first(checkpoints: Any, connection: sqlite3.Connection) -> None:
            rounds.append("fails" if not rounds else "works")
            if rounds == ["fails"]:
                raise sqlite3.DatabaseError("disk I/O error")
            real(checkpoints, connection)
            again.set()

        monkeypatch.setattr(sqlite_module, "_CHECKPOINT_SECONDS", 0.01)
        monkeypatch.setattr(sqlite_module._Checkpoints, "_checkpoint", fail_first)
        with open_index(tmp_path / "index.db") as index:
            for number in range(1000):
                index.writer.commit([put(1, 1, number)])
                if again.wait(0.01):
                    break
        assert rounds[:2] == ["fails", "works"]


class TestLeases:
    def test_one_holds_it_until_it_expires_or_gives_it_back(self, index: Index) -> None:
        assert index.writer.take_lease("keeper", "a", 60) is not None
        assert index.writer.take_lease("keeper", "b", 60) is None
        assert index.writer.take_lease("other", "b", 60) is not None
        assert index.writer.take_lease("keeper", "a", 60) is not None, "one's own may be taken again"
        assert not index.writer.release_lease("keeper", "b")
        assert index.writer.release_lease("keeper", "a")
        assert index.writer.take_lease("keeper", "b", 60) is not None
        lease = index.reader.lease("keeper")
        assert lease is not None
        assert lease.owner == "b"

    def test_an_expired_one_goes_to_who_asks_and_cannot_be_renewed(self, index: Index) -> None:
        index.writer.take_lease("keeper", "a", 0)
        assert index.writer.renew_lease("keeper", "a", 60) is None
        assert index.writer.take_lease("keeper", "b", 60) is not None
        renewed = index.writer.renew_lease("keeper", "b", 120)
        assert renewed is not None
        assert renewed.expires > time.time_ns() // 1000 + 60_000_000


class TestLocking:
    def test_a_writer_that_waits_too_long_is_told_so(self, place: str | Path) -> None:
        with open_index(place) as one, open_index(place, lock_timeout=0.2) as other:
            with one.database.write(), pytest.raises(Unavailable):
                other.writer.commit([put()])
            assert other.writer.commit([put()])[0].kind == "stored", "and can write when the other is done"

    def test_two_threads_of_one_process_wait_for_each_other_no_longer(self, place: str | Path) -> None:
        with open_index(place, lock_timeout=0.2) as index:
            failed: list[BaseException] = []

            def write() -> None:
                try:
                    index.writer.commit([put()])
                except IsocenterError as error:
                    failed.append(error)

            with index.database.write():
                thread = threading.Thread(target=write)
                thread.start()
                thread.join()
            assert [type(error) for error in failed] == [Unavailable]

    def test_a_reader_sees_one_moment_while_a_writer_goes_on(self, place: str | Path) -> None:
        with open_index(place) as one, open_index(place) as other:
            one.writer.commit([put(1)])
            with one.database.read() as session:
                before = session.rows("SELECT COUNT(*) FROM instance")[0][0]
                other.writer.commit([put(2)])
                assert session.rows("SELECT COUNT(*) FROM instance")[0][0] == before == 1
            assert one.reader.count(Level.INSTANCE) == 2

    def test_what_fails_halfway_leaves_nothing(self, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
        index.writer.commit([put(1)])
        before = index.reader.view()

        def fail(*_: object) -> None:
            raise RuntimeError("pulled the plug")

        monkeypatch.setattr("isocenter.index.ingest.store", fail)
        with pytest.raises(RuntimeError):
            index.writer.commit([put(2), put(1, content="b")], on_conflict="replace")
        monkeypatch.undo()
        assert index.reader.view() == before
        assert index.writer.commit([put(2)])[0].kind == "stored"

    def test_a_closed_index_is_unavailable(self, place: str | Path) -> None:
        with open_index(place) as index:
            index.writer.commit([put()])
        with pytest.raises(Unavailable):
            index.writer.commit([put(2)])
        with pytest.raises(Unavailable):
            index.reader.totals()
