"""The supervisor: who starts, who is replaced, who is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import supervised

from isocenter import supervisor
from isocenter.config import Settings, load
from isocenter.errors import Conflict, NoSpace, Unavailable
from isocenter.supervisor import Supervisor, bind, only_server_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"data": tmp_path, "http.port": 0, "dicom.port": 0, "workers": 2})


@contextmanager
def running(settings: Settings, told: Callable[[int], None]) -> Iterator[None]:
    """Run a supervisor in this thread (signals need it); `told(port)` acts in another, then stops it."""
    sockets = bind(settings)
    failures: list[BaseException] = []

    def act() -> None:
        try:
            told(sockets.http_port)
        except BaseException as failure:  # noqa: BLE001 (handed to the test below)
            failures.append(failure)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    actor = threading.Thread(target=act)
    made = Supervisor(
        settings, sockets, worker=supervised.worker, keeper=supervised.keeper, on_ready=actor.start
    )
    try:
        made.run()
        actor.join()
        yield
    finally:
        sockets.close()
    for failure in failures:
        raise failure


def test_a_worker_that_dies_is_replaced(settings: Settings) -> None:
    pids = []

    def act(port: int) -> None:
        pids.append(supervised.ask(port))
        supervised.ask(port, "die")
        pids.extend(supervised.ask(port) for _ in range(20))

    with running(settings, act):
        assert len(pids) == 21
        assert all(pids)


def test_a_stalled_worker_is_replaced_and_no_connection_hangs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SILENCE", 5.0)
    slowest = 0.0

    def act(port: int) -> None:
        nonlocal slowest
        stall = threading.Thread(target=supervised.ask, args=(port, "stall"))
        stall.start()
        time.sleep(0.3)
        for _ in range(30):
            started = time.monotonic()
            assert supervised.ask(port)
            slowest = max(slowest, time.monotonic() - started)
        stall.join(60)
        assert not stall.is_alive()

    with running(settings, act):
        assert slowest < supervisor.SILENCE


def test_what_keeps_a_child_from_starting_is_told(settings: Settings) -> None:
    sockets = bind(settings)
    made = Supervisor(
        settings, sockets, worker=supervised.cannot_start, keeper=supervised.keeper, on_ready=lambda: None
    )
    with pytest.raises(NoSpace, match="The disk is full"):
        made.run()
    sockets.close()


def test_children_that_keep_dying_stop_the_server(settings: Settings) -> None:
    sockets = bind(settings)
    made = Supervisor(
        settings, sockets, worker=supervised.dies, keeper=supervised.keeper, on_ready=lambda: None
    )
    with pytest.raises(Unavailable, match="ended 5 times"):
        made.run()
    sockets.close()


def test_a_port_in_use_is_an_error_that_names_the_port(settings: Settings) -> None:
    first = bind(settings)
    taken = load({"data": settings.data, "http.port": first.http_port, "dicom.port": 0})
    with pytest.raises(Unavailable, match=str(first.http_port)):
        bind(taken)
    first.close()


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with only_server_of(tmp_path), pytest.raises(Conflict, match="Another Isocenter server"):  # noqa: SIM117
        with only_server_of(tmp_path):
            pass
