"""The index: SQL tables that answer DICOM queries, and the one commit point of a dataset.

`open_index` opens (and creates or migrates) the index of one dataset; `Index.writer` changes it,
`Index.reader` answers from it.  Records exchanged with other packages are in `records`.  How index and
catalog stay right together is told in `server/docs/architecture.md`.

Not here: bytes of objects, every attribute of an instance (the catalog has them), who may do what.
"""

from isocenter.index.carrying import carry
from isocenter.index.group import GroupCommit
from isocenter.index.opening import Index, open_index
from isocenter.index.places import datasets_in, drop_index, exchange_indexes, has_index, in_postgres
from isocenter.index.reader import Reader
from isocenter.index.records import (
    Change,
    ConflictObject,
    Outcome,
    Put,
    StoredInstance,
    TailRow,
    Tombstone,
    View,
)
from isocenter.index.writer import Writer

__all__ = [
    "Change",
    "ConflictObject",
    "GroupCommit",
    "Index",
    "Outcome",
    "Put",
    "Reader",
    "StoredInstance",
    "TailRow",
    "Tombstone",
    "View",
    "Writer",
    "carry",
    "datasets_in",
    "drop_index",
    "exchange_indexes",
    "has_index",
    "in_postgres",
    "open_index",
]
