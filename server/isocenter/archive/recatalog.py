"""Making the catalog of a dataset anew from its index and objects, where the two disagree.

The index is right about which instances exist; what the catalog says of them is read from their objects
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from isocenter.archive.decoding import add_header
from isocenter.catalog.catalog import INSTANCES
from isocenter.catalog.rows import RowBuilder, RowFacts
from isocenter.dicom.header import read_header
from isocenter.dicom.levels import Level
from isocenter.index import StoredInstance

if TYPE_CHECKING:
    from isocenter.archive.dataset import Dataset

_AT_ONCE = 20_000
_EMPTY = 0
"""Version of a table as it was created, without rows."""


def catalog_differences(dataset: Dataset) -> set[str]:
    """SOP Instance UIDs whose row in catalog or tail is not that of the visible instance, or missing."""
    with dataset.table(Level.INSTANCE, None, ["SOPInstanceUID", "_seq", "_sha256"]) as reader:
        found = {
            row
            for batch in reader
            for row in zip(*(batch.column(n).to_pylist() for n in range(3)), strict=True)
        }
    visible = {(one.SOPInstanceUID, one.seq, one.sha256) for one in dataset.instances()}
    return {str(row[0]) for row in found ^ visible}


def recatalog(dataset: Dataset, tell: Callable[[str, int, int], None]) -> int:
    """Write the tables anew and make them the visible ones; how many rows `instances` has.

    The dataset may be in use: what is stored meanwhile waits in the tail, what is deleted gets tombstones.

    Raises:
        Conflict: the dataset was reset meanwhile; nothing changed.
        NotFound, UnreadableObject: an object is lost; nothing changed.
    """
    with dataset.catalog_lock.held():
        view = dataset.index.reader.view()
        waiting = set(view.tail_seqs)
        instances = [
            one for one in dataset.instances() if one.seq <= view.last_seq and one.seq not in waiting
        ]
        heads: dict[str, int] = {}
        done, left = 0, iter(instances)
        while part := list(islice(left, _AT_ONCE)):
            batch = _batch(dataset, part)
            files = dataset.catalog.files(INSTANCES, heads.get(INSTANCES))
            derived = dataset.flushing.derived(files, pa.Table.from_batches([batch]), ())
            rows = {INSTANCES: [batch], **derived}
            heads = dataset.catalog.append(rows, seq=view.last_seq, heads=heads)
            done += len(part)
            tell(f"rows of {dataset.name}", done, len(instances))
        emptied = dict.fromkeys(view.heads, _EMPTY)
        dataset.index.writer.set_heads(emptied | heads, resets=view.resets)
        return done


def _batch(dataset: Dataset, instances: Sequence[StoredInstance]) -> pa.RecordBatch:
    builder = RowBuilder()
    for one in instances:
        with closing(dataset.open(one)) as file:
            header = read_header(file)
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
