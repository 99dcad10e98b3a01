"""The derived tables: a row a series, right after every flush, deletion and compaction."""

import json
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.exposure import expose
from isocenter.catalog.query import TOMBSTONES, Engine, Scope
from isocenter.catalog.sandbox import Sandbox
from isocenter.catalog.tables import DERIVED, derive, newest

HEADER = {
    "0020000D": "1.1",
    "00080060": "CT",
    "00280010": 512,
    "00280011": 512,
    "00080008": ["ORIGINAL", "PRIMARY"],
    "00200037": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    "00280030": [0.7, 0.7],
}
VRS = {
    "00280010": "US",
    "00280011": "US",
    "00200037": "DS",
    "00280030": "DS",
    "00200032": "DS",
    "00080060": "CS",
}
VRS |= {"00080008": "CS", "00181151": "IS", "00200013": "IS"}


def slices(series: str, numbers: range) -> list[dict[str, Any]]:
    """Headers of a series: one slice each 2 mm, the tube current differing."""
    found = []
    for number in numbers:
        own = {
            "0020000E": f"1.1.{series}",
            "00080018": f"1.1.{series}.{number}",
            "00200013": number,
            "00200032": [0.0, 0.0, number * 2.0],
            "00181151": 100 + number,
        }
        header = HEADER | own
        found.append(
            {
                tag: {"vr": VRS.get(tag, "UI"), "Value": value if isinstance(value, list) else [value]}
                for tag, value in sorted(header.items())
            }
        )
    return found


class Kept:
    """A dataset as the archive keeps one: heads, what is flushed, what is dead."""

    def __init__(self, catalog: Catalog, engine: Engine, made: Any) -> None:
        self.catalog, self.engine, self.made = catalog, engine, made
        self.heads: dict[str, int] = {}
        self.seq = 0
        self.dead: list[tuple[int, str, int]] = []

    def flush(self, headers: list[dict[str, Any]]) -> None:
        batch = self.made(headers, self.seq + 1)
        self.seq += len(headers)
        scope = Scope(self.files("instances"), pa.Table.from_batches([batch]), self.tombstones())
        data = {"instances": [batch]} | {
            name: table.to_batches() for name, table in derive(self.engine, scope, self.seq).items()
        }
        self.heads = self.catalog.append(data, seq=self.seq, heads=self.heads)

    def delete(self, uids: list[str]) -> None:
        rows = self.engine.query(
            Scope(self.files("instances")), columns=["_sop_key", "SOPInstanceUID"]
        ).read_all()
        keys = dict(zip(rows["SOPInstanceUID"].to_pylist(), rows["_sop_key"].to_pylist(), strict=True))
        self.dead += [(keys[uid], uid, self.seq) for uid in uids]

    def files(self, table: str) -> tuple[str, ...]:
        return tuple(self.catalog.files(table, self.heads.get(table)))

    def tombstones(self) -> pa.Table | None:
        if not self.dead:
            return None
        columns = [list(column) for column in zip(*self.dead, strict=True)]
        return pa.table(dict(zip(TOMBSTONES.names, columns, strict=True)), schema=TOMBSTONES)

    def sql(self, text: str, tail: pa.Table | None = None) -> list[dict[str, Any]]:
        scope = Scope(self.files("instances"), tail, self.tombstones())
        derived = {name: self.files(name) for name in DERIVED}
        with Sandbox(memory=2**29, seconds=20, threads=1) as sandbox:
            exposed = expose(self.engine, scope, derived, text)
            rows: list[dict[str, Any]] = sandbox.run(text, exposed).read_all().to_pylist()
            return rows


def test_what_is_constant_in_a_series_and_what_varies(catalog: Catalog, engine: Engine, made: Any) -> None:
    kept = Kept(catalog, engine, made)
    kept.flush(slices("1", range(10)) + slices("2", range(1)))
    first, second = kept.sql("SELECT * FROM series ORDER BY SeriesInstanceUID")
    assert (first["instances"], first["Modality"], first["Rows"]) == (10, "CT", 512)
    assert first["ImageType"] == ["ORIGINAL", "PRIMARY"]
    assert first["XRayTubeCurrent"] is None
    assert sorted(first["varies"]) == [
        "ImagePositionPatient",
        "InstanceNumber",
        "SOPInstanceUID",
        "XRayTubeCurrent",
    ]
    assert (second["XRayTubeCurrent"], second["varies"]) == (100, [])


def test_a_series_that_grows_over_flushes_is_one_row(catalog: Catalog, engine: Engine, made: Any) -> None:
    kept = Kept(catalog, engine, made)
    kept.flush(slices("1", range(5)))
    kept.flush(slices("1", range(5, 9)) + slices("2", range(3)))
    counts = "SELECT SeriesInstanceUID AS uid, instances AS n FROM series ORDER BY 1"
    assert kept.sql(counts) == [{"uid": "1.1.1", "n": 9}, {"uid": "1.1.2", "n": 3}]
    volumes = "SELECT positions, regular, slice_spacing FROM volumes ORDER BY positions"
    assert [tuple(row.values()) for row in kept.sql(volumes)] == [(3, True, 2.0), (9, True, 2.0)]


def test_rows_not_flushed_and_rows_deleted_count_at_once(catalog: Catalog, engine: Engine, made: Any) -> None:
    kept = Kept(catalog, engine, made)
    kept.flush(slices("1", range(6)) + slices("2", range(2)))
    kept.delete(["1.1.1.3", "1.1.2.0", "1.1.2.1"])
    tail = pa.Table.from_batches([made(slices("3", range(4)), 100)])
    counts = "SELECT SeriesInstanceUID AS uid, instances AS n FROM series ORDER BY 1"
    assert kept.sql(counts, tail) == [{"uid": "1.1.1", "n": 5}, {"uid": "1.1.3", "n": 4}]
    assert kept.sql("SELECT gaps FROM volumes WHERE SeriesInstanceUID = '1.1.1'", tail) == [{"gaps": 1}]
    studies = kept.sql("SELECT NumberOfStudyRelatedInstances AS n FROM studies", tail)
    assert studies == [{"n": 9}]


def test_compaction_keeps_only_the_latest_row_of_a_series(
    catalog: Catalog, engine: Engine, made: Any
) -> None:
    kept = Kept(catalog, engine, made)
    for start in range(0, 12, 3):
        kept.flush(slices("1", range(start, start + 3)))
    assert catalog.count("series", kept.heads["series"]) == 4
    done = catalog.compact("series", kept.heads["series"], keep=newest, thorough=True)
    assert done.version is not None
    kept.heads["series"] = done.version
    assert catalog.count("series", done.version) == 1
    assert kept.sql("SELECT instances AS n FROM series") == [{"n": 12}]


def test_newest_keeps_all_volumes_of_the_last_derivation() -> None:
    keys = pa.table({"_study_key": [1, 1, 1, 2], "_series_key": [5, 5, 5, 5], "_seq": [7, 9, 9, 3]})
    assert np.array_equal(newest(keys), [1, 2, 3])


def test_the_frames_of_a_multi_frame_image_are_a_volume(catalog: Catalog, engine: Engine, made: Any) -> None:
    (header,) = slices("1", range(1))
    places = [{"00200032": {"vr": "DS", "Value": [0, 0, z * 3]}} for z in range(4)]
    planes = [{"00209113": {"vr": "SQ", "Value": [place]}} for place in places]
    shared = {
        "00209116": {"vr": "SQ", "Value": [{"00200037": {"vr": "DS", "Value": [1, 0, 0, 0, 1, 0]}}]},
    }
    header["00280008"] = {"vr": "IS", "Value": [4]}
    header["52009229"] = {"vr": "SQ", "Value": [shared]}
    header["52009230"] = {"vr": "SQ", "Value": planes}
    kept = Kept(catalog, engine, made)
    kept.flush([header, *slices("2", range(3))])
    rows = kept.sql("SELECT SeriesInstanceUID AS uid, images, slice_spacing AS d FROM volumes ORDER BY 1")
    assert rows == [{"uid": "1.1.1", "images": 4, "d": 3.0}, {"uid": "1.1.2", "images": 3, "d": 2.0}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM instances",
        "FROM instances",
        "TABLE instances",
        "SELECT i.* FROM instances i",
        "SELECT * FROM (SELECT * FROM instances) JOIN (SELECT 1) ON true",
        "WITH i AS (FROM instances) SELECT * EXCLUDE (Rows) FROM i",
        "SELECT COLUMNS(*) FROM instances",
        "SELECT COLUMNS('^js') FROM instances",
        "SELECT COLUMNS(lambda c: c[1] = 'j') FROM instances",
        "SELECT JSON FROM instances",
        'SELECT i."json" FROM instances AS i',
        "SELECT unnest(instances) FROM instances",
        "SELECT unnest(i) FROM instances i",
        "SELECT * LIKE 'jso%' FROM instances",
    ],
)
def test_the_json_of_rows_not_flushed_is_there_in_whatever_way_it_is_asked(
    engine: Engine, made: Any, sql: str
) -> None:
    scope = Scope((), pa.Table.from_batches([made(slices("1", range(2)), 1)]))
    exposed = expose(engine, scope, {}, sql)
    with duckdb.connect() as connection:
        connection.register("_tail", exposed.tables["_tail"])
        connection.execute(f"CREATE VIEW instances AS {exposed.views['instances']}")
        rows = connection.sql(sql).to_arrow_table().to_pylist()
    assert [json.loads(row["json"])["00080060"]["Value"] for row in rows] == [["CT"], ["CT"]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM instances",
        "SELECT * EXCLUDE (json) FROM instances",
        "SELECT i.Modality FROM instances i",
        "SELECT * FROM series",
        "SELECT count(*) FROM (SELECT Rows FROM instances)",
    ],
)
def test_headers_are_not_sent_to_those_who_do_not_read_them(engine: Engine, made: Any, sql: str) -> None:
    tail = pa.Table.from_batches([made(slices("1", range(2)), 1)])
    exposed = expose(engine, Scope((), tail), {}, sql)
    assert exposed.tables["_tail"]["json"].null_count == 2


def test_an_empty_dataset_answers(catalog: Catalog, engine: Engine, made: Any) -> None:
    kept = Kept(catalog, engine, made)
    empty = made(slices("1", range(1)), 1).slice(0, 0)
    assert kept.sql("SELECT count(*) AS n FROM instances", pa.Table.from_batches([empty])) == [{"n": 0}]
