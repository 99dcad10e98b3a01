"""Who has a dataset open: a rebuild needs it alone, everybody else shares it.

A lock file beside the index says so. Whoever opens a dataset whose rebuild was killed while it took its
place ends that first; what a rebuild that was killed before left is removed (see `workplace`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.archive import workplace
from isocenter.archive.swap import finish_swap
from isocenter.errors import Unavailable
from isocenter.objects.durable import make_folder
from isocenter.objects.faults import storage_errors

_NAME = ".open.lock"


class Opened:
    """A share of the dataset, held until closed.

    Args:
        folder: of the dataset; made when missing.
        index: where its index is (see `Place`).

    Raises:
        Unavailable: it is being rebuilt.
    """

    def __init__(self, folder: Path, index: str) -> None:
        self._file = _open(folder)
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise Unavailable("The dataset is being rebuilt", hint="wait for `isocenter reindex`") from None
        try:
            finish_swap(folder, index)
            workplace.discard(folder)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give it back."""
        os.close(self._file)


@contextmanager
def alone(folder: Path, index: str) -> Iterator[None]:
    """The dataset for this process alone. Raises Unavailable while anybody has it open."""
    file = _open(folder)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finish_swap(folder, index)
        yield
    except BlockingIOError:
        raise Unavailable("The dataset is in use", hint="stop the server first") from None
    finally:
        os.close(file)


def _open(folder: Path) -> int:
    with storage_errors("open the dataset's folder"):
        make_folder(folder / "catalog")
        return os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o640)
