"""The tables derived from `instances`: `series`, a row a series with what is constant in it, and `volumes`.

Rows are derived again whenever their series changes; a later row (by `_seq`) replaces the earlier ones of
its series, and one with no instances says that the series is gone.  The same function serves the flush,
which stores the rows, and a query, which derives those that the tail and the tombstones touch.

Not here: geometry (`volumes`), when to derive (the archive).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isocenter.catalog import volumes
from isocenter.catalog.columns import JSON, OWN, PRIVATE
from isocenter.catalog.compaction import Rows
from isocenter.catalog.levels import identifier, literal
from isocenter.catalog.query import Engine, Scope

SERIES, VOLUMES = "series", "volumes"
DERIVED = (SERIES, VOLUMES)
NOW = 2**62
"""The `_seq` of rows derived for one query: above all stored ones."""

_KEYS = ("_study_key", "_series_key", "StudyInstanceUID", "SeriesInstanceUID")
_HIDDEN = frozenset((*OWN.names, PRIVATE.name, JSON.name, *_KEYS))
_PLANE = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "Rows",
    "Columns",
    "FrameOfReferenceUID",
)


def derive(engine: Engine, scope: Scope, seq: int = NOW) -> dict[str, pa.Table]:
    """The derived rows of every series that the tail or the tombstones of a scope touch.

    Args:
        engine: to ask with.
        scope: the files of the head, the rows to be flushed as tail, the tombstones.
        seq: the sequence that the rows carry.
    """
    made: dict[str, list[pa.Table]] = {SERIES: [], VOLUMES: []}
    for part, touched in _parts(engine, scope, touched_series(engine, scope)):
        made[SERIES].append(_series(engine, part, touched, seq))
        made[VOLUMES].append(_volumes(engine, part, touched, seq))
    return {
        name: pa.concat_tables(tables, promote_options="default") for name, tables in made.items() if tables
    }


def _parts(engine: Engine, scope: Scope, touched: pa.Table) -> Iterator[tuple[Scope, pa.Table]]:
    """The touched series that are in the tail alone, most of them, and those that files hold rows of.

    Reading all columns of all files for a few series is what this saves.
    """
    if not touched.num_rows:
        return
    stored = touched.slice(0, 0)
    if scope.files:
        sql = f"SELECT DISTINCT {', '.join(_KEYS[:2])} FROM live WHERE {_TOUCHED}"
        keys = engine.run(Scope(scope.files), sql, {"_touched": touched}).read_all()
        stored = touched.join(keys, keys=list(_KEYS[:2]), join_type="left semi")
    fresh = touched.join(stored.select(_KEYS), keys=list(_KEYS), join_type="left anti")
    if fresh.num_rows:
        yield Scope((), scope.tail, scope.tombstones), fresh
    if stored.num_rows:
        yield scope, stored


def touched_series(engine: Engine, scope: Scope) -> pa.Table:
    """Keys and UIDs of the series with rows in the tail, or with dead rows."""
    keys = ", ".join(_KEYS)
    parts = [engine.run(Scope((), scope.tail), f"SELECT DISTINCT {keys} FROM live", {}).read_all()]
    dead = engine.dead(scope)
    if dead is not None and dead.num_rows:
        rows = f"SELECT DISTINCT {keys} FROM live WHERE _seq IN (SELECT seq FROM _touching)"
        parts.append(engine.run(Scope(scope.files, scope.tail), rows, {"_touching": dead}).read_all())
    return pa.concat_tables(parts).group_by(list(_KEYS)).aggregate([])


_TOUCHED = "(_study_key, _series_key) IN (SELECT _study_key, _series_key FROM _touched)"
_FEW = 64


def _among(touched: pa.Table) -> str:
    """The condition on rows of touched series; few studies are named, so that row groups are passed over."""
    studies = touched["_study_key"].unique().to_pylist()
    if len(studies) > _FEW:
        return _TOUCHED
    return f"_study_key IN ({', '.join(map(str, studies))}) AND {_TOUCHED}"


def _series(engine: Engine, scope: Scope, touched: pa.Table, seq: int) -> pa.Table:
    names = [name for name in engine.columns(scope) if name not in _HIDDEN]
    values = ", ".join(f"{_if_constant(name)} AS {identifier(name)}" for name in names)
    varies = ", ".join(_name_if_varying(name) for name in names)
    keys = ", ".join(_KEYS)
    sql = (
        f"SELECT {keys}, CAST({int(seq)} AS BIGINT) AS _seq, count(*) AS instances, "
        "CAST(sum(_size) AS BIGINT) AS size, "
        f"list_filter([{varies}], lambda x: x IS NOT NULL) AS varies, {values} "
        f"FROM live WHERE {_among(touched)} GROUP BY {keys}"
    )
    found = engine.run(scope, sql, {"_touched": touched}).read_all()
    return _with_gone(found, touched, seq)


def _if_constant(name: str) -> str:
    return f"CASE WHEN {_constant(identifier(name))} THEN min({identifier(name)}) END"


def _name_if_varying(name: str) -> str:
    column = identifier(name)
    return f"CASE WHEN count({column}) > 0 AND NOT ({_constant(column)}) THEN {literal(name)} END"


def _constant(name: str) -> str:
    return f"count({name}) = count(*) AND min({name}) = max({name})"


def _with_gone(found: pa.Table, touched: pa.Table, seq: int) -> pa.Table:
    """A row without instances for each series that has none left."""
    alive = set(zip(*(found[name].to_pylist() for name in _KEYS), strict=True))
    every = zip(*(touched[name].to_pylist() for name in _KEYS), strict=True)
    gone = [
        dict(zip(_KEYS, keys, strict=True)) | {"_seq": seq, "instances": 0}
        for keys in every
        if keys not in alive
    ]
    if not gone:
        return found
    columns = [found.schema.field(name) for name in (*_KEYS, "_seq", "instances")]
    return pa.concat_tables(
        [found, pa.Table.from_pylist(gone, pa.schema(columns))], promote_options="default"
    )


def _volumes(engine: Engine, scope: Scope, touched: pa.Table, seq: int) -> pa.Table:
    present = engine.columns(scope)
    names = [name for name in _PLANE if name in present]
    groups = _functional_groups(engine, scope, touched, present)
    listed = ", ".join(identifier(name) for name in (*_KEYS, *names))
    order = ", ".join((*_KEYS, *(["InstanceNumber"] if "InstanceNumber" in present else []), "_seq"))
    sql = f"SELECT {listed}, {groups} FROM live WHERE {_among(touched)} ORDER BY {order}"
    rows = engine.run(scope, sql, {"_touched": touched}).read_all().to_pylist()
    made: list[dict[str, Any]] = []
    for keys, instances in groupby(rows, key=lambda row: tuple(row[name] for name in _KEYS)):
        made += _of_series(dict(zip(_KEYS, keys, strict=True)), list(instances), seq)
    return _with_gone(pa.Table.from_pylist(made, volumes.SCHEMA), touched, seq)


def _functional_groups(engine: Engine, scope: Scope, touched: pa.Table, present: Collection[str]) -> str:
    """The functional groups of multi-frame images; headers are large, and read only where there are any."""
    found = 0
    if "NumberOfFrames" in present:
        sql = f"SELECT count(*) AS found FROM live WHERE NumberOfFrames > 1 AND {_among(touched)}"
        found = engine.run(scope, sql, {"_touched": touched}).read_all()["found"][0].as_py()
    value = "CASE WHEN NumberOfFrames > 1 THEN json_extract_string(json, '$.\"{}\"') END" if found else "NULL"
    groups = (("shared", "52009229"), ("per_frame", "52009230"))
    return ", ".join(f"{value.format(tag)} AS {name}" for name, tag in groups)


def _of_series(
    keys: Mapping[str, Any], instances: Sequence[Mapping[str, Any]], seq: int
) -> list[dict[str, Any]]:
    own = {**keys, "_seq": seq, "instances": len(instances)}
    return [own | volume for volume in volumes.volumes_of(instances)]


def newest(keys: pa.Table) -> Rows:
    """Which rows of a derived table count: of each series those derived last (for `Catalog.compact`)."""
    last = keys.group_by(["_study_key", "_series_key"]).aggregate([("_seq", "max")])
    numbered = keys.select(["_study_key", "_series_key", "_seq"]).append_column(
        "number", pa.array(np.arange(keys.num_rows))
    )
    joined = numbered.join(last, keys=["_study_key", "_series_key"])
    kept = joined.filter(pc.equal(joined["_seq"], joined["_seq_max"]))
    return np.sort(kept["number"].to_numpy())


def newest_sql(rows: str) -> str:
    """SELECT of the rows of a derived table that count, given a SELECT of all of them."""
    return (
        f"SELECT * FROM ({rows}) QUALIFY _seq = max(_seq) OVER (PARTITION BY _study_key, _series_key) "
        "AND instances > 0"
    )
