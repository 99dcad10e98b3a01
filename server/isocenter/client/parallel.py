"""Work over several connections at the same time, its results in order, bounded in number and in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BUDGET = 64_000_000


def in_order(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    *,
    connections: int = 4,
    weigh: Callable[[Item], int] = lambda item: 0,
    budget: int = BUDGET,
    stop: Event | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Every item with what `work` made of it, in order; the first error ends it.

    Args:
        items: read as far as they are worked on.
        work: called in threads.
        connections: threads; twice as many items are at most under way or waiting to be taken.
        weigh: bytes that an item's result will have.
        budget: bytes of results under way or waiting, except that one item alone may have more.
        stop: set when this ends, so that work which looks at it ends too, and is not waited for long.
    """
    waiting: deque[tuple[Item, int, Future[Result]]] = deque()
    held = 0
    pool = ThreadPoolExecutor(max(connections, 1), "isocenter-read")
    try:
        for item in items:
            weight = weigh(item)
            while waiting and (len(waiting) >= connections * 2 or held + weight > budget):
                done, freed, future = waiting.popleft()
                yield done, future.result()
                held -= freed
            waiting.append((item, weight, pool.submit(work, item)))
            held += weight
        while waiting:
            done, _, future = waiting.popleft()
            yield done, future.result()
    finally:
        if stop is not None:
            stop.set()
        pool.shutdown(cancel_futures=True)
