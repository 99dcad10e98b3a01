"""Frames of the client against a whole server: summaries, indexing, Arrow, changes, and what they show."""

import datetime
import shutil

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydicom
import pytest
from pydicom.data import get_testdata_file

import isocenter
from isocenter import col
from isocenter.cli import throwaway
from isocenter.errors import InvalidQuery, NotFound, UnknownAttribute

FILES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "ExplVR_BigEnd.dcm", "image_dfl.dcm")


def original(name="CT_small.dcm"):
    return pydicom.dcmread(get_testdata_file(name))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive that holds FILES."""
    folder = tmp_path_factory.mktemp("files")
    for name in FILES:
        shutil.copy(get_testdata_file(name), folder)
    with throwaway.server(workers=1) as running, isocenter.connect(running.url, running.token) as archive:
        assert len(archive.store(folder, progress=False).stored) == len(FILES)
        yield archive


class TestSummaries:
    """Counts, histograms and descriptions, which the server makes."""

    def test_counts_by_value(self, archive):
        counts = archive.series.group_by("Modality")
        table = counts.to_pandas()
        assert table["count"].sum() == archive.series.count()
        assert list(table["count"]) == sorted(table["count"], reverse=True)
        first = counts.sort("Modality").head(1)
        assert list(first) == [{"Modality": min(table.Modality), "count": 1}]
        assert counts["Modality"] == list(table.Modality)
        assert counts.sort("count", descending=True).to_arrow()["count"][0].as_py() == table["count"].max()

    def test_counts_of_several_columns_and_of_conditions(self, archive):
        counts = archive.instances.where(Modality="CT").group_by(col.Modality, ["Rows", "ImageType"])
        assert counts.to_polars().columns == ["Modality", "Rows", "ImageType", "count"]
        assert {row["ImageType"] for row in counts} == set(original().ImageType)

    def test_a_histogram(self, archive):
        table = archive.instances.histogram("SliceThickness", bins=4).to_pandas()
        values = [v for v in archive.instances["SliceThickness"] if v is not None]
        wanted, edges = np.histogram(values, 4)
        assert list(table["count"]) == list(wanted)
        assert list(table.low) == pytest.approx(list(edges[:-1]))
        times = archive.studies.histogram("StudyTime", bins=3)
        assert pd.api.types.is_timedelta64_dtype(times.to_pandas().low)
        assert ":" in str(times)
        dates = archive.studies.histogram(col.StudyDate, bins=3)
        assert dates.to_pandas().low[0].to_pydatetime().date() == min(
            filter(None, archive.studies["StudyDate"])
        )

    def test_a_description(self, archive):
        told = archive.instances.describe().to_pandas()
        assert told.loc["Modality", "distinct"] == len(set(archive.instances["Modality"]))
        assert told.loc["Rows", "max"] == max(v for v in archive.instances["Rows"] if v is not None)
        asked = archive.instances.where(col.SliceThickness > 0).describe(col.KVP, "SliceThickness")
        assert asked["column"] == ["KVP", "SliceThickness"]
        assert archive.instances.select("Rows").describe()["column"] == ["Rows"]

    def test_a_cut_frame_has_no_summary(self, archive):
        cut = archive.series.head(2)
        for ask in (lambda: cut.group_by("Modality"), cut.describe, lambda: cut.histogram("Rows")):
            with pytest.raises(InvalidQuery, match="before head"):
                ask()

    def test_misspelt_columns_are_told(self, archive):
        with pytest.raises(UnknownAttribute, match="Modality"):
            archive.series.group_by("Modalitty")
        with pytest.raises(UnknownAttribute, match="did you mean count"):
            archive.series.group_by("Modality").sort("counts")
        with pytest.raises(InvalidQuery, match="group_by"):
            archive.series.histogram("Modality").to_arrow()
        with pytest.raises(InvalidQuery):
            archive.series.group_by()
        with pytest.raises(UnknownAttribute, match="did you mean Modality"):
            archive.series.group_by("Modality")["modality"]


class TestIndexing:
    """`ct[0]`, `ct[2:5]`, `ct["PatientID"]`."""

    def test_a_number_is_a_resource(self, archive):
        uids = archive.instances.sort("SOPInstanceUID").uids()
        frame = archive.instances.sort("SOPInstanceUID")
        assert frame[0].uid == uids[0]
        assert frame[-1].uid == uids[-1]
        assert frame[np.int64(2)].uid == uids[2]
        assert [one.uid for one in frame] == uids
        assert archive.series.where(Modality="CT").select("PatientID")[0].Modality == "CT"
        with pytest.raises(IndexError):
            frame[len(FILES)]
        with pytest.raises(IndexError):
            frame[-len(FILES) - 1]

    def test_a_slice_is_a_frame(self, archive):
        frame = archive.instances.sort("SOPInstanceUID")
        uids = frame.uids()
        for part in (slice(1, 3), slice(None, 2), slice(3, None), slice(-2, None), slice(1, -1), slice(4, 2)):
            assert frame[part].uids() == uids[part]
        assert frame[1:5][1:3].uids() == uids[2:4]
        with pytest.raises(InvalidQuery, match="step"):
            frame[::2]

    def test_a_name_is_the_values_of_a_column(self, archive):
        ct = archive.instances.where(Modality="CT")
        source = original()
        assert ct["SliceThickness"] == [float(source.SliceThickness)]
        day = datetime.datetime.strptime(source.StudyDate, "%Y%m%d").date()
        assert ct[col.StudyDate] == [day]
        assert isinstance(ct["StudyTime"][0], datetime.time)
        assert ct["ImageType"] == [list(source.ImageType)]
        assert ct["PatientName"] == [str(source.PatientName)]
        assert "CompressedSamples" not in repr(ct["PatientName"])
        with pytest.raises(UnknownAttribute, match="SliceThickness"):
            ct["SliceThicknes"]

    def test_a_list_selects_and_a_condition_narrows(self, archive):
        assert archive.series[["PatientID", "Modality"]].selected == ("PatientID", "Modality")
        assert archive.series[col.Modality == "CT"].count() == 1
        with pytest.raises(InvalidQuery):
            archive.series[1.5]

    def test_a_uid_is_a_resource(self, archive):
        uid = original().StudyInstanceUID
        assert archive.studies[str(uid)].uid == uid
        assert str(uid) in archive.studies
        assert archive.studies[str(uid)] in archive.studies
        assert "1.2.3.4" not in archive.studies
        with pytest.raises(NotFound):
            archive.studies["1.2.3.4"]

    def test_patients(self, archive):
        patient = archive.patients[original().PatientID]
        assert patient.uid == original().PatientID
        assert len(archive.patients["PatientSex"]) == archive.patients.count()
        assert {one.uid for one in archive.patients} == {one or "" for one in archive.patients["PatientID"]}
        assert archive.patients[0].studies.count() >= 1
        assert archive.patients.group_by("PatientSex").to_pandas()["count"].sum() == archive.patients.count()


class TestArrow:
    """Frames go into other libraries as they are."""

    def test_libraries_take_a_frame(self, archive):
        frame = archive.instances.select("Modality", "Rows", "StudyDate", "ImageType")
        assert pa.table(frame).num_rows == len(FILES)
        assert pl.DataFrame(frame).height == len(FILES)
        assert len(pd.DataFrame.from_arrow(frame)) == len(FILES)
        counts = archive.instances.group_by("Modality")
        assert pa.table(counts).num_rows == counts.to_arrow().num_rows
        connection = duckdb.connect()
        assert connection.execute("SELECT sum(count) FROM counts").fetchone() == (len(FILES),)
        assert connection.execute("SELECT count(*) FROM frame").fetchone() == (len(FILES),)

    def test_types_are_those_of_the_library(self, archive):
        frame = archive.instances.where(Modality="CT").select(
            "StudyDate", "StudyTime", "PixelSpacing", "Rows", "AcquisitionDateTime"
        )
        pandas, polars = frame.to_pandas(), frame.to_polars()
        assert pd.api.types.is_datetime64_any_dtype(pandas.StudyDate)
        assert pd.api.types.is_timedelta64_dtype(pandas.StudyTime)
        assert list(pandas.PixelSpacing[0]) == [float(value) for value in original().PixelSpacing]
        assert polars.schema["StudyTime"] == pl.Time
        assert polars.schema["PixelSpacing"] == pl.List(pl.Float64)

    def test_an_empty_answer_has_the_same_types(self, archive):
        columns = ("StudyDate", "StudyTime", "PixelSpacing", "Rows", "CalibrationTime", "PatientName")
        full, empty = archive.instances.select(*columns), archive.instances.where(PatientID="no one")
        empty = empty.select(*columns)
        assert empty.to_arrow().schema == full.to_arrow().schema
        assert dict(empty.to_polars().schema) == dict(full.to_polars().schema)
        assert list(empty.to_pandas().dtypes[:2]) == list(full.to_pandas().dtypes[:2])
        assert empty["Rows"] == []
        assert list(empty) == []
        assert empty.group_by("Modality").to_pandas().empty
        assert empty.histogram("Rows").to_pandas().empty

    def test_sums_of_sql_are_numbers(self, archive):
        table = archive.sql("SELECT sum(Rows) AS s, avg(Rows) AS a, 1.5::DECIMAL(4,1) AS d FROM instances")
        frame = table.to_pandas()
        assert frame.s[0] == sum(value for value in archive.instances["Rows"] if value is not None)
        assert frame.d[0] == 1.5
        assert table["s"] == [frame.s[0]]
        assert table["d"] == [1.5]


class TestSql:
    """Names that SQL does not know."""

    def test_an_unknown_table_or_column_names_the_nearest(self, archive):
        with pytest.raises(InvalidQuery, match="did you mean instances"):
            archive.sql("SELECT * FROM instance").to_arrow()
        with pytest.raises(InvalidQuery, match="did you mean SliceThickness"):
            archive.sql("SELECT SliceThicknes FROM instances").to_arrow()
        with pytest.raises(InvalidQuery, match="no instance here has"):
            archive.sql("SELECT DoseCalibrationFactor FROM instances").to_arrow()


def test_changes_are_followed_from_where_one_left_off(archive):
    changes = archive.changes()
    first = list(changes)
    assert [one.kind for one in first].count("NewInstance") == len(FILES)
    assert changes.last == first[-1].sequence
    assert list(archive.changes(since=changes.last)) == []
    assert [one.sequence for one in archive.changes(since=first[2])] == [one.sequence for one in first[3:]]
    new = next(one for one in first if one.kind == "NewSeries")
    assert changes.resource(new).uid == new.series_uid

    followed = archive.changes(since="now", follow=True)
    source = original()
    source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    archive.store(source, progress=False)
    change = next(followed)
    assert (change.kind, change.uid) == ("NewInstance", source.SOPInstanceUID)
    assert followed.resource(change).Modality == "CT"


def test_statistics(archive):
    told = archive.statistics()
    assert told["instances"] == archive.instances.count()
    assert told["patients"] == archive.patients.count()
    assert told["size"] == sum(archive.instances["_size"])


def test_displays_tell_counts_and_sizes_and_no_identifier(archive):
    assert "instance" in str(archive.series)
    assert "kB" in archive.series._repr_html_()
    for shown in (
        archive.patients,
        archive.studies.group_by("PatientName"),
        archive.studies.describe("PatientName", "PatientID", "StudyDate"),
        archive.studies.histogram("PatientBirthDate"),
        archive.studies["PatientName"],
        archive.patients[0],
    ):
        bundle = (
            shown._repr_mimebundle_()
            if hasattr(shown, "_repr_mimebundle_")
            else {"html": shown._repr_html_()}
        )
        assert "CompressedSamples" not in "".join(bundle.values()), shown
    with isocenter.options(show_identifiers=True):
        assert "CompressedSamples" in archive.studies.group_by("PatientName")._repr_html_()
