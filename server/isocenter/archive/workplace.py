"""The folder `rebuild/` of a dataset, where a rebuild makes the new: gone on with, or removed.

It is worth something only while nothing is stored in the dataset: whoever opens it for use removes the
folder, since what is stored then would be missing in there. It is also of one source.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from isocenter.archive.swap import remove_work
from isocenter.objects.durable import fsync_folder, make_folder
from isocenter.objects.faults import storage_errors

NAME = "rebuild"
_SOURCE = "source"


def begin(dataset: Path, source: str) -> tuple[Path, bool]:
    """The folder to rebuild in from a source, and whether it is new.

    What a rebuild from that source left there when it was killed is kept, anything else removed.

    Args:
        dataset: folder of the dataset, which nobody else has open.
        source: what the rebuild reads.
    """
    folder = dataset / NAME
    with storage_errors("make the folder of the rebuild"):
        if (folder / _SOURCE).exists() and (folder / _SOURCE).read_text() == source:
            return folder, False
        _remove(folder)
        make_folder(folder)
        (folder / _SOURCE).write_text(source)
        return folder, True


def discard(dataset: Path) -> None:
    """Remove what an interrupted rebuild left; of several processes that come at once one does it."""
    folder = dataset / NAME
    if not folder.exists():
        return
    with storage_errors("remove an interrupted rebuild"), open(dataset / ".swap.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the word of its source first: without it nobody goes on with the rest."""
    if folder.exists():
        (folder / _SOURCE).unlink(missing_ok=True)
        fsync_folder(folder)
        remove_work(folder)
