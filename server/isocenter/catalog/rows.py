"""Rows of the `instances` table: DICOM JSON headers and the facts of their objects become Arrow record
batches.

A batch holds only the columns that occur in it; the table's schema is the union over its files.  What does
not fit its column is null there, and kept in `json` and, by keyword, in `_unconverted`.

Not here: types (`columns`), files (`catalog`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from isocenter.catalog.columns import JSON, OWN, PRIVATE, Column, column_of_tag

SORT = ("_study_key", "_series_key", "InstanceNumber", "_seq")
"""The order of rows in every file: ascending, rows without InstanceNumber last in their series."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What is known of an instance beside its header.

    Keys are the signed 64-bit keys of the UIDs (`dicom.uids.key_of`); `received` is microseconds since 1970
    in UTC; `object` the path below the object store; `size` bytes of the whole file; `sha256` the identity
    of the object (hex); `problems` are marks the header reader
    left.
    """

    seq: int
    study_key: int
    series_key: int
    sop_key: int
    received: int
    source_aet: str
    object: str
    size: int
    sha256: str
    called_aet: str = ""
    transfer_syntax: str = ""
    data_set_offset: int | None = None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Cells:
    """The values of one column that occur, and the rows they stand in."""

    column: Column
    rows: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


class RowBuilder:
    """Collects rows and makes one record batch of them, sorted as the table is."""

    def __init__(self) -> None:
        self._facts: list[RowFacts] = []
        self._documents: list[str] = []
        self._cells: dict[str, _Cells | None] = {}
        self._private: list[list[tuple[str, str]] | None] = []
        self._unconverted: list[list[tuple[str, str]] | None] = []

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, facts: RowFacts, document: Document, text: str | bytes | None = None) -> None:
        """Add one instance.

        Args:
            facts: what is known of its object.
            document: the header in the DICOM JSON model (PS3.18 F.2).
            text: the same as JSON text when the caller has it already (saves making it again).
        """
        row = len(self._facts)
        self._facts.append(facts)
        self._documents.append(_encode(document) if text is None else _as_text(text))
        unconverted, private = self._spread(row, document)
        self._private.append(private_pairs(document, private) if private else None)
        self._unconverted.append(unconverted or None)

    def _spread(self, row: int, document: Document) -> tuple[list[tuple[str, str]], list[str]]:
        """Put each value into its column; returns what did not convert and the private tags."""
        unconverted: list[tuple[str, str]] = []
        private: list[str] = []
        known = self._cells
        for tag, element in document.items():
            try:
                cells = known[tag]
            except KeyError:
                cells = self._learn(tag)
            if cells is None:
                if tag[3] in "13579BDFbdf":
                    private.append(tag)
                continue
            found = element.get("Value")
            if not found:
                if "InlineBinary" in element or "BulkDataURI" in element:
                    unconverted.append((cells.column.name, _encode(element)))
                continue
            try:
                value = cells.column.convert(found)
            except (ValueError, OverflowError, TypeError, AttributeError):
                unconverted.append((cells.column.name, _encode(element)))
                continue
            if value is not None:
                cells.rows.append(row)
                cells.values.append(value)
        return unconverted, private

    def _learn(self, tag: str) -> _Cells | None:
        column = column_of_tag(tag) if len(tag) == 8 and tag[3] not in "13579BDFbdf" else None
        self._cells[tag] = None if column is None else _Cells(column)
        return self._cells[tag]

    def batch(self) -> pa.RecordBatch:
        """All rows added so far, sorted by study, series, InstanceNumber and sequence."""
        count = len(self._facts)
        arrays = self._own_arrays()
        for _tag, cells in sorted(self._cells.items()):
            if cells is not None and cells.values:
                arrays[cells.column.name] = _full(cells, count)
        arrays[PRIVATE.name] = _array(self._private, PRIVATE.type)
        arrays[JSON.name] = _array(self._documents, JSON.type)
        batch = pa.RecordBatch.from_pydict(arrays)
        return sort(batch)

    def _own_arrays(self) -> dict[str, pa.Array]:
        columns: dict[str, list[Any]] = {name: [] for name in OWN.names}
        for name in _FACTS:
            columns[f"_{name}"] = [getattr(facts, name) for facts in self._facts]
        columns["_problems"] = [list(facts.problems) or None for facts in self._facts]
        columns["_unconverted"] = self._unconverted
        return {name: _array(column, OWN.field(name).type) for name, column in columns.items()}


_FACTS = tuple(name.removeprefix("_") for name in OWN.names if name not in ("_problems", "_unconverted"))


def to_batch(rows: Iterable[tuple[RowFacts, Document]]) -> pa.RecordBatch:
    """The record batch of some rows; see `RowBuilder`."""
    builder = RowBuilder()
    for facts, document in rows:
        builder.add(facts, document)
    return builder.batch()


def sort(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in the order of the table's files."""
    keys = [(name, "ascending") for name in SORT if name in batch.schema.names]
    order = pc.sort_indices(batch, sort_keys=keys)
    return batch.take(order)


def _full(cells: _Cells, count: int) -> pa.Array:
    if len(cells.rows) == count:
        return _array(cells.values, cells.column.type)
    column: list[Any] = [None] * count
    for row, value in zip(cells.rows, cells.values, strict=True):
        column[row] = value
    return _array(column, cells.column.type)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([_valid(value) for value in values], kind)


def _valid(value: Any) -> Any:
    """Text that is UTF-8, at any depth: lone surrogates, which broken character sets leave, become `?`."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (list, tuple)):
        return type(value)(_valid(part) for part in value)
    return value


# -- private attributes ----------------------------------------------------------------------------------


def private_pairs(document: Document, tags: Iterable[str]) -> list[tuple[str, str]] | None:
    """`gggg,CREATOR,ee` and text of the private elements among `tags`, sorted; None when there are none.

    Multiple values are joined by a backslash. Sequences, bytes and elements without creator stay in `json`.
    """
    owners: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for tag in tags:
        group, block, number = tag[:4], tag[4:6], tag[6:]
        if block == "00":
            continue
        text = _private_text(document[tag])
        if not text:
            continue
        owner = owners.get(group + block)
        if owner is None:
            owner = owners[group + block] = _creator(document, group, block)
        if owner:
            pairs[f"{group.lower()},{owner},{number.lower()}"] = text
    return sorted(pairs.items()) or None


def _creator(document: Document, group: str, block: str) -> str:
    """The private creator of a block (PS3.5 7.8.1), empty when nobody reserved it."""
    found = (document.get(f"{group}00{block}") or {}).get("Value") or [""]
    return str(found[0] or "").strip(" \0")


def _private_text(element: Mapping[str, Any]) -> str:
    found = element.get("Value")
    if not found or element["vr"] == "SQ":
        return ""
    if len(found) == 1:
        return _private_value(found[0]).strip(" \0")
    return "\\".join(map(_private_value, found)).strip(" \0")


def _private_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        groups = (value.get(group) or "" for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(groups).rstrip("=")
    return "" if value is None else str(value)


# -- JSON ------------------------------------------------------------------------------------------------


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def _as_text(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
