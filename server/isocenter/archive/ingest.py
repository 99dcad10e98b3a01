"""What a complete object goes through before its sender is told that it is stored.

Hash, write, read the header, check, head, fsync, name: in a thread of its own. Then the group commit of its
dataset: folders made durable and index rows, one transaction for all that waited. Nothing of it runs on a
loop.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from typing import BinaryIO, NamedTuple, Protocol

from isocenter.archive.arrival import Announced, Clock, Origin
from isocenter.archive.prelude import Parting
from isocenter.archive.reception import Stored
from isocenter.archive.shared import Shared
from isocenter.dicom.header import Header, read_header
from isocenter.errors import Conflict, Damaged, NotFound, Unavailable, UnreadableObject
from isocenter.index.group import Landing
from isocenter.index.records import Outcome, Put
from isocenter.objects import HEAD_SIZE, Incoming, ObjectStore, Share, object_path
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import Provenance, build_head, file_digest, measure, parse_head
from isocenter.objects.paths import DIGITS, is_named_by

_REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_TRIES = 3


class Mismatch(Conflict):
    """Command and data set name another SOP class or instance (C-STORE A900)."""

    code = "mismatch"


class Rejected(Conflict):
    """Other bytes of this SOP instance are stored, and the dataset rejects them."""

    code = "rejected"


class There(NamedTuple):
    """An object that was stored before: its file digest, and where it came from."""

    digest: str
    provenance: Provenance


class Made(NamedTuple):
    """What is known of a whole object before it has its name."""

    keys: dict[str, str]
    header: Header
    head: bytes
    provenance: Provenance
    incoming: Incoming

    @property
    def uids(self) -> tuple[str, str, str]:
        """Study, Series and SOP Instance UID."""
        study, series, instance = (self.keys[keyword] for keyword in _REQUIRED)
        return study, series, instance

    def identity(self) -> bytes:
        """Its digest, once it is hashed."""
        return self.incoming.digest(self.header.transfer_syntax.encode())

    def relpath(self) -> str:
        """The name it gets where no other object has it."""
        return object_path(*self.uids, self.identity().hex())

    def put(self, relpath: str, provenance: Provenance, file_digest_there: str | None = None) -> Put:
        """What the index needs, of the object at `relpath`."""
        identity = self.identity()
        return Put(
            keys=self.keys,
            header=zlib.compress(self.header.raw, 1),
            transfer_syntax=self.header.transfer_syntax,
            data_set_offset=HEAD_SIZE,
            object=relpath,
            size=HEAD_SIZE + self.incoming.size,
            sha256=identity.hex(),
            file_sha256=file_digest_there or file_digest(self.head, identity),
            source_aet=provenance.source_aet,
            called_aet=provenance.called_aet,
            received=provenance.received,
            problems=self.header.problems,
        )


class Commit(Protocol):
    """The group commit of a dataset."""

    def submit(self, put: Put | Callable[[], Put], landing: Landing | None = None) -> Future[Outcome]:
        """Commit `put` with whatever else waits, once its file is durable."""


class Ingest:
    """The way of objects into one dataset.

    Args:
        dataset: its name, for the provenance.
        store: where objects go.
        commit: the group commit.
        clock: arrival times of this process.
        shared: objects that came to another dataset first.
        assume_charset: character set of text beyond ASCII where the object names none.
    """

    def __init__(
        self,
        dataset: str,
        store: ObjectStore,
        commit: Commit,
        clock: Clock,
        shared: Shared,
        assume_charset: str | None = None,
    ) -> None:
        self.dataset = dataset
        self.store = store
        self.commit = commit
        self.clock = clock
        self.shared = shared
        self.assume_charset = assume_charset
        self.remote = store.path("any") is None
        self.under_way: set[int] = set()
        """Which objects are on their way."""

    def sink(self, origin: Origin, announced: Announced) -> ObjectSink:
        """A way in for one object."""
        return ObjectSink(self, origin, announced)


class ObjectSink:
    """One object: see `reception.Sink`."""

    def __init__(self, ingest: Ingest, origin: Origin, announced: Announced) -> None:
        self._ingest = ingest
        self._store = ingest.store
        self._origin = origin
        self._announced = announced
        self._parting = None if announced.transfer_syntax else Parting()
        self._incoming: Incoming | None = None
        self._share: Share | None = None
        ingest.under_way.add(id(self))

    def write(self, pieces: list[bytes]) -> None:
        """More of the object. Raises NoSpace, Unavailable, UnreadableObject."""
        if self._parting is not None:
            pieces = self._parting.take(pieces)
        self._append(pieces)

    def complete(self, result: Future[Stored]) -> None:
        """Store the object; `result` is settled when the group commit has happened."""
        if self._parting is not None:
            self._append(self._parting.take([], last=True))
        incoming = self._incoming
        if incoming is None or not incoming.size:
            raise UnreadableObject("The data set is empty")
        header = self._header(incoming)
        keys = header.index_keys(assume_charset=self._ingest.assume_charset)
        self._check(keys)
        made = self._make(incoming, header, keys)
        committed = self._commit_ahead(incoming, made) or self._place_and_commit(incoming, made)
        committed.add_done_callback(lambda done: self._settle(done, made, result))

    def discard(self) -> None:
        """Leave nothing."""
        self._end()
        if self._incoming is not None:
            self._incoming.discard()

    def _append(self, pieces: list[bytes]) -> None:
        if self._incoming is None:
            self._incoming = self._store.create()
        self._incoming.write(*pieces)

    def _header(self, incoming: Incoming) -> Header:
        syntax = self._announced.transfer_syntax
        if self._parting is not None and self._parting.prelude is not None:
            syntax = self._parting.prelude.transfer_syntax
        with incoming.data_set() as data_set:
            return read_header(data_set, transfer_syntax=syntax)

    def _check(self, keys: dict[str, str]) -> None:
        missing = [keyword for keyword in _REQUIRED if not keys.get(keyword)]
        if missing:
            raise UnreadableObject(f"The data set has no {', '.join(missing)}", detail={"missing": missing})
        told = (
            ("SOPClassUID", self._announced.sop_class),
            ("SOPInstanceUID", self._announced.sop_instance),
            ("StudyInstanceUID", self._announced.study),
        )
        for keyword, value in told:
            if value is not None and value != keys.get(keyword, ""):
                raise Mismatch(f"Command and data set disagree on {keyword}", detail={"keyword": keyword})

    def _make(self, incoming: Incoming, header: Header, keys: dict[str, str]) -> Made:
        provenance = self._ingest.clock.stamp(self._origin, self._ingest.dataset)
        head = build_head(
            keys.get("SOPClassUID", ""), keys["SOPInstanceUID"], header.transfer_syntax, provenance
        )
        return Made(keys, header, head, provenance, incoming)

    def _commit_ahead(self, incoming: Incoming, made: Made) -> Future[Outcome] | None:
        """Have the rows made and written while the file becomes durable; None where that is not the way.

        It is the way of a small object that comes alone: every other writer of the index waits for its
        fsync, and a lone sender waits for all of it anyway. An object that was there before is noticed last.
        """
        if len(self._ingest.under_way) > 1 or not incoming.waits_in_memory or self._ingest.remote:
            return None
        self._share = self._store.hold()
        landing = Landing()
        committed = self._ingest.commit.submit(lambda: made.put(made.relpath(), made.provenance), landing)
        try:
            incoming.finish(made.head)
            relpath = made.relpath()
            placed = self._store.place(incoming, relpath)
            if placed:
                landing.named.set_result(None)
                self._store.sync(incoming, relpath)
        except BaseException as error:
            landing.fail(error)
            committed.exception()  # wait until nothing of it is in the index
            raise
        if placed:
            landing.durable.set_result(None)
            return committed
        landing.fail(Conflict("The name of the object is taken"))
        committed.exception()
        self._share.release()
        return None

    def _place_and_commit(self, incoming: Incoming, made: Made) -> Future[Outcome]:
        """Give the object its name, then say what the index needs; the sweeper is held off from here on."""
        if not incoming.sealed:
            incoming.seal(made.head)
        self._share = self._store.hold()
        relpath, there = self._place(incoming, made.uids, made.identity().hex())
        provenance = made.provenance
        if there is not None and there.provenance.dataset == self._ingest.dataset:
            provenance = there.provenance  # what the object says, so that a rebuild says the same
        elif there is not None:
            provenance = self._ingest.shared.tell(relpath, provenance)
        return self._ingest.commit.submit(made.put(relpath, provenance, there.digest if there else None))

    def _place(self, incoming: Incoming, uids: tuple[str, str, str], digest: str) -> tuple[str, There | None]:
        """The path of the object, and what was there if these bytes were, whole.

        The name tells 8 digits of the digest, and more only where another object has that name.
        """
        for digits in DIGITS:
            relpath = object_path(uids[0], uids[1], uids[2], digest, digits=digits)
            for _ in range(_TRIES):
                if self._store.place(incoming, relpath):
                    return relpath, None
                try:
                    there = self._look(relpath, digest, HEAD_SIZE + incoming.size)
                except NotFound:
                    continue  # swept just now
                except Damaged:
                    self._store.place(incoming, relpath, replace=True)
                    return relpath, None
                if there is None:
                    break
                incoming.discard()
                return relpath, there
        raise Unavailable("The name of the object is taken again and again", hint="try again")

    def _look(self, relpath: str, digest: str, size: int) -> There | None:
        """What is at `relpath`, None when it is another object. Raises NotFound, Damaged.

        A remote object is not fetched to be compared: its store keeps what it took.
        """
        with closing(self._store.open(relpath)) as file:
            if self._store.path(relpath) is None:
                raw, info = file.read(HEAD_SIZE), self._store.info(relpath)
                same = info is not None and info.size == size
                return (
                    There(file_digest(raw, bytes.fromhex(digest)), parse_head(raw).provenance)
                    if same
                    else None
                )
            head, found, whole = measure(file)
            if found == digest:
                self._make_sure(file)
        if found == digest:
            return There(whole, head.provenance)
        if is_named_by(relpath, found):
            return None
        raise Damaged("The object is not what its name says")

    @staticmethod
    def _make_sure(file: BinaryIO) -> None:
        """What has its name may not be durable yet: whoever brought it may be waiting for that."""
        with storage_errors("store an object"):
            os.fsync(file.fileno())

    def _end(self) -> None:
        self._ingest.under_way.discard(id(self))
        if self._share is not None:
            self._share.release()

    def _settle(self, done: Future[Outcome], made: Made, result: Future[Stored]) -> None:
        self._end()
        error = done.exception()
        if error is not None:
            result.set_exception(error)
            return
        outcome = done.result()
        if outcome.kind == "rejected":
            result.set_exception(Rejected(outcome.reason or "Other bytes of this SOP instance are stored"))
            return
        result.set_result(Stored(outcome, dict(made.keys), made.identity().hex(), made.header.problems))
