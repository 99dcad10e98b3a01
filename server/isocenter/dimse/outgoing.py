"""A stored object made ready to be sent in what was accepted for it: as stored, else transcoded.

As stored, the data set is cut from the object's own file. Else it is transcoded without loss in the process
pool into a scratch file, whose name goes before it is sent.
Not here: the sending (:mod:`isocenter.dimse.suboperations`).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from isocenter.archive import StoredInstance
from isocenter.dicom import transcode, uids
from isocenter.dimse.session import Session
from isocenter.errors import Damaged, IsocenterError
from isocenter.network.association import Association
from isocenter.network.negotiation import Context, Proposal
from isocenter.network.proposing import MOST_CONTEXTS
from isocenter.network.send import FileRange

_READ_AHEAD = 4 * 1024 * 1024
_UNCOMPRESSED = (uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN)


class NotAccepted(IsocenterError):
    """The peer accepted no context in which this object can be sent."""

    code = "not-accepted"


class Descriptor:
    """An open file that closes when nobody holds it: a thread may open it for who has gone meanwhile."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Close it now."""
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    __del__ = close


@dataclass(slots=True)
class Source:
    """The data set of an object, open."""

    file: Descriptor
    offset: int
    length: int

    @property
    def range(self) -> FileRange:
        """Where it is, for sending."""
        return FileRange(self.file.number, self.offset, self.length)


@dataclass(slots=True)
class Ready:
    """An object and the context it goes in; `close` it after it was sent."""

    context: Context
    source: Source

    def close(self) -> None:
        """Close its file."""
        self.source.file.close()


async def prepare(session: Session, association: Association, instance: StoredInstance) -> Ready:
    """The object, opened, in a context that `association` accepted.

    Raises:
        NotAccepted: there is none, not even for it transcoded.
        IsocenterError: it cannot be read or transcoded.
    """
    context = association.context_for(instance.SOPClassUID, instance.transfer_syntax)
    if context is not None:
        # Opening a file takes no time, fetching an object may take long.
        is_local = session.dataset.objects.path(instance.object) is not None
        run = asyncio.to_thread if is_local else session.around.in_thread
        return Ready(context, await run(_as_stored, session, instance))
    for syntax in _UNCOMPRESSED:
        context = association.context_for(instance.SOPClassUID, syntax)
        if context is not None:
            return Ready(context, await _transcoded(session, instance, syntax))
    raise NotAccepted("No presentation context was accepted for this object")


def _as_stored(session: Session, instance: StoredInstance) -> Source:
    """The data set in the object's file; a remote object is fetched to a scratch file first."""
    path = session.dataset.objects.path(instance.object)
    if path is not None:
        file = Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    else:
        with tempfile.TemporaryFile(dir=session.around.scratch) as scratch:
            with session.dataset.objects.open(instance.object) as source:
                shutil.copyfileobj(source, scratch, 1024 * 1024)
            scratch.flush()
            file = Descriptor(os.dup(scratch.fileno()))
    offset = instance.data_set_offset
    told = os.fstat(file.number)
    if not stat.S_ISREG(told.st_mode) or told.st_size != instance.size:
        raise Damaged("A stored object has not the size that it was stored with")
    # Small objects are stored past the page cache: the disk begins now, not when the first byte is wanted.
    os.posix_fadvise(file.number, 0, min(told.st_size, _READ_AHEAD), os.POSIX_FADV_WILLNEED)
    return Source(file, offset, told.st_size - offset)


async def _transcoded(session: Session, instance: StoredInstance, syntax: str) -> Source:
    """The data set in another transfer syntax, from the pool.

    Who is cancelled here leaves work that may begin later: it finds the target's name gone and does nothing.
    """
    scratch = session.around.scratch
    with ExitStack() as stack:
        target = stack.enter_context(tempfile.NamedTemporaryFile(dir=scratch, suffix=".transcoded"))
        source = session.dataset.objects.path(instance.object)
        if source is None:
            fetched = stack.enter_context(tempfile.NamedTemporaryFile(dir=scratch, suffix=".fetched"))
            source = Path(fetched.name)
            await session.around.in_thread(_fetch, session, instance, source)
        await session.around.pool.run(
            transcode.to_file,
            str(source),
            instance.data_set_offset,
            instance.transfer_syntax,
            syntax,
            target.name,
        )
        return Source(Descriptor(os.dup(target.fileno())), 0, os.fstat(target.fileno()).st_size)


def _fetch(session: Session, instance: StoredInstance, copy: Path) -> None:
    """A remote object into a file that is there."""
    with session.dataset.objects.open(instance.object) as source, open(copy, "r+b") as file:
        shutil.copyfileobj(source, file, 1024 * 1024)


def proposals(instances: Iterable[StoredInstance]) -> list[list[Proposal]]:
    """What to propose for sending these: one list for each association that is needed.

    For each SOP class: each stored transfer syntax alone in a context, then Explicit and Implicit VR Little
    Endian in another. All contexts of a SOP class that fit are in one association (128 at most). An object
    whose SOP class cannot even be proposed (none, or no UID) is in no list.
    """
    syntaxes: dict[str, dict[str, None]] = {}
    for instance in filter(_proposable, instances):
        syntaxes.setdefault(instance.SOPClassUID, {})[instance.transfer_syntax] = None
    associations: list[list[Proposal]] = [[]]
    for sop_class, stored in syntaxes.items():
        for chunk in _chunks(list(stored), MOST_CONTEXTS - 1):
            contexts = [Proposal(sop_class, (syntax,)) for syntax in chunk]
            contexts.append(Proposal(sop_class, _UNCOMPRESSED))
            if len(associations[-1]) + len(contexts) > MOST_CONTEXTS:
                associations.append([])
            associations[-1] += contexts
    return [each for each in associations if each]


def _proposable(instance: StoredInstance) -> bool:
    return 0 < len(instance.SOPClassUID) <= 64 and instance.SOPClassUID.isascii()


def serves(contexts: Iterable[Proposal], instance: StoredInstance) -> bool:
    """Whether an association with these proposals is the one for this object."""
    return any(
        each.abstract_syntax == instance.SOPClassUID and instance.transfer_syntax in each.transfer_syntaxes
        for each in contexts
    )


def _chunks(syntaxes: list[str], size: int) -> Iterable[list[str]]:
    return (syntaxes[start : start + size] for start in range(0, len(syntaxes), size))
