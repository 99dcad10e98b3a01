"""The Python client against a whole server in its own processes: store, find, count, SQL, display."""

import io
import shutil

import polars as pl
import pydicom
import pytest
from pydicom.data import get_testdata_file

import isocenter
from isocenter import col
from isocenter.cli import throwaway
from isocenter.errors import BadRequest, IsocenterError, UnknownAttribute

FILES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "ExplVR_BigEnd.dcm", "image_dfl.dcm")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive that holds FILES, stored through the client."""
    folder = tmp_path_factory.mktemp("files")
    for name in FILES:
        shutil.copy(get_testdata_file(name), folder)
    (folder / "notes.txt").write_text("no image")
    with throwaway.server(workers=1) as running, isocenter.connect(running.url, running.token) as archive:
        report = archive.store(folder, progress=False)
        assert [result.reason for result in report.failed] == []
        assert len(report.stored) == len(FILES)
        assert [result.reason for result in report.skipped] == ["not DICOM"]
        yield archive


def test_every_instance_is_there_as_soon_as_store_returns(archive):
    assert archive.instances.count() == len(FILES)
    assert archive.series.where(Modality="CT").count() == 1


def test_the_same_files_again_change_nothing(archive):
    report = archive.store(get_testdata_file("CT_small.dcm"), progress=False)
    assert len(report.stored) == 1
    assert archive.instances.count() == len(FILES)


def test_values_are_those_of_the_files(archive):
    original = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    frame = archive.instances.where(SOPInstanceUID=original.SOPInstanceUID)
    row = (
        frame.select("PatientName", "StudyDate", "StudyTime", "SliceThickness", "ImageType", "Rows")
        .to_pandas()
        .iloc[0]
    )
    assert row.PatientName == str(original.PatientName)
    assert f"{row.StudyDate:%Y%m%d}" == original.StudyDate
    assert row.StudyTime.total_seconds() == sum(
        int(original.StudyTime[at : at + 2]) * factor for at, factor in ((0, 3600), (2, 60), (4, 1))
    )
    assert row.SliceThickness == float(original.SliceThickness)
    assert list(row.ImageType) == list(original.ImageType)
    assert row.Rows == original.Rows


@pytest.mark.parametrize(
    "condition",
    [
        col.SliceThickness < 6,
        (col.Modality == "CT") & col.KVP.between(100, 140),
        col["0009,GEMS_IDEN_01,02"] == "CT01",
        col.PatientName.like("compressedsamples^CT*"),
    ],
)
def test_any_attribute_is_searched(archive, condition):
    assert archive.instances.where(condition).where(Modality="CT").count() == 1


def test_counts_rows_and_tables_agree(archive):
    for frame in (archive.studies, archive.series, archive.instances, archive.instances.where("Rows > 100")):
        count = frame.count()
        assert len(frame.to_pandas()) == count
        assert frame.to_arrow().num_rows == count
        assert len(list(frame.rows())) == count
        assert pl.DataFrame(frame.select(frame.level.unique_key)).height == count
        assert frame.to_csv().count("\n") >= count + 1


def test_csv_is_text_or_goes_into_a_file(archive, tmp_path):
    frame = archive.instances.select("Modality")
    frame.to_csv(tmp_path / "path.csv")
    with open(tmp_path / "open.csv", "wb") as file:
        frame.to_csv(file)
    told = frame.to_csv().encode()
    assert (tmp_path / "path.csv").read_bytes() == (tmp_path / "open.csv").read_bytes() == told


def test_sort_and_head(archive):
    dates = (
        archive.studies.select("StudyDate").sort(col.StudyDate.desc()).head(3).to_pandas().StudyDate.dropna()
    )
    assert list(dates) == sorted(dates, reverse=True)
    assert archive.instances.sort("SOPInstanceUID").skip(2).uids() == sorted(archive.instances.uids())[2:]


def test_sql(archive):
    told = archive.sql("SELECT Modality, count(*) AS n FROM instances GROUP BY 1 ORDER BY 1").to_pandas()
    assert told.n.sum() == len(FILES)
    with pytest.raises(IsocenterError):
        archive.sql("DROP TABLE instances").to_pandas()
    with pytest.raises(BadRequest):
        archive.sql("SELECT nothing FROM nowhere").to_pandas()


def test_columns_are_listed(archive):
    names = archive.columns("instance").names
    assert {"SliceThickness", "PatientID", "_size"} <= set(names)


def test_displays_hold_rows_but_no_names(archive):
    html = archive.instances._repr_html_()
    assert f"<caption>{len(FILES)} instances" in html
    assert "CompressedSamples" not in archive.studies._repr_html_()
    assert "CompressedSamples" not in archive.sql("SELECT PatientName AS x FROM instances")._repr_html_()


def test_a_data_set_made_in_python_is_stored(archive):
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SOPInstanceUID = pydicom.uid.generate_uid()
    dataset.SeriesDescription = "made here"
    archive.store(dataset, progress=False).raise_for_failures()
    found = archive.instances.where(SOPInstanceUID=dataset.SOPInstanceUID)
    assert found.count() == 1
    broken = io.BytesIO(b"\x00" * 128 + b"DICM" + b"nothing more").getvalue()
    report = archive.store([broken], progress=False)
    assert report.failed[0].reason != ""


def test_a_column_of_ours_that_does_not_exist_is_told(archive):
    with pytest.raises(UnknownAttribute):
        archive.instances.select("_sizes").to_pandas()
