"""The keeper: its lease outlasts long work, and what is too much for one turn is done in several."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_sets import EXPLICIT, data_set
from index_objects import put

from isocenter import keeper as keeper_module
from isocenter.archive import Archive, Origin
from isocenter.config import Settings
from isocenter.dicom.levels import Level
from isocenter.keeper import Keeper, Turn


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.open(Settings(data=tmp_path / "data"), query_process=False) as opened:
        yield opened


def holder(archive: Archive) -> tuple[str, int]:
    lease = archive.datasets["main"].index.reader.lease("keeper")
    assert lease is not None
    return lease.owner, lease.expires


def test_a_lease_is_renewed_beside_the_work(archive: Archive) -> None:
    keeper = Keeper(archive)
    keeper.look()
    owner, expires = holder(archive)
    keeper.renew()
    assert holder(archive)[0] == owner
    assert holder(archive)[1] > expires


def test_a_lease_that_was_lost_is_not_worked_under(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "LEASE", 0.0)
    keeper = Keeper(archive)
    keeper.look()
    monkeypatch.undo()
    writer = archive.datasets["main"].index.writer
    assert writer.take_lease("keeper", "another machine", 60) is not None
    keeper.renew()
    keeper.look()
    assert holder(archive)[0] == "another machine"
    writer.release_lease("keeper", "another machine")
    keeper.look()
    assert holder(archive)[0] != "another machine"


def test_work_in_parts_goes_on_at_the_next_look_and_rests_when_done(archive: Archive) -> None:
    parts, waited = ["first", "second"], Turn("work", 60, lambda: True, lambda: None, -60.0)

    def work() -> list[str]:
        done, parts[:] = parts[:1], parts[1:]
        return done

    turn = Turn("work in parts", 60, lambda: True, work, time.monotonic() - 60, repeats=True)
    keeper = Keeper(archive)
    for _ in range(5):
        keeper._take(turn, "main")
        keeper._take(waited, "main")
    assert parts == []
    assert time.monotonic() - turn.last < 60


def test_the_keeper_trims_the_change_log(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", index={"changes_kept": 1000})
    with Archive.open(settings, query_process=False) as archive:
        writer, reader = archive.datasets["main"].index.writer, archive.datasets["main"].index.reader
        keeper = Keeper(archive)
        writer.commit([put(1, 1, number) for number in range(1100)])
        for turn in keeper._turns["main"]:
            turn.last = -1e9
        keeper.look()
        assert len(reader.changes(0, 5000)) == 1000


def test_what_was_derived_of_deleted_objects_goes_with_them(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", catalog={"sweep_grace": 0.0})
    with Archive.open(settings, query_process=False) as archive:
        keeper, main = Keeper(archive), archive.datasets["main"]
        main.store(data_set(SOPInstanceUID="1.2.3"), Origin("S"), EXPLICIT)
        kept = archive.data / "cache" / "metadata" / "ab" / "abcd.gz"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(b"what it says of a patient")
        keeper.sweep()
        assert kept.exists()
        main.delete(Level.INSTANCE, "1.2.3")
        keeper.sweep()
        assert not kept.exists()
