"""Instances as pydicom data sets: from a frame, a resource, UIDs or lists of these, in order."""

from __future__ import annotations

from typing import Any

import pydicom
import pytest
from live_archive import instance
from pydicom.data import get_testdata_file

from isocenter.client.resources import resource_of
from isocenter.client.selection import Selection
from isocenter.errors import BadRequest, NotFound

COMPRESSED = "JPEG2000.dcm"
IMPLICIT = "MR_small_implicit.dcm"


@pytest.fixture(scope="module", autouse=True)
def _stored(web: Any, real: Any) -> None:
    web.store(*(instance(n, study="1.2.3", series=s, SeriesNumber=s) for s in ("1", "2") for n in (3, 1, 2)))
    web.store(instance(1, study="1.2.4"))
    files = [get_testdata_file(name) for name in ("CT_small.dcm", COMPRESSED, IMPLICIT)]
    real.store(files, progress=False).raise_for_failures()


def uids(found: Any) -> list[str]:
    return [str(one.SOPInstanceUID) for one in found]


SERIES = ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3"]


def test_a_series_in_order_of_its_numbers(real):
    assert uids(resource_of(real, "series", "1.2.3.1").datasets()) == SERIES


def test_a_study_a_series_after_the_other(real):
    assert uids(real["1.2.3"].datasets()) == [*SERIES, "1.2.3.2.1", "1.2.3.2.2", "1.2.3.2.3"]


def test_a_frame_of_any_level_in_its_own_order(real):
    assert uids(real.series.where(SeriesInstanceUID="1.2.3.1").datasets()) == SERIES
    frame = real.instances.where(SeriesInstanceUID="1.2.3.1").sort("InstanceNumber", descending=True)
    assert uids(frame.datasets()) == SERIES[::-1]
    assert uids(frame.head(1).datasets()) == SERIES[2:]


def test_a_frame_of_patients_and_a_cohort(real):
    told = real["1.2.3"].patient
    ids = real.patients.where(PatientID=told.uid)
    assert set(uids(ids.datasets())) == set(uids(told.datasets())) >= {*SERIES, "1.2.4.1.1"}
    chosen = real.instances.where(SOPInstanceUID=SERIES[:2])
    cohort = chosen.freeze("two")
    assert uids(cohort.datasets()) == SERIES[:2]
    assert uids(cohort.series.datasets()) == SERIES[:2], "only members, of the series too"


def test_uids_and_lists_of_anything(real):
    assert uids(real.read("1.2.3.1.2")) == ["1.2.3.1.2"]
    asked = ["1.2.3.1.3", "1.2.4", real["1.2.3.1"], real.instances.where(SOPInstanceUID="1.2.3.2.1")]
    assert uids(real.read(asked)) == ["1.2.3.1.3", "1.2.4.1.1", *SERIES, "1.2.3.2.1"]
    assert uids(real.read([])) == []


def test_a_data_frame_and_rows_of_one(real):
    frame = real.instances.where(SeriesInstanceUID="1.2.3.1").sort("InstanceNumber")
    assert uids(real.read(frame.to_pandas())) == SERIES
    assert uids(real.read(frame.to_polars().head(2))) == SERIES[:2]
    assert uids(real.read(frame.to_pandas()["SOPInstanceUID"])) == SERIES
    assert uids(real.read(list(frame.rows()))) == SERIES
    assert uids(real.read(real.series.where(SeriesInstanceUID="1.2.3.1").to_pandas())) == SERIES
    with pytest.raises(BadRequest, match="no UID"):
        list(real.read(frame.select("Modality").to_pandas()))


def test_what_is_not_there_is_named(real):
    with pytest.raises(NotFound, match=r"1\.2\.99 is not in 'main'"):
        list(real.read(["1.2.3.1.1", "1.2.99"]))
    with pytest.raises(NotFound):
        _ = real["1.2.99"]


def test_what_names_no_instances_is_refused(real):
    with pytest.raises(BadRequest, match="does not say which"):
        list(real.read(7))
    with pytest.raises(BadRequest, match="no UID"):
        list(real.read("Doe^Jane"))
    with pytest.raises(BadRequest, match="another archive"):
        list(real.read(real.dataset("lab").instances))


@pytest.mark.parametrize("name", ["CT_small.dcm", COMPRESSED, IMPLICIT])
def test_a_data_set_is_what_was_stored(real, name):
    stored = pydicom.dcmread(get_testdata_file(name))
    told = resource_of(real, "instance", str(stored.SOPInstanceUID)).dataset()
    assert told == stored
    assert (told.pixel_array == stored.pixel_array).all()


def test_without_pixels_only_the_header_is_fetched(real):
    stored = pydicom.dcmread(get_testdata_file("CT_small.dcm"), stop_before_pixels=True)
    told = resource_of(real, "instance", str(stored.SOPInstanceUID)).dataset(stop_before_pixels=True)
    assert told == stored


def test_only_these_elements(real):
    (told,) = real.read("1.2.3.1.1", specific_tags=["PatientID"])
    assert "Modality" not in told
    assert told.PatientID


def test_a_header_from_the_servers_json(real):
    stored = pydicom.dcmread(get_testdata_file("CT_small.dcm"), stop_before_pixels=True)
    one = resource_of(real, "instance", str(stored.SOPInstanceUID))
    told = one.metadata()
    assert (told.PatientName, told.PixelSpacing) == (stored.PatientName, stored.PixelSpacing)
    assert "PixelData" not in told
    assert uids(resource_of(real, "series", "1.2.3.1").metadata()) == SERIES


def test_few_wait_while_one_is_looked_at(real, monkeypatch):
    begun = []
    path = Selection.path
    monkeypatch.setattr(Selection, "path", lambda self, row: begun.append(row) or path(self, row))
    found = real["1.2.3"].datasets(connections=1)
    next(found)
    found.close()
    assert len(begun) <= 3


def test_progress_tells_true_totals(real):
    told: list[tuple[int, int]] = []
    assert len(list(real["1.2.3"].datasets(progress=lambda done, total: told.append((done, total))))) == 6
    size = sum(row["_size"] for row in real["1.2.3"].instances.select("_size").rows())
    assert told[-1] == (size, size)


def test_a_patient_is_made_of_an_id(real):
    told = next(real.studies.where(StudyInstanceUID="1.2.3").rows())["PatientID"]
    assert "1.2.3" in real.patient(told).studies.uids()
