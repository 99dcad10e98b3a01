"""Lazy frames: nothing is fetched before it is asked for, and then in the form asked for."""

import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import isocenter
from isocenter import col
from isocenter.errors import BadRequest, InvalidQuery, NotFound, UnknownAttribute


def test_building_a_question_asks_nothing(archive, server):
    frame = (
        archive.series.where(Modality="CT")
        .where(col.SliceThickness < 2)
        .select("PatientID")
        .sort("StudyDate")
    )
    assert "Modality = CT and SliceThickness < 2" in repr(frame.head(3))
    assert server.requests == []


def test_frames_are_immutable(archive):
    one = archive.series
    assert one.where(Modality="CT") is not one
    assert one.count() == 25
    assert one.where(Modality="CT").count() == 12


def test_the_question_on_the_wire_is_the_contract(archive, server):
    frame = archive.series.where(Modality="CT").select(col.PatientID, "SliceThickness")
    frame.sort(col.StudyDate.desc(), "SeriesNumber").skip(1).head(2).to_arrow()
    method, path, headers, body = server.requests[-1]
    assert (method, path) == ("POST", "/api/tables/query")
    assert headers["Accept"] == "application/vnd.apache.arrow.stream"
    assert json.loads(body) == {
        "dataset": "main",
        "level": "series",
        "where": {"op": "equal", "path": ["Modality"], "value": "CT"},
        "columns": ["PatientID", "SliceThickness"],
        "order": [["StudyDate", "desc"], ["SeriesNumber", "asc"]],
        "limit": 2,
        "offset": 1,
    }


def test_everything_is_asked_without_condition(archive, server):
    archive.dataset("ct-lab").instances.to_arrow()
    asked = json.loads(server.requests[-1][3])
    assert (asked["dataset"], asked["level"], asked["where"], asked["columns"]) == (
        "ct-lab",
        "instance",
        None,
        None,
    )


def test_to_arrow(archive):
    table = archive.series.select("PatientID", "SliceThickness", "StudyDate").to_arrow()
    assert isinstance(table, pa.Table)
    assert table.num_rows == 25
    assert table.schema.field("StudyDate").type == pa.date32()


def test_to_batches_streams(archive):
    with archive.series.to_batches() as reader:
        assert [batch.num_rows for batch in reader] == [10, 10, 5]


def test_to_pandas_has_useful_types(archive):
    frame = archive.series.select("StudyDate", "StudyTime", "SeriesNumber", "SliceThickness").to_pandas()
    assert pd.api.types.is_datetime64_any_dtype(frame.StudyDate)
    assert frame.StudyTime[0] == pd.Timedelta(hours=10, minutes=30, seconds=15)
    assert frame.SeriesNumber.dtype == "Int32"
    assert frame.SeriesNumber.isna().sum() == 1
    assert frame.SliceThickness.mean() == pytest.approx(1.2)


def test_to_polars(archive):
    frame = archive.series.select("StudyTime", "PatientID").to_polars()
    assert frame.schema["StudyTime"] == pl.Time
    assert frame.height == 25


def test_the_arrow_interface_feeds_other_libraries(archive):
    frame = archive.series.select("PatientID", "SliceThickness")
    assert pl.DataFrame(frame).height == 25
    assert pa.table(frame).num_rows == 25


def test_rows_need_no_library(archive):
    rows = list(archive.series.where(Modality="CT").select("PatientID", "Modality").head(2).rows())
    assert rows == [{"PatientID": "P1", "Modality": "CT"}, {"PatientID": "P0", "Modality": "CT"}]


def test_to_csv(archive, tmp_path):
    frame = archive.series.select("PatientID", "Modality").head(1)
    assert frame.to_csv() == "PatientID,Modality\nP0,MR\n"
    assert frame.to_csv(str(tmp_path / "out.csv")) is None
    assert (tmp_path / "out.csv").read_text() == "PatientID,Modality\nP0,MR\n"


def test_uids(archive):
    assert archive.series.where("SeriesNumber <= 1").uids() == ["1.2.0.0", "1.2.1.1"]


def test_head_skip_and_count_agree(archive):
    frame = archive.series
    assert len(frame.head(3)) == 3
    assert frame.skip(20).count() == 5
    assert frame.head(10).skip(8).count() == 2 == len(list(frame.head(10).skip(8)))
    assert frame.head(10).head(20).count() == 10


def test_a_cut_frame_cannot_be_narrowed(archive):
    with pytest.raises(InvalidQuery, match="cut"):
        archive.series.head(3).where(Modality="CT")


def test_a_frame_is_not_true_or_false(archive):
    with pytest.raises(TypeError, match="count"):
        bool(archive.series)


@pytest.mark.parametrize(
    "use",
    [
        lambda f: f.where(SliceThicknes=1),
        lambda f: f.where("SliceThicknes < 1"),
        lambda f: f.select("SliceThicknes"),
        lambda f: f.sort("SliceThicknes"),
    ],
)
def test_a_misspelt_column_is_told_before_anything_is_asked(archive, server, use):
    with pytest.raises(UnknownAttribute, match="SliceThickness"):
        use(archive.series)
    assert server.requests == []


@pytest.mark.parametrize(
    "use",
    [
        lambda f: f.select(),
        lambda f: f.select(5),
        lambda f: f.sort(("StudyDate", "up")),
        lambda f: f.head(-1),
    ],
)
def test_other_mistakes(archive, use):
    with pytest.raises(InvalidQuery):
        use(archive.series)


def test_sql(archive, server):
    answer = archive.sql("SELECT n FROM instances")
    assert server.requests == []
    assert answer.to_pandas().n.sum() == 4950
    assert json.loads(server.requests[-1][3]) == {"dataset": "main", "sql": "SELECT n FROM instances"}
    assert "SELECT n" in repr(answer)


def test_an_error_in_sql_says_what_the_server_said(archive):
    with pytest.raises(BadRequest, match=r"near boom \(look closer\)"):
        archive.sql("SELECT boom").to_pandas()
    with pytest.raises(InvalidQuery):
        archive.sql(" ")


def test_columns(archive):
    columns = archive.columns("series")
    assert "SliceThickness" in columns.names
    assert columns.find("SLICE").names == ["SliceThickness"]
    assert "SliceThickness" in archive.series.columns
    assert "SliceThickness" in columns._repr_html_()
    with pytest.raises(InvalidQuery, match="level"):
        archive.columns("slice")


def test_a_route_that_is_not_there(archive, server):
    del server.routes["/api/tables/count"]
    with pytest.raises(NotFound):
        archive.series.count()


class TestDisplay:
    """What a notebook shows, and what it does not."""

    def test_counts_first_rows_and_the_columns_asked_about(self, archive):
        html = archive.series.where(col.SliceThickness < 2).sort("SeriesNumber")._repr_html_()
        assert "<caption>20 series<span> · 200 instances · 1.5 MB</span></caption>" in html
        assert "the first 10 of 20" in html
        assert '<th scope="col" class="number">SliceThickness</th>' in html
        assert html.count("<tr>") == 11

    def test_identifiers_are_masked_unless_asked_for(self, archive, monkeypatch):
        frame = archive.studies.select("PatientID", "PatientName", "StudyDate")
        html = frame._repr_html_()
        assert "Doe" not in html
        assert "•••" in html
        assert "2020-01-01" in html
        monkeypatch.setattr(isocenter.options, "show_identifiers", True)
        assert "Doe^Patient1" in frame._repr_html_()

    def test_a_renamed_identifier_of_sql_is_masked(self, archive):
        html = archive.sql("SELECT PatientName AS who, n FROM instances")._repr_html_()
        assert "Doe" not in html
        assert "first 10 rows" in html

    def test_values_cannot_become_html(self, archive):
        html = archive.series.select("SeriesDescription").where(SeriesNumber=1)._repr_html_()
        assert "&lt;b&gt;bold" in html
        assert "<script" not in html

    def test_times_are_readable_and_colours_are_those_of_the_theme(self, archive):
        html = archive.series.select("StudyTime")._repr_html_()
        assert "10:30:15" in html
        assert "--jp-" in html

    def test_an_error_is_shown_and_no_traceback(self, archive, server):
        del server.routes["/api/tables/query"]
        assert "404" in archive.series._repr_html_()

    def test_an_archive_shows_what_it_holds(self, archive):
        html = archive._repr_html_()
        assert "Isocenter 0.1.0" in html
        assert "25" in html
        assert archive.url in repr(archive)

    def test_a_misspelt_option_is_an_error(self):
        with pytest.raises(AttributeError, match="show_identifiers"):
            isocenter.options.show_identifier = True
