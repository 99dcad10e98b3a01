"""Looking at processes that may end while one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psutil


def those(
    processes: Iterable[psutil.Process], fits: Callable[[psutil.Process], bool]
) -> list[psutil.Process]:
    """The processes that fit; one that is gone, or ended and not waited for, fits nothing."""
    found = []
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE and fits(process):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
