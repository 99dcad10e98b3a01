"""A zip of a cohort, a frame, a resource: made by a job of the server, then downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.client.cohort import Cohort
from isocenter.client.job import submit
from isocenter.client.selection import Selection
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from isocenter.client.transport import Transport

_MOST = 10_000


def zip_of(
    transport: Transport,
    dataset: str,
    source: object,
    path: str | os.PathLike[str],
    media: bool,
    progress: bool | Callable[[int, int], None],
) -> Path:
    """See `Contents.zip`."""
    asked: dict[str, Any] = {"media": media}
    if isinstance(source, Cohort):
        asked["cohort"] = source.id
    else:
        rows = islice(Selection(transport, dataset).rows(source), _MOST + 1)
        asked["uids"] = [row["SOPInstanceUID"] for row in rows]
        if len(asked["uids"]) > _MOST:
            hint = 'freeze it: frame.freeze("name").zip(path)'
            raise BadRequest(f"A zip of a frame has at most {_MOST:,} instances", hint=hint)
    return (
        submit(transport, "archive", asked, dataset=dataset).wait(progress).download(path, progress=progress)
    )
