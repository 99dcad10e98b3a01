"""`anonymize=yes` of WADO-URI (PS3.18 9.1.2): an instance de-identified, as if it were stored so.

By the default recipe and the server's key `default`: the Basic Profile, new UIDs, and pixels that are cleared
or none. What is made is a derived file like any other. Whoever may ask can learn which pseudonym a patient
has by that key, which takes more than leave to read. Not here: datasets that are views.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from isocenter.archive.view_store import cached
from isocenter.config import Settings
from isocenter.dicom.header import read_header
from isocenter.dicomweb.frame_files import local_path
from isocenter.errors import Conflict
from isocenter.http.context import Context
from isocenter.index.records import StoredInstance
from isocenter.objects import HEAD_SIZE, derived
from isocenter.objects.derived import Derived
from isocenter.objects.part10 import Provenance

_PREFIX = b"kept back: "


async def anonymized(context: Context, instance: StoredInstance) -> StoredInstance:
    """The instance as it is when it is de-identified; opening it gives that and nothing else.

    Raises:
        Conflict: it may not leave, and why; or nothing leaves here without a review.
    """
    if context.settings.deid.review:
        raise Conflict(
            "Here somebody looks at what was de-identified before it leaves",
            hint="POST /api/deid makes what is held until it is reviewed",
        )
    digest = await context.short(_digest, context.settings)
    name = Derived(instance.sha256, f"anonymized-{digest[:32]}")
    source = await local_path(context, instance)
    path = derived.path_of(context.cache, name)
    if not await context.short(_used, path):
        arguments = (str(context.settings.data), source)
        await context.compute(derived.make, str(context.cache), str(context.scratch), name, make, arguments)
    return await context.short(_described, instance, name, path)


def _used(path: Path) -> bool:
    """Whether a derived file is there, which then is not the first to go."""
    with suppress(FileNotFoundError):
        os.utime(path)
        return True
    return False


def _digest(settings: Settings) -> str:
    from isocenter.deid.view import by_default

    return by_default(settings.data).digest


def make(target: str, data: str, source: str) -> None:
    """Write the de-identified object, or why there is none, into an empty file. For the pool."""
    from isocenter.deid.view import by_default

    with open(source, "rb") as file, open(target, "w+b") as sink:
        reason = by_default(Path(data)).make(file, sink, Provenance(dataset=""))
        if reason:
            sink.write(_PREFIX + json.dumps(reason).encode())


def _described(instance: StoredInstance, name: Derived, path: Path) -> StoredInstance:
    """The instance that a derived file is."""
    with path.open("rb") as file:
        start = file.read(len(_PREFIX))
        if start == _PREFIX:
            raise Conflict(f"This instance cannot be anonymized: {json.loads(file.read())}")
        file.seek(0)
        header = read_header(file)
        size = file.seek(0, 2)
    keys = header.index_keys()
    return replace(
        instance,
        StudyInstanceUID=keys.get("StudyInstanceUID", ""),
        SeriesInstanceUID=keys.get("SeriesInstanceUID", ""),
        SOPInstanceUID=keys.get("SOPInstanceUID", ""),
        transfer_syntax=header.transfer_syntax,
        data_set_offset=HEAD_SIZE,
        object=cached(name),
        size=size,
        sha256=hashlib.sha256(repr(name).encode()).hexdigest(),
        file_sha256="",
        received=0,
        source_aet="",
        called_aet="",
    )
