"""Work at the same time, its results in order, and never too much of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from isocenter.client.parallel import in_order


def test_results_come_in_the_order_of_the_items():
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            later.wait(60)
        else:
            later.set()
        return item * item

    assert list(in_order(range(20), work)) == [(n, n * n) for n in range(20)]


@pytest.mark.parametrize(("weight", "most"), [(0, 4), (40, 2), (1000, 1)])
def test_items_are_taken_as_far_as_results_are_wanted(weight, most):
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    found = in_order(items(), lambda item: item, connections=2, weigh=lambda item: weight, budget=100)
    assert next(found) == (0, 0)
    assert len(taken) == most + 1
    found.close()
    assert len(taken) == most + 1


def test_the_first_error_ends_it_and_those_who_work_are_told():
    stop = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            raise ValueError("one")
        if item == 2:
            assert stop.wait(60)
        return item

    found = in_order(range(100), work, connections=3, stop=stop)
    assert next(found) == (0, 0)
    with pytest.raises(ValueError, match="one"):
        next(found)
    assert stop.is_set()
