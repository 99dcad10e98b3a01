"""Finding members: the instances that a question selects, and those of a member list that are lost.

Not here: what a member is (`members`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from isocenter.catalog.conditions import Conditions
from isocenter.catalog.levels import Page, rows_sql
from isocenter.catalog.members import PATH, path_of
from isocenter.catalog.query import MEMBER, Engine, Scope
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, Predicate

EVERYTHING, ALL = Everything(), Page()
MISSING, CHANGED = "missing", "changed"

_KEPT = (
    "coalesce(StudyInstanceUID, '') AS StudyInstanceUID,"
    " coalesce(SeriesInstanceUID, '') AS SeriesInstanceUID,"
    " SOPInstanceUID, unhex(left(_sha256, 16)) AS identity"
)


@dataclass(frozen=True)
class Selection:
    """Which rows of a level are wanted.

    Attributes:
        level: study, series or instance; with a row its instances are selected, all of them.
        predicate: that its rows satisfy.
        page: order and limits of the rows.
        uids: the unique keys that its rows have; None: any.
    """

    level: Level
    predicate: Predicate = EVERYTHING
    page: Page = ALL
    uids: tuple[str, ...] | None = None


def select(engine: Engine, scope: Scope, wanted: Selection) -> pa.RecordBatchReader:
    """The instances of the wanted rows: `PATH`, `identity` and `_size`, sorted by SOPInstanceUID."""

    def sql(conditions: Conditions) -> str:
        where = [_chosen(wanted, conditions)]
        if wanted.uids is not None:
            where.append(f"{wanted.level.unique_key} IN (SELECT uid FROM _wanted)")
        return f"SELECT {_KEPT}, _size FROM live WHERE {' AND '.join(where)} ORDER BY SOPInstanceUID"

    tables = {} if wanted.uids is None else {"_wanted": pa.table({"uid": pa.array(wanted.uids, pa.string())})}
    return engine.ask(scope, sql, tables)


def _chosen(wanted: Selection, conditions: Conditions) -> str:
    if wanted.level is Level.INSTANCE and wanted.page.whole:
        return conditions.sql(wanted.predicate)
    names = path_of(wanted.level)
    rows = rows_sql(wanted.level, conditions, wanted.predicate, names, wanted.page)
    return f"({', '.join(names)}) IN ({rows})"


def lost(engine: Engine, scope: Scope, members: pa.Table) -> pa.RecordBatchReader:
    """The members that are not there (`missing`) or have other bytes now (`changed`): `what` and `PATH`."""
    sql = (
        f"SELECT CASE WHEN i._seq IS NULL THEN '{MISSING}' ELSE '{CHANGED}' END AS what,"
        f" {', '.join(f'm.{name}' for name in PATH)}"
        f" FROM {MEMBER} m LEFT JOIN live i"
        " ON i._sop_key = m._sop_key AND i.SOPInstanceUID = m.SOPInstanceUID"
        " WHERE i._seq IS NULL OR unhex(left(i._sha256, 16)) != m.identity"
        f" ORDER BY {', '.join(f'm.{name}' for name in PATH)}"
    )
    return engine.ask(scope, lambda _: sql, {MEMBER: members})


def limited(scope: Scope, members: pa.Table) -> Scope:
    """The scope with those of its rows that are members."""
    return replace(scope, members=members)
