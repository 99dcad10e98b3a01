"""CPU-bound work runs in processes that may die: the work of others goes on, and what killed them fails."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.pool import ProcessPool, WorkLost


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    made = ProcessPool(2)
    yield made
    made.close()


def double(number: int) -> int:
    return 2 * number


def die_once(mark: Path) -> str:
    """Kills its process the first time, like a decoder that another's memory use brings down."""
    if not mark.exists():
        mark.touch()
        os._exit(1)
    return "done"


def wait_for(mark: Path) -> str:
    while not mark.exists():
        time.sleep(0.005)
    return "done"


async def test_work_gives_its_result_and_its_error(pool: ProcessPool) -> None:
    assert await pool.run(double, 21) == 42
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 1, 0)


async def test_work_whose_process_died_is_done_again(pool: ProcessPool, tmp_path: Path) -> None:
    assert await pool.run(die_once, tmp_path / "mark") == "done"
    assert await pool.run(double, 4) == 8


async def test_work_that_kills_processes_fails_and_takes_no_other_with_it(
    pool: ProcessPool, tmp_path: Path
) -> None:
    others = [asyncio.create_task(pool.run(wait_for, tmp_path / "mark")) for _ in range(2)]
    guilty = [asyncio.create_task(pool.run(os._exit, 1)) for _ in range(2)]
    (tmp_path / "mark").touch()
    for each in guilty:
        with pytest.raises(WorkLost):
            await each
    assert await asyncio.gather(*others) == ["done", "done"]
    assert await pool.run(double, 4) == 8


PARENT = """
import asyncio, os, sys
sys.path[:0] = sys.argv[1:]
from isocenter.pool import ProcessPool

async def main():
    print(await ProcessPool(1).run(os.getpid), flush=True)
    os.kill(os.getpid(), 9)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_processes_of_a_pool_end_when_the_server_process_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    done = subprocess.run(
        [sys.executable, script, *sys.path], stdout=subprocess.PIPE, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    deadline = time.monotonic() + 60
    while _runs(child):
        assert time.monotonic() < deadline, "the process outlives its server"
        time.sleep(0.01)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
