"""An object while it arrives: nothing blocks the loop, memory stays flat, errors are told at the end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from isocenter.archive.reception import BACKLOG_LIMIT, Reception, Stored
from isocenter.errors import BadRequest, NoSpace, UnreadableObject
from isocenter.index.records import Outcome

MEBI = 1024 * 1024
STORED = Stored(Outcome("stored", 1, "1/2/3.aa.dcm"), {}, "00")


class SlowDisk:
    """A sink that takes its time, and may be full."""

    def __init__(self, seconds_per_write: float = 0.0, full_after: int | None = None) -> None:
        self.pieces: list[bytes] = []
        self.threads: set[int] = set()
        self.discarded = 0
        self.seconds = seconds_per_write
        self.full_after = full_after
        self.refuse: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def write(self, pieces: list[bytes]) -> None:
        self.threads.add(threading.get_ident())
        assert self.may_go_on.wait(60)
        time.sleep(self.seconds)
        self.pieces += pieces
        if self.full_after is not None and sum(map(len, self.pieces)) > self.full_after:
            raise NoSpace("full")

    def complete(self, result: Future[Stored]) -> None:
        if self.refuse:
            raise self.refuse
        result.set_result(STORED)

    def discard(self) -> None:
        self.discarded += 1


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def test_the_bytes_reach_the_disk_in_order_and_in_another_thread(executor: ThreadPoolExecutor) -> None:
    sink = SlowDisk(0.001)
    reception = Reception(sink, executor)
    data = [bytes([n % 256]) * 100_001 for n in range(60)]
    for piece in data:
        reception.feed(memoryview(piece))
    assert reception.finish().result(60) is STORED
    assert b"".join(sink.pieces) == b"".join(data)
    assert threading.get_ident() not in sink.threads
    assert reception.backlog == 0


def test_a_little_object_is_written_at_once_when_it_is_whole(executor: ThreadPoolExecutor) -> None:
    sink = SlowDisk()
    reception = Reception(sink, executor)
    for _ in range(4):
        reception.feed(bytes(128 * 1024))
    time.sleep(0.02)
    assert sink.pieces == []
    assert reception.backlog == 512 * 1024
    assert reception.finish().result(60) is STORED


def test_a_buffer_may_be_used_again_after_it_was_fed(executor: ThreadPoolExecutor) -> None:
    sink = SlowDisk()
    reception = Reception(sink, executor)
    buffer = bytearray(b"first")
    reception.feed(buffer)
    buffer[:] = b"other"
    reception.finish().result(60)
    assert sink.pieces == [b"first"]


async def test_a_sender_that_outruns_the_disk_is_paused(executor: ThreadPoolExecutor) -> None:
    sink = SlowDisk(0.005)
    reception = Reception(sink, executor)
    worst = 0
    for _ in range(200):
        reception.feed(bytes(MEBI // 4))
        await reception.drained()
        worst = max(worst, reception.backlog)
    assert await asyncio.wrap_future(reception.finish()) is STORED
    assert worst <= BACKLOG_LIMIT
    assert sum(map(len, sink.pieces)) == 50 * MEBI


async def test_a_slow_disk_does_not_stall_the_loop(executor: ThreadPoolExecutor) -> None:
    disk = SlowDisk()
    disk.may_go_on.clear()
    reception = Reception(disk, executor)
    for _ in range(10):
        reception.feed(bytes(MEBI))  # though nothing is written yet
        await asyncio.sleep(0)
    assert not disk.pieces
    disk.may_go_on.set()
    await asyncio.wrap_future(reception.finish())
    assert sum(map(len, disk.pieces)) == 10 * MEBI


async def test_a_full_disk_is_told_at_the_end_and_the_sender_is_not_kept_waiting(
    executor: ThreadPoolExecutor,
) -> None:
    sink = SlowDisk(full_after=2 * MEBI)
    reception = Reception(sink, executor)
    for _ in range(100):
        reception.feed(bytes(MEBI))
        await asyncio.wait_for(reception.drained(), 60)
    with pytest.raises(NoSpace):
        await asyncio.wrap_future(reception.finish())
    assert sink.discarded == 1
    assert sum(map(len, sink.pieces)) < 20 * MEBI


def test_what_is_refused_leaves_nothing(executor: ThreadPoolExecutor) -> None:
    sink = SlowDisk()
    sink.refuse = UnreadableObject("not DICOM")
    reception = Reception(sink, executor)
    reception.feed(b"abc")
    with pytest.raises(UnreadableObject):
        reception.finish().result(60)
    assert sink.discarded == 1


def test_an_association_that_breaks_off_leaves_nothing(executor: ThreadPoolExecutor) -> None:
    sink = SlowDisk(0.01)
    reception = Reception(sink, executor)
    for _ in range(20):
        reception.feed(bytes(MEBI))
    with pytest.raises(CancelledError):
        reception.abort().result(60)
    assert sink.discarded == 1


def test_who_stops_waiting_does_not_stop_the_storing(executor: ThreadPoolExecutor) -> None:
    sink = SlowDisk(0.05)
    reception = Reception(sink, executor)
    reception.feed(b"abc")
    future = reception.finish()
    assert not future.cancel()
    assert future.result(60) is STORED


def test_nothing_comes_after_the_end(executor: ThreadPoolExecutor) -> None:
    reception = Reception(SlowDisk(), executor)
    reception.feed(b"abc")
    assert reception.finish() is reception.finish()
    with pytest.raises(BadRequest):
        reception.feed(b"more")
