"""What a complete object goes through before its sender is told that it is stored.

Hash, write, read the header, check, head, fsync, name: in a thread of its own. Then the group commit of its
dataset: folders made durable and index rows, one transaction for all that waited. Nothing of it runs on a
loop.
"""

from __future__ import annotations

import zlib
from concurrent.futures import Future
from contextlib import closing
from typing import NamedTuple, Protocol

from isocenter.archive.arrival import Announced, Clock, Origin
from isocenter.archive.prelude import Parting
from isocenter.archive.reception import Stored
from isocenter.dicom.header import Header, read_header
from isocenter.errors import Conflict, Damaged, NotFound, Unavailable, UnreadableObject
from isocenter.index.records import Outcome, Put
from isocenter.objects import HEAD_SIZE, Incoming, ObjectStore, Share, object_path
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


class Commit(Protocol):
    """The group commit of a dataset."""

    def submit(self, put: Put) -> Future[Outcome]:
        """Commit `put` with whatever else waits."""


class Ingest:
    """The way of objects into one dataset.

    Args:
        dataset: its name, for the provenance.
        store: where objects go.
        commit: the group commit.
        clock: arrival times of this process.
        assume_charset: character set of text beyond ASCII where the object names none.
    """

    def __init__(
        self,
        dataset: str,
        store: ObjectStore,
        commit: Commit,
        clock: Clock,
        assume_charset: str | None = None,
    ) -> None:
        self.dataset = dataset
        self.store = store
        self.commit = commit
        self.clock = clock
        self.assume_charset = assume_charset

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
        self._all: bytes | None = None
        self._share: Share | None = None

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
        put = self._describe(incoming, header, keys)
        committed = self._ingest.commit.submit(put)
        committed.add_done_callback(lambda done: self._settle(done, put, result))

    def discard(self) -> None:
        """Leave nothing."""
        if self._share is not None:
            self._share.release()
        if self._incoming is not None:
            self._incoming.discard()

    def _append(self, pieces: list[bytes]) -> None:
        if self._incoming is None:
            self._incoming = self._store.create()
            self._all = pieces[0] if len(pieces) == 1 else None
        else:
            self._all = None
        self._incoming.write(*pieces)

    def _header(self, incoming: Incoming) -> Header:
        syntax = self._announced.transfer_syntax
        if self._parting is not None and self._parting.prelude is not None:
            syntax = self._parting.prelude.transfer_syntax
        if self._all is not None:
            return read_header(self._all, transfer_syntax=syntax)
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

    def _describe(self, incoming: Incoming, header: Header, keys: dict[str, str]) -> Put:
        """Give the object its name, and say what the index needs; the sweeper is held off from here on."""
        syntax = header.transfer_syntax
        provenance = self._ingest.clock.stamp(self._origin, self._ingest.dataset)
        head = build_head(keys.get("SOPClassUID", ""), keys["SOPInstanceUID"], syntax, provenance)
        size = HEAD_SIZE + incoming.size
        incoming.seal(head)
        identity = incoming.digest(syntax.encode())
        self._share = self._store.hold()
        relpath, there = self._place(incoming, [keys[keyword] for keyword in _REQUIRED], identity.hex())
        if there is not None and there.provenance.dataset == self._ingest.dataset:
            provenance = there.provenance  # what the object says, so that a rebuild says the same
        return Put(
            keys=keys,
            header=zlib.compress(header.raw, 1),
            transfer_syntax=syntax,
            data_set_offset=HEAD_SIZE,
            object=relpath,
            size=size,
            sha256=identity.hex(),
            file_sha256=there.digest if there else file_digest(head, identity),
            source_aet=provenance.source_aet,
            called_aet=provenance.called_aet,
            received=provenance.received,
            problems=header.problems,
        )

    def _place(self, incoming: Incoming, uids: list[str], digest: str) -> tuple[str, There | None]:
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
            return There(whole, head.provenance)
        if is_named_by(relpath, found):
            return None
        raise Damaged("The object is not what its name says")

    def _settle(self, done: Future[Outcome], put: Put, result: Future[Stored]) -> None:
        if self._share is not None:
            self._share.release()
        error = done.exception()
        if error is not None:
            result.set_exception(error)
            return
        outcome = done.result()
        if outcome.kind == "rejected":
            result.set_exception(Rejected(outcome.reason or "Other bytes of this SOP instance are stored"))
            return
        result.set_result(Stored(outcome, dict(put.keys), put.sha256, put.problems))
