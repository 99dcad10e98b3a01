"""What the index knows about objects and disagreements, for sweep, verify and doctor."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicom.levels import Level
from isocenter.dicom.uids import key_of
from isocenter.dicom.values import fold, parse_name
from isocenter.index.columns import BY_NAME
from isocenter.index.database import Session, quoted, select_text
from isocenter.index.records import OBJECT_COLUMNS, Collision, ConflictObject, LevelConflict, StoredObject

_CONFLICT = (
    "id",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    *(name for name in OBJECT_COLUMNS if name != "called_aet"),
    "seq",
)
_IDENTIFYING = ("PatientName", "PatientBirthDate", "PatientSex")
_ROWS_OF = {
    Level.PATIENT: ("patient", "t.patient_key = c.owner", '"PatientID"'),
    Level.STUDY: ("study", "t.study_key = c.owner", '"StudyInstanceUID"'),
    Level.SERIES: (
        "series",
        "t.series_key = c.owner AND t.study_key = c.owner_above",
        '"SeriesInstanceUID"',
    ),
}


def references(session: Session, paths: Sequence[str]) -> set[str]:
    """Which of these object paths any instance of any epoch, or a conflict of any epoch, names.

    An object is named after its SOP Instance UID, which leads to its row; those that are not have an index.
    """
    wanted = set(paths)
    keys = sorted({key_of(path.rpartition("/")[2].rsplit(".", 2)[0]) for path in wanted})
    found: set[str] = set()
    for text, column, values in (
        ("SELECT object FROM instance WHERE {among} AND v1 IS NULL", "sop_key", keys),
        ("SELECT object FROM instance WHERE {among} AND v1 IS NOT NULL", "sop_key", keys),
        ("SELECT object FROM instance WHERE {among} AND odd_path = 1", "object", sorted(wanted)),
        ("SELECT object FROM conflict WHERE {among}", "object", sorted(wanted)),
    ):
        found |= {row[0] for row in session.among(text, column, values)} if wanted else set()
    return found & wanted


def shows(session: Session, path: str) -> bool:
    """Whether a visible instance names this object."""
    key = key_of(path.rpartition("/")[2].rsplit(".", 2)[0])
    return any(
        session.rows(f"SELECT 1 FROM instance WHERE {where} AND object = ? AND v1 IS NULL", values)
        for where, values in (("sop_key = ?", (key, path)), ("odd_path = 1", (path,)))
    )


def file_digests(session: Session, path: str) -> set[str]:
    """The file digests that rows of any epoch, or conflicts, know of an object."""
    among, found = "(object = ? AND {})", set()
    key = key_of(path.rpartition("/")[2].rsplit(".", 2)[0])
    for table, where, values in (
        ("instance", "sop_key = ? AND v1 IS NULL", (path, key)),
        ("instance", "sop_key = ? AND v1 IS NOT NULL", (path, key)),
        ("instance", "odd_path = 1", (path,)),
        ("conflict", "1 = 1", (path,)),
    ):
        sql = f"SELECT file_sha256 FROM {table} WHERE {among.format(where)}"
        found |= {str(row[0]) for row in session.rows(sql, values)}
    return found


NAMING = ("instance", "conflict")
"""The tables that name objects."""

_CLASS = {"instance": "COALESCE(t.\"SOPClassUID\", '')", "conflict": "''"}


def stored_objects(session: Session, table: str, after: int, limit: int) -> list[tuple[int, StoredObject]]:
    """Objects that rows of a table name, of any epoch, with the ids of the rows, those above `after`.

    An object that several rows name comes with the one of the lowest id, or with its instance.
    """
    told = ", ".join(f"t.{name}" for name in OBJECT_COLUMNS if name != "data_set_offset")
    same = "o.sop_key = t.sop_key AND o.object = t.object"
    earlier = f"{same} AND o.id < t.id"
    known = (
        [_named(table, earlier)]
        if table == "instance"
        else [_named(table, earlier), _named("instance", same)]
    )
    text = (
        f'SELECT t.id, t."SOPInstanceUID", {_CLASS[table]}, {told} FROM {table} t'
        f" WHERE t.id > ? AND {' AND '.join(known)} ORDER BY t.id LIMIT ?"
    )
    return [(row[0], StoredObject(*row[1:])) for row in session.rows(text, (after, limit))]


def _named(table: str, where: str) -> str:
    """No row of the table, visible or ended, which have an index each."""
    return " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} o WHERE {where} AND o.v1 {state})"
        for state in ("IS NULL", "IS NOT NULL")
    )


def conflicts(session: Session, sop_uid: str | None) -> list[ConflictObject]:
    """Visible conflict objects, of one SOP instance or of all."""
    where, params = "v1 IS NULL ORDER BY seq", []
    if sop_uid is not None:
        where, params = f'sop_key = ? AND "SOPInstanceUID" = ? AND {where}', [key_of(sop_uid), sop_uid]
    return [ConflictObject(*row) for row in session.rows(select_text("conflict", _CONFLICT, where), params)]


def level_conflicts(session: Session, level: Level, keyword: str | None, limit: int) -> list[LevelConflict]:
    """Values that patients, studies or series were told and do not show."""
    table, join, uid = _ROWS_OF[level]
    where, params = "c.level = ? AND c.v1 IS NULL AND t.v1 IS NULL", [level.value]
    if keyword is not None:
        where, params = f"{where} AND c.keyword = ?", [level.value, keyword]
    found = session.rows(
        f"SELECT t.id, COALESCE(t.{uid}, ''), c.keyword, c.value FROM level_conflict c"
        f" JOIN {table} t ON {join} WHERE {where} ORDER BY c.id LIMIT ?",
        [*params, limit],
    )
    return [
        LevelConflict(level.value, one, name, _shown(session, table, row, name), other)
        for row, one, name, other in found
    ]


def _shown(session: Session, table: str, row: int, keyword: str) -> str:
    column = quoted(BY_NAME[keyword].sql)
    value = session.rows(f"SELECT {column} FROM {table} WHERE id = ?", (row,))[0][0]
    return "" if value is None else str(value)


def collisions(session: Session) -> list[Collision]:
    """Patients under whose key instances tell of another birth date, sex or family name.

    They are never merged further; a person has to look (dicom.md, section 4).
    """
    names = ", ".join(f"p.{quoted(name)}" for name in _IDENTIFYING)
    found = session.rows(
        f"SELECT p.identity, COALESCE(p.\"PatientID\", ''), c.keyword, c.value, {names}"
        " FROM level_conflict c JOIN patient p ON p.patient_key = c.owner AND p.v1 IS NULL"
        f" WHERE c.level = 'patient' AND c.v1 IS NULL AND c.keyword IN ({', '.join('?' * len(_IDENTIFYING))})"
        " ORDER BY p.identity, c.id",
        _IDENTIFYING,
    )
    listed = []
    for identity, patient_id, keyword, other, *shown in found:
        value = str(shown[_IDENTIFYING.index(keyword)] or "")
        if keyword != "PatientName" or _family(value) != _family(other):
            listed.append(Collision(identity.partition("\x1f")[0], patient_id, keyword, value, other))
    return listed


def _family(name: str) -> str:
    try:
        return fold(parse_name(name).family)
    except ValueError:
        return fold(name)
