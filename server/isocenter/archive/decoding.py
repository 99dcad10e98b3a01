"""Tail rows become rows of the catalog: header bytes to DICOM JSON and typed columns.

Flush does it to append them, the query process to see what is not flushed yet.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from isocenter.catalog.rows import RowBuilder, RowFacts
from isocenter.dicom.header import Header
from isocenter.dicom.json_model import to_json
from isocenter.errors import UnreadableObject
from isocenter.index import TailRow


def header_of(row: TailRow) -> Header:
    """The header that a tail row carries."""
    return Header.unpack(
        zlib.decompress(row.header), transfer_syntax=row.transfer_syntax, data_set_offset=row.data_set_offset
    )


def facts_of(row: TailRow) -> RowFacts:
    """What a tail row says of its object."""
    return RowFacts(
        seq=row.seq,
        study_key=row.study_key,
        series_key=row.series_key,
        sop_key=row.sop_key,
        received=row.received,
        source_aet=row.source_aet,
        object=row.object,
        size=row.size,
        sha256=row.sha256,
        called_aet=row.called_aet,
        transfer_syntax=row.transfer_syntax,
        data_set_offset=row.data_set_offset,
    )


def add_header(
    builder: RowBuilder, facts: RowFacts, header: Header, sop_uid: str, assume_charset: str | None = None
) -> None:
    """Add one instance to a batch of catalog rows.

    A header that cannot become JSON (beyond the limits) holds nothing back: its row says so, with the UID
    alone.
    """
    try:
        document = to_json(header, assume_charset=assume_charset)
    except UnreadableObject as error:
        header.note(error.message)
        document = {"00080018": {"vr": "UI", "Value": [sop_uid]}}
    builder.add(replace(facts, problems=header.problems), document)


def to_batch(rows: Iterable[TailRow], assume_charset: str | None = None) -> pa.RecordBatch:
    """Tail rows as one record batch of the table `instances`."""
    builder = RowBuilder()
    for row in rows:
        add_header(builder, facts_of(row), header_of(row), row.SOPInstanceUID, assume_charset)
    return builder.batch()
