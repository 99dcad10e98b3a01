"""Files made of objects: once for all who ask, given up when all have gone, bounded in size."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from web_answers import pydicom_file, stored

from isocenter.dicomweb.derived import DerivedFiles
from isocenter.objects import derived
from isocenter.objects.derived import Derived

NAME = Derived("ab" * 32, "1.x")


class Maker:
    """Work that waits until it may go on, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = threading.Event()

    def __call__(self, path: str, size: int = 3) -> None:
        self.begun += 1
        assert self.may_end.wait(60)
        Path(path).write_bytes(bytes(size))


def in_server(web: Any, work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(work, web.loop).result(60)


def test_requests_for_the_same_share_one_computation(web: Any) -> None:
    files, maker = DerivedFiles(), Maker()

    async def several() -> list[bytes]:
        asked = [asyncio.ensure_future(files.read(web.context, NAME, maker)) for _ in range(5)]
        await asyncio.sleep(0.05)
        asked[0].cancel()  # one that goes takes nothing from the others
        maker.may_end.set()
        return await asyncio.gather(*asked[1:])

    assert in_server(web, several()) == [bytes(3)] * 4
    assert in_server(web, files.read(web.context, NAME, maker)) == bytes(3)
    assert maker.begun == 1


def test_work_that_nobody_waits_for_any_more_is_not_begun(web: Any) -> None:
    files, busy, maker = DerivedFiles(), Maker(), Maker()

    async def give_up() -> None:
        threads = [
            asyncio.ensure_future(files.read(web.context, Derived("cd" * 32, str(n)), busy)) for n in range(8)
        ]
        while busy.begun < 8:
            await asyncio.sleep(0.01)
        asked = [asyncio.ensure_future(files.read(web.context, NAME, maker)) for _ in range(2)]
        await asyncio.sleep(0.05)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        busy.may_end.set()
        maker.may_end.set()
        await asyncio.gather(*threads)
        await asyncio.sleep(0.05)

    in_server(web, give_up())
    assert maker.begun == 0


def test_what_fails_fails_for_all_and_leaves_nothing(web: Any) -> None:
    files = DerivedFiles()

    def fail(path: str) -> None:
        Path(path).write_bytes(b"half")
        raise ValueError("damaged")

    async def both() -> list[Any]:
        asked = (files.read(web.context, NAME, fail) for _ in range(2))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(one) for one in in_server(web, both())] == [ValueError] * 2
    assert not any(path.is_file() for path in (web.context.cache / "1").rglob("*"))
    assert not list(web.context.scratch.iterdir())


def test_the_cache_keeps_to_its_size_and_what_is_large_is_not_kept(serve: Callable[..., Any]) -> None:
    web = serve(cache={"size": 1_000_000})
    files, maker = DerivedFiles(), Maker()
    maker.may_end.set()

    async def fill() -> None:
        for number in range(40):
            await files.read(web.context, Derived("ab" * 32, str(number)), maker, 50_000)
        assert files._trimming is not None
        await files._trimming
        assert len(await files.read(web.context, Derived("ef" * 32, "large"), maker, 400_000)) == 400_000

    in_server(web, fill())
    kept = [path for path in web.context.cache.rglob("*") if path.is_file() and "lock" not in path.name]
    assert 0 < sum(path.stat().st_size for path in kept) <= 1_100_000
    assert not [path for path in kept if path.name == "large"]


def test_trimming_takes_what_was_not_used_for_longest_and_what_is_old(tmp_path: Path) -> None:
    def make(what: str, age: float) -> Path:
        name = Derived("ab" * 32, what)
        derived.make(str(tmp_path), str(tmp_path), name, lambda path: Path(path).write_bytes(bytes(4096)), ())  # type: ignore[arg-type, return-value]
        path = derived.path_of(tmp_path, name)
        os.utime(path, (time.time() - age,) * 2)
        return path

    old, used, fresh, new = (make(str(age), age) for age in (200_000, 500, 50, 5))
    derived.trim(tmp_path, 1_000_000)
    assert [path.exists() for path in (old, used, fresh, new)] == [False, True, True, True]
    derived.trim(tmp_path, 9000)
    assert [path.exists() for path in (used, fresh, new)] == [False, False, True]


@pytest.mark.parametrize("end", ["/frames/" + ",".join(map(str, range(1, 31))), "/pixeldata"])
def test_a_client_that_goes_away_ends_the_work_for_it(web: Any, end: str) -> None:
    path = stored(web, pydicom_file("examples_ybr_color.dcm"))

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    idle = in_server(web, tasks())
    request = f"GET {path}{end} HTTP/1.1\r\nHost: localhost\r\nAccept: multipart/related\r\n\r\n"
    with socket.create_connection(("127.0.0.1", web.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(request.encode())
        client.recv(100)

    def made() -> int:
        return sum(path.is_file() for path in (web.context.cache / "1").rglob("*"))

    deadline = time.monotonic() + 60
    while in_server(web, tasks()) > idle:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    before = made()
    assert before < 30
    assert len(web.search("/instances")) == 1
    assert made() == before
