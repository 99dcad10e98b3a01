"""Counts, histograms, facets and descriptions, over real headers, flushed and not yet flushed alike."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.description import describe
from isocenter.catalog.query import Engine, Scope
from isocenter.catalog.summaries import Rows, facets, group, histogram
from isocenter.dicom.expression import parse
from isocenter.dicom.levels import Level
from isocenter.errors import InvalidQuery, UnknownAttribute


@pytest.fixture(scope="module")
def scope(headers: list[dict[str, Any]], made: Any, tmp_path_factory: pytest.TempPathFactory) -> Scope:
    """Half of the headers flushed, the rest still in the tail."""
    catalog = Catalog(tmp_path_factory.mktemp("catalog"))
    half = len(headers) // 2
    heads = catalog.append({"instances": [made(headers[:half], 1)]}, seq=half, heads={})
    files = tuple(catalog.files("instances", heads["instances"]))
    return Scope(files, pa.Table.from_batches([made(headers[half:], half + 1)]))


def column(engine: Engine, scope: Scope, name: str, level: Level = Level.INSTANCE) -> list[Any]:
    found: list[Any] = engine.query(scope, level, columns=[name]).read_all()[name].to_pylist()
    return found


def counted(answer: pa.RecordBatchReader) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in answer.read_all().to_pylist()]


@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE])
def test_counts_are_those_of_the_rows_and_nulls_are_counted(
    engine: Engine, scope: Scope, level: Level
) -> None:
    for name in ("PatientSex", "StudyDate", "Modality"):
        found = dict(counted(group(engine, Rows(scope, level), [name])))
        assert found == Counter(column(engine, scope, name, level))
    assert None in found or name == "Modality"


def test_values_of_a_list_count_one_by_one_and_once_a_row(engine: Engine, scope: Scope) -> None:
    wanted: Counter[Any] = Counter()
    for values in column(engine, scope, "ImageType"):
        wanted.update({value for value in values or [] if value is not None} or {None})
    assert dict(counted(group(engine, Rows(scope), ["ImageType"]))) == wanted
    modalities = group(engine, Rows(scope, Level.STUDY), ["ModalitiesInStudy"])
    assert modalities.schema.field("ModalitiesInStudy").type == pa.string()


def test_combinations_most_frequent_first_then_by_value(engine: Engine, scope: Scope) -> None:
    found = counted(group(engine, Rows(scope), ["Modality", "ImageType", "Rows"]))
    counts = [row[-1] for row in found]
    assert counts == sorted(counts, reverse=True)
    assert found[:3] == counted(group(engine, Rows(scope), ["Modality", "ImageType", "Rows"], limit=3))
    assert found[3:5] == counted(
        group(engine, Rows(scope), ["Modality", "ImageType", "Rows"], limit=2, offset=3)
    )
    names = [row[0] for row in counted(group(engine, Rows(scope), ["Modality"], order=[("Modality", "asc")]))]
    assert names == [*sorted(filter(None, names)), None]


def test_only_rows_of_the_predicate_count(engine: Engine, scope: Scope) -> None:
    where = parse("Modality=CT and not SliceThickness is null")
    found = counted(group(engine, Rows(scope, predicate=where), ["Modality"]))
    assert found == [("CT", engine.count(scope, predicate=where))]


@pytest.mark.parametrize(
    "name", ["0009,GEMS_IDEN_01,02", "OtherPatientIDsSequence.PatientID", "ReferencedStudySequence", "_size"]
)
def test_any_attribute_can_be_counted(engine: Engine, scope: Scope, name: str) -> None:
    found = counted(group(engine, Rows(scope), [name]))
    assert sum(row[-1] for row in found) >= engine.count(scope)


def test_mistakes_are_told(engine: Engine, scope: Scope) -> None:
    with pytest.raises(UnknownAttribute, match="Modality"):
        group(engine, Rows(scope), ["Modalitty"])
    with pytest.raises(UnknownAttribute, match="did you mean count"):
        group(engine, Rows(scope), ["Modality"], order=[("counts", "desc")])
    with pytest.raises(InvalidQuery, match="private"):
        group(engine, Rows(scope), ["private"])
    with pytest.raises(InvalidQuery, match="group_by"):
        histogram(engine, Rows(scope), "Modality", 10)
    with pytest.raises(InvalidQuery):
        group(engine, Rows(scope), [])


def test_a_histogram_holds_every_value_once(engine: Engine, scope: Scope) -> None:
    values = [value for value in column(engine, scope, "SliceThickness") if value is not None]
    table = histogram(engine, Rows(scope), "SliceThickness", 8)
    wanted, edges = np.histogram(values, 8)
    assert table["count"].to_pylist() == wanted.tolist()
    assert table["low"].to_numpy() == pytest.approx(edges[:-1])
    assert table["high"].to_numpy()[-1] == max(values)


def test_whole_numbers_and_dates_have_whole_intervals(engine: Engine, scope: Scope) -> None:
    rows = histogram(engine, Rows(scope), "Rows", 10)
    assert rows.schema.field("low").type == pa.int64()
    assert sum(rows["count"].to_pylist()) == sum(v is not None for v in column(engine, scope, "Rows"))
    days = histogram(engine, Rows(scope, Level.STUDY), "StudyDate", 12)
    assert days.schema.field("low").type == pa.date32()
    dates = [v for v in column(engine, scope, "StudyDate", Level.STUDY) if v is not None]
    assert days["low"][0].as_py() == min(dates)
    assert sum(days["count"].to_pylist()) == len(dates)
    assert histogram(engine, Rows(scope), "_received", 3).num_rows == 3


def test_nothing_to_count_is_an_empty_histogram(engine: Engine, scope: Scope) -> None:
    nothing = Rows(scope, predicate=parse("PatientID='nobody'"))
    assert histogram(engine, nothing, "SliceThickness", 5).num_rows == 0
    assert counted(group(engine, nothing, ["Modality"])) == []
    assert facets(engine, nothing, [{"column": "Modality"}])[0]["values"] == []
    assert histogram(engine, Rows(Scope()), "SliceThickness", 5).num_rows == 0


def test_facets_tell_what_they_leave_out(engine: Engine, scope: Scope) -> None:
    modality, thickness, ct = facets(
        engine,
        Rows(scope),
        [
            {"column": "Modality", "limit": 2},
            {"column": "SliceThickness", "bins": 5},
            {"column": "Modality", "predicate": parse("Modality=CT")},
        ],
    )
    wanted = Counter(column(engine, scope, "Modality"))
    assert modality["distinct"] == len([name for name in wanted if name])
    assert [one["value"] for one in modality["values"]] == [name for name, _ in wanted.most_common(2)]
    assert modality["missing"] == wanted.pop(None)
    assert modality["other"] == sum(wanted.values()) - sum(n for _, n in wanted.most_common(2))
    missing = column(engine, scope, "SliceThickness").count(None)
    assert (thickness["missing"], thickness["type"], len(thickness["bins"])) == (missing, "double", 5)
    assert ct["values"] == [{"value": "CT", "count": wanted["CT"]}]


def test_a_description_fits_the_type_of_each_column(engine: Engine, scope: Scope) -> None:
    names = ["SliceThickness", "StudyDate", "StudyTime", "Modality", "ImageType", "SOPInstanceUID"]
    found = {row["column"]: row for row in describe(engine, Rows(scope), names).to_pylist()}
    thick = [v for v in column(engine, scope, "SliceThickness") if v is not None]
    told = found["SliceThickness"]
    assert (told["count"], told["distinct"], told["first"]) == (len(thick), len(set(thick)), None)
    assert told["missing"] == engine.count(scope) - len(thick)
    assert [told[name] for name in ("mean", "std", "min", "median", "max")] == pytest.approx(
        [np.mean(thick), np.std(thick, ddof=1), min(thick), np.median(thick), max(thick)]
    )
    dates = [v for v in column(engine, scope, "StudyDate") if v is not None]
    assert (found["StudyDate"]["first"], found["StudyDate"]["last"]) == (str(min(dates)), str(max(dates)))
    assert found["StudyTime"]["last"].count(":") == 2
    assert found["StudyTime"]["mean"] is None
    assert found["Modality"]["common"] == Counter(column(engine, scope, "Modality")).most_common(1)[0][0]
    types = column(engine, scope, "ImageType")
    assert found["ImageType"]["count"] == sum(bool(v) for v in types)
    assert found["ImageType"]["distinct"] == len({one for v in types for one in v or [] if one is not None})
    assert found["SOPInstanceUID"]["common"] is None


@pytest.mark.parametrize("level", list(Level))
def test_every_level_is_described_by_what_the_index_holds(engine: Engine, scope: Scope, level: Level) -> None:
    where = parse("KVP>0")
    found = describe(engine, Rows(scope, level, where))
    assert level.unique_key in found["column"].to_pylist()
    assert "KVP" in found["column"].to_pylist()
    assert set(found["type"].to_pylist()) > {"string"}
    assert describe(engine, Rows(Scope(), level)).num_rows > 0
