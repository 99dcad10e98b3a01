"""The connection file: how a notebook on the same machine finds a running server and may use it.

`<data>/run/connection.json`, readable by its owner alone, holds the address and the token of this start. A
link to it in the user's runtime folder (`$XDG_RUNTIME_DIR/isocenter/`, else `~/.local/state/isocenter/`)
spares clients from knowing the data folder. Both go when the server stops; what a killed server left is
overwritten by the next and recognised by its process being gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocenter.client.server_info import runtime_folder


@contextlib.contextmanager
def published(data: Path, facts: dict[str, Any], *, listed: bool = True) -> Iterator[Path]:
    """Write the connection file and its link; remove both at the end.

    Args:
        data: the data folder.
        facts: JSON-able: `url`, `token`, `pid`, `dicom` (`host`, `port`, `ae_title`; None when it does not
            listen), `data`, `version`.
        listed: make the link: without it only those find the server who know the data folder.
    """
    path = data.resolve() / "run" / "connection.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(facts, file, indent=1)
    fresh.replace(path)
    link = _link(path) if listed else None
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        if link is not None:
            link.unlink(missing_ok=True)


def _link(path: Path) -> Path | None:
    """A link named after the data folder; None where the user has no folder to put it in."""
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = runtime_folder()
    if folder is None:
        return None
    link = folder / f"{name}.json"
    try:
        link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    except OSError:
        # No home folder to write to (a service account): clients are told the address or data folder.
        return None
    return link
