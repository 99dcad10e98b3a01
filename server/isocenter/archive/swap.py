"""A rebuilt index, and catalog, takes the place of the old one; killed in between, the next opening ends it.

What shall move stands in a plan, durable before the first file moves; every step of the plan can be taken
again.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isocenter.errors import Unavailable
from isocenter.index import exchange_indexes, in_postgres
from isocenter.objects.durable import fsync_folder
from isocenter.objects.faults import storage_errors

_PLAN = ".swap.json"


def swap(folder: Path, new: Path, names: Sequence[str], url: str = "") -> Path:
    """Move `names` of `new` into `folder`; what had these names is kept in a folder of its own.

    Args:
        folder: of the dataset, which nobody else has open.
        new: below `folder`; removed at the end.
        names: files and folders; those that exist count.
        url: of the PostgreSQL database, where the index is there and not among the files.

    Returns:
        the folder `before-<time>-…` that keeps what was there.
    """
    with storage_errors("put the rebuilt index in its place"):
        prefix = f"before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-"
        kept = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
        plan: dict[str, Any] = {
            "new": new.name,
            "kept": kept.name,
            "keep": [name for name in names if (folder / name).exists()],
            "move": [name for name in names if (new / name).exists()],
        }
        if url:
            here = folder.name
            plan["indexes"] = [f"{here}.{new.name}", here, f"{here}.{kept.name}"]
        _write(folder, plan)
    finish_swap(folder, url)
    return kept


def finish_swap(folder: Path, url: str = "") -> None:
    """Take every step of the plan that was not taken yet; nothing without a plan.

    Of several processes that come at once one does it, and the others wait.

    Raises:
        Unavailable: the index is in PostgreSQL, and that cannot be reached.
    """
    if not (folder / _PLAN).exists():
        return
    with storage_errors("put the rebuilt index in its place"), open(folder / ".swap.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _PLAN).exists():
            _take_steps(folder, json.loads((folder / _PLAN).read_text()), url)


def _take_steps(folder: Path, plan: dict[str, Any], url: str) -> None:
    if "indexes" in plan:
        if not in_postgres(url):
            raise Unavailable("A rebuild is not ended: its index is in PostgreSQL", hint="set `index.url`")
        exchange_indexes(url, *plan["indexes"])
    new, kept = folder / plan["new"], folder / plan["kept"]
    for name in plan["keep"]:
        if not (kept / name).exists():
            os.rename(folder / name, kept / name)
    for name in plan["move"]:
        if (new / name).exists():
            os.rename(new / name, folder / name)
    fsync_folder(kept)
    fsync_folder(folder)
    remove_work(new)  # before the plan goes: the next rebuild must not go on with what is left of this one
    (folder / _PLAN).unlink()
    fsync_folder(folder)


def _write(folder: Path, plan: dict[str, Any]) -> None:
    temporary = folder / f"{_PLAN}.new"
    with open(temporary, "w") as file:
        json.dump(plan, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, folder / _PLAN)
    fsync_folder(folder)


def remove_work(folder: Path) -> None:
    """Remove what the rebuild needed and the dataset does not: files by name, never a tree."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    if folder.exists():
        folder.rmdir()
