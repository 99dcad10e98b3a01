"""One patient, study, series or instance: its attributes by keyword, what is above and below it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from live_archive import instance

import isocenter
from isocenter.client.resources import Instance, Series, Study, resource_of
from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest, NotFound

SAID = {"PatientID": "P1", "PatientName": "Doe^Jane", "StudyDate": "20240105", "StudyTime": "103015.5"}


@pytest.fixture(scope="module")
def _stored(web: Any) -> None:
    web.store(*(instance(n, SeriesDescription="Thorax", SliceThickness="2.5", **SAID) for n in (2, 1, 3)))


@pytest.fixture
def series(_stored: None, real: Any) -> Any:
    return resource_of(real, "series", "1.2.3.1")


def test_attributes_are_read_by_keyword(series):
    assert (series.Modality, series.SeriesDescription, series.SliceThickness) == ("CT", "Thorax", 2.5)
    assert series.BodyPartExamined is None
    assert series.StudyDate == datetime.date(2024, 1, 5)
    assert series.StudyTime == datetime.time(10, 30, 15, 500000)


def test_what_belongs_to_the_instances_is_that_of_one_of_them(series):
    assert series.InstanceNumber in (1, 2, 3)


def test_one_request_brings_all_of_the_index(series, web, monkeypatch):
    asked = []
    post = type(series.transport).post
    monkeypatch.setattr(
        type(series.transport), "post", lambda *given, **more: asked.append(given) or post(*given, **more)
    )
    assert series.Modality == "CT"
    assert series.SeriesDescription == "Thorax"
    assert series.study.StudyDate.year == 2024
    assert len(asked) == 1


def test_a_row_is_not_asked_for_again():
    row = {"SeriesInstanceUID": "1.2.3", "Modality": "CT", "StudyDate": "2024-01-05"}
    series = resource_of(isocenter.client.transport.Transport("http://127.0.0.1:1"), Level.SERIES, row)
    assert (series.Modality, series.StudyDate.day) == ("CT", 5)


def test_a_row_without_its_identifier_says_what_to_select(real):
    with pytest.raises(BadRequest, match="SeriesInstanceUID"):
        resource_of(real, "series", {"Modality": "CT"})


def test_a_wrong_name_is_an_attribute_error_that_names_the_nearest(series):
    with pytest.raises(AttributeError, match="did you mean Modality"):
        _ = series.Modalty
    with pytest.raises(AttributeError, match="did you mean instances"):
        _ = series.instancs
    assert not hasattr(series, "save_as")


def test_up_and_down(series):
    assert series.study == resource_of(series, "study", "1.2.3")
    assert series.study.patient.uid == "P1"
    assert series.patient.PatientName == "Doe^Jane"
    assert series.study.patient.studies.uids() == ["1.2.3"]
    assert series.study.series.uids() == ["1.2.3.1"]
    assert series.instances.uids() == ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.1.3"], "by number"
    assert [one.InstanceNumber for one in series] == [1, 2, 3]
    one = next(iter(series))
    assert isinstance(one, Instance)
    assert (one.series, one.study, one.patient) == (series, series.study, series.patient)
    assert (len(series), len(series.study), len(series.patient)) == (3, 1, 1)


def test_without_a_patient_id_a_patient_is_that_of_one_study(web, real):
    web.store(instance(1, study="1.2.8", PatientID=""), instance(1, study="1.2.9", PatientID=""))
    one, other = (resource_of(real, "study", uid).patient for uid in ("1.2.8", "1.2.9"))
    assert one != other
    assert one.studies.uids() == ["1.2.8"]


def test_a_patient_knows_how_much_there_is(web, real):
    told = {"PatientID": "P7", "PatientName": "Doe^Joan"}
    web.store(*(instance(1, study=f"1.2.70.{n}", **told) for n in range(3)))
    patient = real.patient("P7")
    assert (patient.NumberOfPatientRelatedStudies, len(patient), patient.PatientName) == (3, 3, "Doe^Joan")
    assert patient == real.patients["P7"]
    assert patient.row["NumberOfPatientRelatedInstances"] == 3
    with pytest.raises(NotFound, match="no patient of this PatientID"):
        _ = real.patient("P8").PatientName


def test_equal_when_they_name_the_same_thing(series, real):
    again = resource_of(real, "series", "1.2.3.1")
    assert again == series
    assert len({again, series}) == 1
    assert resource_of(real.dataset("other"), "series", "1.2.3.1") != series
    assert Study(real.transport, "main", "1.2.3.1") != Series(real.transport, "main", "1.2.3.1")


def test_paths_are_those_of_dicomweb(series, real):
    assert next(iter(series)).path == "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
    assert resource_of(real.dataset("lab"), "study", "1.2").path == "/datasets/lab/dicom-web/studies/1.2"


def test_completion_offers_keywords_and_asks_nothing():
    series = Series(isocenter.client.transport.Transport("http://127.0.0.1:1"), "main", "1.2")
    assert {"Modality", "PatientID", "instances", "study"} <= set(dir(series))


def test_a_display_masks_who_it_is(series, monkeypatch):
    shown = series._repr_html_()
    assert "Thorax" in shown
    assert "Doe" not in shown
    assert "P1" not in repr(series.patient) + series.patient._repr_html_()
    monkeypatch.setattr(isocenter.options, "show_identifiers", True)
    assert "Doe^Jane" in series._repr_html_()


def test_a_line_of_text_says_what_is_known(series):
    assert repr(series) == "<series 1.2.3.1>"
    assert series.Modality
    assert repr(series) == "<series 1.2.3.1: CT, Thorax>"


def test_what_is_not_there_says_so(real):
    with pytest.raises(NotFound, match=r"series 1\.9 in 'main'"):
        _ = resource_of(real, "series", "1.9").Modality
    assert "There is no series" in resource_of(real, "series", "1.9")._repr_html_()
