"""Making the catalog of a dataset anew from its index and objects, where the two disagree.

The index is right about which instances exist; what the catalog says of them is read from their objects
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from isocenter.archive.decoding import add_header
from isocenter.archive.differences import parts
from isocenter.catalog.catalog import INSTANCES
from isocenter.catalog.rows import RowBuilder, RowFacts
from isocenter.dicom.levels import Level
from isocenter.errors import NotFound
from isocenter.index import StoredInstance, View

if TYPE_CHECKING:
    from isocenter.archive.dataset import Dataset

_AT_ONCE = 20_000
_NO_TAIL = 1 << 62


def recatalog(dataset: Dataset, tell: Callable[[str, int, int], None]) -> int:
    """Write the tables anew and make them the visible ones; how many rows `instances` has.

    The dataset may be in use: what is stored meanwhile waits in the tail, what is deleted gets tombstones.

    Raises:
        Conflict: the dataset was reset meanwhile; nothing changed.
        NotFound, UnreadableObject: an object is lost; nothing changed.
    """
    with dataset.catalog_lock.held():
        view = dataset.index.reader.view(_NO_TAIL)
        heads: dict[str, int] = {}
        done, count, left = 0, dataset.count(Level.INSTANCE), _flushed(dataset, view)
        while part := list(islice(left, _AT_ONCE)):
            batch = _batch(dataset, part)
            files = dataset.catalog.files(INSTANCES, heads.get(INSTANCES))
            derived = dataset.flushing.derived(files, pa.Table.from_batches([batch]), ())
            rows = {INSTANCES: [batch], **derived}
            heads = dataset.catalog.append(rows, seq=view.last_seq, heads=heads)
            done += len(part)
            tell(f"rows of {dataset.name}", done, max(done, count))
        emptied = {table: dataset.catalog.clear(table) for table in view.heads if table not in heads}
        dataset.index.writer.set_heads(emptied | heads, resets=view.resets)
        return done


def _flushed(dataset: Dataset, view: View) -> Iterator[StoredInstance]:
    """The visible instances that do not wait in the tail, study by study."""
    waiting = set(view.tail_seqs)
    for low, high in parts(dataset.count(Level.INSTANCE), _AT_ONCE):
        for one in dataset.index.reader.instances_between(low, high):
            if one.seq <= view.last_seq and one.seq not in waiting:
                yield one


def _batch(dataset: Dataset, instances: Sequence[StoredInstance]) -> pa.RecordBatch:
    builder = RowBuilder()
    for one in instances:
        try:
            header = dataset.header(one)
        except NotFound:
            if dataset.index.reader.references([one.object]):
                raise
            continue  # deleted and swept since it was listed
        facts = RowFacts(
            seq=one.seq,
            study_key=one.study_key,
            series_key=one.series_key,
            sop_key=one.sop_key,
            received=one.received,
            source_aet=one.source_aet,
            object=one.object,
            size=one.size,
            sha256=one.sha256,
            called_aet=one.called_aet,
            transfer_syntax=one.transfer_syntax,
            data_set_offset=one.data_set_offset,
        )
        add_header(builder, facts, header, one.SOPInstanceUID, dataset.place.assume_charset)
    return builder.batch()
