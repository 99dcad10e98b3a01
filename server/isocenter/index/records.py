"""What the index takes and gives: plain frozen records, without SQL.

Times are microseconds since 1970 UTC, sizes bytes, digests lower-case hexadecimal SHA-256, keys the signed
64-bit keys of `isocenter.dicom.uids.key_of`.  Names spelt like DICOM keywords are those elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

OnConflict = Literal["keep", "replace", "reject"]
Kind = Literal["stored", "duplicate", "conflict", "replaced", "rejected"]


@dataclass(frozen=True, slots=True)
class Put:
    """One stored object that is to become an instance of the dataset.

    Attributes:
        keys: `Header.index_keys()`: keyword (or dotted path) to Unicode text, multiple values joined by a
            backslash; absent means missing.  The UIDs of study, series and instance are required.
        header: the raw header, packed with zlib; goes to the tail as it is.
        transfer_syntax: UID the data set is encoded in.
        data_set_offset: where the data set begins in the object file.
        object: path of the object in the object store.
        size: bytes of the object file.
        sha256: identity: digest of the data set bytes with the transfer syntax.
        file_sha256: digest of the whole object file.
        source_aet: calling AE title, or what stands for it.
        called_aet: called AE title.
        received: when its last byte arrived, microseconds UTC.
        problems: what the header walker complained about.
    """

    keys: Mapping[str, str]
    header: bytes
    transfer_syntax: str
    data_set_offset: int
    object: str
    size: int
    sha256: str
    file_sha256: str = ""
    source_aet: str = ""
    called_aet: str = ""
    received: int = 0
    problems: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What became of a `Put`.

    `stored`: a new instance.  `duplicate`: the same bytes were there; nothing changed, `object` is the path
    in use.  `conflict`: the first stays visible, this object is kept beside it.  `replaced`: this one is
    visible now, `previous` is the path it replaced.  `rejected`: refused, nothing changed; `reason` says
    why.  `seq` is the sequence of the instance or conflict (of the one there for a duplicate; 0 if rejected).
    """

    kind: Kind
    seq: int
    object: str
    previous: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One visible instance: enough to read, send or delete it."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPInstanceUID: str
    SOPClassUID: str
    InstanceNumber: int | None
    transfer_syntax: str
    data_set_offset: int
    object: str
    size: int
    sha256: str
    file_sha256: str
    seq: int
    received: int
    source_aet: str
    study_key: int
    series_key: int
    sop_key: int
    called_aet: str = ""


class Kept(NamedTuple):
    """What index and catalog must agree about: which bytes are the visible ones of an instance."""

    SOPInstanceUID: str
    seq: int
    sha256: str


OBJECT_COLUMNS = (
    "transfer_syntax",
    "data_set_offset",
    "object",
    "size",
    "sha256",
    "file_sha256",
    "source_aet",
    "called_aet",
    "received",
)
"""Columns of an instance or a conflict about its object file, in the order of `Put`."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object that a row of any epoch, or a conflict, names: enough to check it and remake its head."""

    SOPInstanceUID: str
    SOPClassUID: str
    transfer_syntax: str
    object: str
    size: int
    sha256: str
    file_sha256: str
    source_aet: str
    called_aet: str
    received: int


@dataclass(frozen=True, slots=True)
class TailRow:
    """An instance acknowledged but not yet in the catalog, with its raw header."""

    seq: int
    operation: str
    study_key: int
    series_key: int
    sop_key: int
    SOPInstanceUID: str
    transfer_syntax: str
    data_set_offset: int
    object: str
    size: int
    sha256: str
    file_sha256: str
    source_aet: str
    called_aet: str
    received: int
    header: bytes


class Tombstone(NamedTuple):
    """Catalog and tail rows of this instance with a sequence up to `seq` no longer count."""

    sop_key: int
    SOPInstanceUID: str
    seq: int


@dataclass(frozen=True, slots=True)
class View:
    """What a reader of the catalog must see, taken in one read transaction.

    Attributes:
        heads: visible version of each catalog table.
        tail: tail rows above the sequence asked for, in order of sequence.
        tail_seqs: sequences of every row now in the tail: what is kept of earlier views must be among them.
        tombstones: all visible ones.
        epoch: the epoch.
        last_seq: highest sequence given out so far.
        resets: how often the dataset was reset; what was decoded before another value is void.
    """

    heads: dict[str, int]
    tail: list[TailRow]
    tail_seqs: list[int]
    tombstones: list[Tombstone]
    epoch: int
    last_seq: int
    resets: int


class Change(NamedTuple):
    """One line of the change log; `id` only grows.

    `kind`: `stored`, `replaced`, `conflict`, `deleted`, `adopted`, `new-patient`, `new-study`, `new-series`,
    `changed` (an edit of rows), `flushed`, `snapshot`, `snapshot-dropped`, `reset`, `rebuilt`.
    `level` is the level meant (empty for the whole dataset), the UIDs are empty below it.
    """

    id: int
    kind: str
    level: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPInstanceUID: str
    seq: int
    time: int
    detail: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A named moment; `heads` is None until the keeper has flushed up to `last_seq`."""

    name: str
    epoch: int
    last_seq: int
    time: int
    heads: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class ConflictObject:
    """An object with the SOP Instance UID of a visible instance, but other bytes."""

    id: int
    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPInstanceUID: str
    transfer_syntax: str
    data_set_offset: int
    object: str
    size: int
    sha256: str
    file_sha256: str
    source_aet: str
    received: int
    seq: int


class LevelConflict(NamedTuple):
    """A value that an instance sent for a patient, study or series, and that is not the one shown."""

    level: str
    uid: str
    keyword: str
    shown: str
    other: str


class Collision(NamedTuple):
    """Two values of what identifies a person, under one patient key."""

    issuer: str
    PatientID: str
    keyword: str
    shown: str
    other: str


class Totals(NamedTuple):
    """How much a dataset holds."""

    patients: int
    studies: int
    series: int
    instances: int
    size: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a named lease, and until when (microseconds UTC)."""

    name: str
    owner: str
    expires: int


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion took: instances, their objects and conflict objects (which other epochs may keep)."""

    instances: int
    objects: list[str] = field(default_factory=list)
    seq: int = 0
