"""The tables of a dataset's index, as SQLAlchemy Core.

`versioned` tables keep every state that a snapshot still needs: a surrogate `id`, the epoch `v0` a row was
born in and the epoch `v1` it ended in, null while it is visible (see `epochs`).  The others have one state.

Not here: what is stored beside the index (objects, catalog), nor what belongs to the server (`state`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    text,
)
from sqlalchemy.types import TypeEngine

from isocenter.dicom.levels import Level
from isocenter.index.columns import COLUMNS, Shape
from isocenter.index.columns import Column as Attribute

metadata = MetaData()

ONLY_HERE: dict[str, tuple[str, ...]] = {
    "worklist": ("workitem", "subscription", "workitem_event", "subscriber"),
    "non-patient instances": ("nonpatient",),
    "cohorts": ("cohort", "cohort_part", "cohort_name"),
}
"""The tables with what neither objects nor catalog tell, by what a user calls it: a rebuild carries their
visible rows into the new index (`carrying`), those of one name all or none.  A new table of that kind is
added here; its key is one column, and other tables name its rows by identity: a versioned `id` changes."""

_VISIBLE = text("v1 IS NULL")
_ENDED = text("v1 IS NOT NULL")
_STRING = String().with_variant(String(collation="C"), "postgresql")
"""Text in the order of its code points, in both databases."""

_ROWID = BigInteger().with_variant(Integer(), "sqlite")
_FIRST: dict[Shape, TypeEngine[Any]] = {"integer": BigInteger()}
_SECOND: dict[Shape, TypeEngine[Any]] = {"decimal": Float(), "age": Float()}


@dataclass(frozen=True, slots=True)
class Versioned:
    """A table with epochs: which columns say that two rows are states of the same thing.

    `same` are the columns that must agree for a row to be the very state a snapshot saw.
    `pinned` is the column that is 1 in rows that no reset ends, if there is one.
    """

    table: Table
    identity: tuple[str, ...]
    same: tuple[str, ...] = ()
    pinned: str = ""

    @property
    def name(self) -> str:
        """The name of the table."""
        return self.table.name

    @property
    def content(self) -> tuple[str, ...]:
        """Every column but `id`, `v0` and `v1`."""
        return _content(self.table)


@lru_cache(maxsize=64)
def _content(table: Table) -> tuple[str, ...]:
    """Asked for many times in a commit."""
    return tuple(c.name for c in table.columns if c.name not in ("id", "v0", "v1"))


VERSIONED: dict[str, Versioned] = {}


def versioned(
    name: str,
    identity: tuple[str, ...],
    *columns: Column[object],
    same: tuple[str, ...] = (),
    pinned: str = "",
) -> Versioned:
    """Declare a table with epochs and the indices they need.

    Without one on the identity of ended rows a reset of 1M rows takes 40 s in place of 0.2; visible rows have
    the unique one, so that each row is in one of them and storing a row pays for one.
    """
    table = Table(
        name,
        metadata,
        Column("id", _ROWID, primary_key=True, autoincrement=True),
        *columns,
        Column("v0", BigInteger, nullable=False),
        Column("v1", BigInteger),
    )
    Index(
        f"{name}_now",
        *(table.c[c] for c in identity),
        unique=True,
        sqlite_where=_VISIBLE,
        postgresql_where=_VISIBLE,
    )
    Index(f"{name}_key", table.c[identity[0]], sqlite_where=_ENDED, postgresql_where=_ENDED)
    Index(f"{name}_v0", table.c.v0)
    Index(f"{name}_v1", table.c.v1, sqlite_where=_ENDED, postgresql_where=_ENDED)
    VERSIONED[name] = Versioned(table, identity, same, pinned)
    return VERSIONED[name]


def _attributes(columns: tuple[Attribute, ...]) -> list[Column[object]]:
    made: list[Column[object]] = []
    for column in columns:
        made.append(Column(column.sql, _FIRST.get(column.shape, _STRING)))
        if column.companion:
            made.append(Column(column.companion, _SECOND.get(column.shape, _STRING)))
    return made


def _number(name: str, **options: object) -> Column[object]:
    return Column(name, BigInteger, nullable=False, **options)  # type: ignore[arg-type]


def _text(name: str) -> Column[object]:
    return Column(name, _STRING, nullable=False, server_default="")


def _optional(name: str) -> Column[object]:
    return Column(name, _STRING)


def _visible_index(name: str, table: Table, *columns: str) -> None:
    Index(name, *(table.c[c] for c in columns), sqlite_where=_VISIBLE, postgresql_where=_VISIBLE)


# -- the levels ----------------------------------------------------------------------------------------

TOTALS = ("instances", "size", "first_seq", "changed_seq", "received")
"""Of every level above the instance: how many instances, their bytes, the lowest sequence, the sequence of
the latest change, when the latest instance arrived."""


def _totals() -> list[Column[object]]:
    return [_number(name) for name in TOTALS]


patient = versioned(
    "patient",
    ("patient_key", "identity"),
    _number("patient_key"),
    _text("identity"),
    *_attributes(COLUMNS[Level.PATIENT]),
    _number("studies"),
    _number("series"),
    *_totals(),
)
study = versioned(
    "study",
    ("study_key",),
    _number("study_key"),
    _number("patient_key"),
    _text("patient_identity"),
    *_attributes(COLUMNS[Level.PATIENT]),
    *_attributes(COLUMNS[Level.STUDY]),
    _optional("ModalitiesInStudy"),
    _optional("SOPClassesInStudy"),
    _number("series"),
    *_totals(),
)
series = versioned(
    "series",
    ("study_key", "series_key"),
    _number("study_key"),
    _number("series_key"),
    *_attributes(COLUMNS[Level.SERIES]),
    _optional("sop_classes"),
    *_totals(),
)
instance = versioned(
    "instance",
    ("sop_key", "SOPInstanceUID"),
    _number("sop_key"),
    _number("study_key"),
    _number("series_key"),
    _number("upper_id"),
    _number("seq"),
    *_attributes(COLUMNS[Level.INSTANCE]),
    _text("transfer_syntax"),
    _number("data_set_offset"),
    _text("object"),
    Column("odd_path", SmallInteger, nullable=False),
    _number("size"),
    _text("sha256"),
    _text("file_sha256"),
    _text("source_aet"),
    _text("called_aet"),
    _number("received"),
    _optional("problems"),
    same=("object", "seq"),
)
upper = Table(
    "upper_values",
    metadata,
    Column("id", _ROWID, primary_key=True, autoincrement=True),
    _number("digest"),
    Column("told", _STRING, nullable=False),
    sqlite_autoincrement=True,
)
"""What instances said of their patient, study and series: one row for each distinct set of values, so that
the values shown can be found again exactly when instances go.  Never changed."""

Index("upper_values_digest", upper.c.digest)
Index("instance_upper", instance.table.c.upper_id)
Index(
    "instance_odd",
    instance.table.c.object,
    sqlite_where=text("odd_path = 1"),
    postgresql_where=text("odd_path = 1"),
)
_visible_index("instance_series", instance.table, "study_key", "series_key", "upper_id", "seq")
_visible_index("series_uid", series.table, "series_key")
_visible_index("series_modality", series.table, "Modality", "study_key")
for _name in (
    "StudyDate_sort",
    "PatientID",
    "PatientName_folded",
    "AccessionNumber",
    "patient_key",
    "first_seq",
):
    _visible_index(f"study_{_name}", study.table, _name)
for _name in ("PatientID", "PatientName_folded", "first_seq"):
    _visible_index(f"patient_{_name}", patient.table, _name)

# -- what disagrees ------------------------------------------------------------------------------------

level_conflict = versioned(
    "level_conflict",
    ("owner", "level", "owner_above", "keyword", "value"),
    Column("level", _STRING, nullable=False),
    _number("owner"),
    _number("owner_above"),
    _text("keyword"),
    _text("value"),
    _optional("compared"),
    Column("number", Float),
)
_visible_index("level_conflict_value", level_conflict.table, "level", "keyword", "compared")

conflict = versioned(
    "conflict",
    ("sop_key", "SOPInstanceUID", "sha256"),
    _number("sop_key"),
    _text("SOPInstanceUID"),
    _text("SeriesInstanceUID"),
    _text("StudyInstanceUID"),
    _text("transfer_syntax"),
    _number("data_set_offset"),
    _text("object"),
    _number("size"),
    _text("sha256"),
    _text("file_sha256"),
    _text("source_aet"),
    _text("called_aet"),
    _number("received"),
    _optional("problems"),
    _optional("keys"),
    Column("header", LargeBinary),
    _number("seq"),
)
Index("conflict_object", conflict.table.c.object)

# -- tail, tombstones, catalog -------------------------------------------------------------------------

tail = Table(
    "tail",
    metadata,
    Column("seq", _ROWID, primary_key=True, autoincrement=False),
    _text("operation"),
    _number("study_key"),
    _number("series_key"),
    _number("sop_key"),
    _text("SOPInstanceUID"),
    _text("transfer_syntax"),
    _number("data_set_offset"),
    _text("object"),
    _number("size"),
    _text("sha256"),
    _text("file_sha256"),
    _text("source_aet"),
    _text("called_aet"),
    _number("received"),
    Column("header", LargeBinary, nullable=False),
)
tombstone = versioned(
    "tombstone",
    ("sop_key", "SOPInstanceUID"),
    _number("sop_key"),
    _text("SOPInstanceUID"),
    _number("seq"),
)
catalog_head = Table(
    "catalog_head",
    metadata,
    Column("name", _STRING, primary_key=True),
    _number("version"),
)

# -- one-row and log tables ----------------------------------------------------------------------------

epoch = Table(
    "epoch",
    metadata,
    Column("one", SmallInteger, primary_key=True, autoincrement=False),
    _number("now"),
    _number("last_seq"),
    _number("resets"),
)
snapshot = Table(
    "snapshot",
    metadata,
    Column("name", _STRING, primary_key=True),
    _number("epoch"),
    _number("last_seq"),
    _number("time"),
    _optional("heads"),
)
lease = Table(
    "lease",
    metadata,
    Column("name", _STRING, primary_key=True),
    _text("owner"),
    _number("expires"),
)
change = Table(
    "change",
    metadata,
    Column("id", _ROWID, primary_key=True, autoincrement=True),
    _text("kind"),
    _text("level"),
    _text("StudyInstanceUID"),
    _text("SeriesInstanceUID"),
    _text("SOPInstanceUID"),
    _number("seq"),
    _number("time"),
    _text("detail"),
    sqlite_autoincrement=True,
)
# The few lines that say whether what is not here was here: 410 in place of 404.
Index(
    "change_deleted",
    change.c.StudyInstanceUID,
    change.c.SOPInstanceUID,
    sqlite_where=text("kind = 'deleted'"),
    postgresql_where=text("kind = 'deleted'"),
)
