"""The columns of the `instances` table: which there are, their types, and how a DICOM JSON value becomes one.

The type follows the data dictionary (PS3.6), never what one file happens to hold: DA date32; TM int64
microseconds since midnight; DT naive timestamp of the wall clock as sent; IS US SS SL int32; UL SV UV int64;
DS FL FD double; the other text VRs string; a dictionary VM other than 1 makes a list.  Sequences, bytes,
private attributes and repeating groups have no typed column, save the code sequences people filter by.

Not here: the DICOM JSON model itself (`isocenter.dicom.json_model`), nor rows (`rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from isocenter.dicom import values
from isocenter.dicom.attributes import Attribute, arrow_type, lookup
from isocenter.errors import UnknownAttribute

Convert = Callable[[Sequence[Any]], Any]

_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "date32": pa.date32(),
    "timestamp[us]": pa.timestamp("us"),
}

OWN = pa.schema(
    [
        ("_study_key", pa.int64()),
        ("_series_key", pa.int64()),
        ("_sop_key", pa.int64()),
        ("_seq", pa.int64()),
        ("_received", pa.timestamp("us", "UTC")),
        ("_source_aet", pa.string()),
        ("_called_aet", pa.string()),
        ("_object", pa.string()),
        ("_size", pa.int64()),
        ("_sha256", pa.string()),
        ("_transfer_syntax", pa.string()),
        ("_data_set_offset", pa.int64()),
        ("_problems", pa.list_(pa.string())),
        ("_unconverted", pa.map_(pa.string(), pa.string())),
    ]
)
"""Columns of ours: the row's identity and provenance; `_unconverted` holds the DICOM JSON of each element
whose value does not fit its column, by keyword."""

PRIVATE = pa.field("private", pa.map_(pa.string(), pa.string()))
JSON = pa.field("json", pa.string())

CODE_SEQUENCES = frozenset(
    {
        "AdmittingDiagnosesCodeSequence",
        "AnatomicRegionSequence",
        "AnatomicRegionModifierSequence",
        "PrimaryAnatomicStructureSequence",
        "ConceptNameCodeSequence",
        "ContrastBolusAgentSequence",
        "InstitutionCodeSequence",
        "PatientBreedCodeSequence",
        "PatientSpeciesCodeSequence",
        "PerformedProtocolCodeSequence",
        "ProcedureCodeSequence",
        "ReasonForRequestedProcedureCodeSequence",
        "RequestedProcedureCodeSequence",
        "RadionuclideCodeSequence",
        "RadiopharmaceuticalCodeSequence",
        "SegmentedPropertyCategoryCodeSequence",
        "SegmentedPropertyTypeCodeSequence",
        "ViewCodeSequence",
        "ViewModifierCodeSequence",
        "DeidentificationMethodCodeSequence",
    }
)
"""Code sequences of the data set's top level that have a column: a list of `value^scheme^meaning`."""


class Unconvertible(ValueError):
    """The value does not fit the column's type; it stays in `json`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One typed column: its name (a keyword), Arrow type, and the conversion of a DICOM JSON `Value`."""

    name: str
    type: pa.DataType
    convert: Convert

    @property
    def multiple(self) -> bool:
        """Whether the column holds lists."""
        return bool(pa.types.is_list(self.type))


@lru_cache(maxsize=8192)
def column_of_tag(tag: str) -> Column | None:
    """The column of an element by its `GGGGEEEE`; None where it is in `json` or `private` only."""
    return _column(lookup(tag))


@lru_cache(maxsize=8192)
def type_named(name: str) -> pa.DataType | None:
    """The Arrow type of a column of ours or of a keyword; None where there is no such column."""
    if name in OWN.names:
        return OWN.field(name).type
    if name in (PRIVATE.name, JSON.name):
        return PRIVATE.type if name == PRIVATE.name else JSON.type
    try:
        column = _column(lookup(name))
    except UnknownAttribute:
        return None
    return column.type if column is not None and column.name == name else None


def _column(attribute: Attribute) -> Column | None:
    if attribute.keyword in CODE_SEQUENCES:
        return Column(attribute.keyword, pa.list_(pa.string()), _codes)
    named = arrow_type(attribute)
    if named is None:
        return None
    multiple = named.startswith("list<")
    value_type = _TYPES[named[5:-1] if multiple else named]
    one = _one(attribute.vr)
    if multiple:
        return Column(attribute.keyword, pa.list_(value_type), _list_of(one))
    return Column(attribute.keyword, value_type, _single(one))


# -- conversion of the values of one element ---------------------------------------------------------


def _single(one: Callable[[Any], Any]) -> Convert:
    def convert(found: Sequence[Any]) -> Any:
        if len(found) != 1:
            raise Unconvertible
        value = found[0]
        return None if value is None else one(value)

    return convert


def _list_of(one: Callable[[Any], Any]) -> Convert:
    def convert(found: Sequence[Any]) -> Any:
        converted = [None if value is None else one(value) for value in found]
        return None if all(value is None for value in converted) else converted

    return convert


def _one(vr: str) -> Callable[[Any], Any]:
    of = values.kind(vr)
    if of == "date":
        return _remembered(values.parse_date)
    if of == "time":
        return _remembered(values.parse_time)
    if of == "datetime":
        return _remembered(lambda text: values.parse_datetime(text).low)
    if of == "number":
        return _number(vr)
    return _name if of == "name" else _text


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise Unconvertible
    return value.strip(" \0") or None


def _name(value: Any) -> str | None:
    """A person name, its groups joined by `=` (PS3.18 F.2.2)."""
    if isinstance(value, str):
        return value.strip(" \0") or None
    groups = (value.get(group) or "" for group in ("Alphabetic", "Ideographic", "Phonetic"))
    return "=".join(groups).rstrip("=").strip(" \0") or None


def _remembered(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Dates and times repeat over a series: parsed once, remembered."""
    parsed = lru_cache(maxsize=4096)(parse)

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            raise Unconvertible
        return parsed(value) if value.strip(" \0") else None

    return convert


_INTEGER_LIMITS = {
    **dict.fromkeys(("UL", "SV", "UV"), (-(2**63), 2**63 - 1)),
    **dict.fromkeys(("IS", "US", "SS", "SL", "US or SS", "US or SS or OW"), (-(2**31), 2**31 - 1)),
}


def _number(vr: str) -> Callable[[Any], Any]:
    limits = _INTEGER_LIMITS.get(vr)
    return _decimal if limits is None else _integer(*limits)


def _decimal(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        return values.parse_decimal(value) if value.strip(" \0") else None
    return float(value)


def _integer(low: int, high: int) -> Callable[[Any], int | None]:
    def convert(value: Any) -> int | None:
        if type(value) is not int:
            if isinstance(value, str) and not value.strip(" \0"):
                return None
            value = values.parse_integer(str(value))
        if not low <= value <= high:
            raise Unconvertible
        return int(value)

    return convert


_CODE = ("00080100", "00080119", "00080120")
_SCHEME, _MEANING = "00080102", "00080104"


def _codes(items: Sequence[Any]) -> list[str] | None:
    found = [code for item in items if isinstance(item, Mapping) and (code := _code(item))]
    return found or None


def _code(item: Mapping[str, Any]) -> str | None:
    """`value^scheme^meaning` of a code item (PS3.3 8.8), long and URN code values included."""
    value = next((text for tag in _CODE if (text := _first(item, tag))), "")
    parts = (value, _first(item, _SCHEME), _first(item, _MEANING))
    return "^".join(parts) if any(parts) else None


def _first(item: Mapping[str, Any], tag: str) -> str:
    found = (item.get(tag) or {}).get("Value") or [""]
    return str(found[0] or "").strip(" \0")
