"""Ids as Orthanc makes them: of every level, after deletions and resets, from a file that may be lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_sets import data_set

from isocenter.archive import Dataset
from isocenter.archive.arrival import Origin
from isocenter.archive.resource_ids import Resource, ResourceIds
from isocenter.dicom.levels import Level
from isocenter.dicom.public_ids import public_id
from isocenter.errors import NotFound, Unavailable

EXPLICIT = "1.2.840.10008.1.2.1"
PATIENT, STUDY, SERIES = ("P1",), ("P1", "1.2.3"), ("P1", "1.2.3", "1.2.3.1")


def put(dataset: Dataset, uid: str, **values: str) -> None:
    dataset.store(data_set(SOPInstanceUID=uid, **values), Origin("TEST", "TEST"), EXPLICIT)


@pytest.fixture
def ids(main: Dataset, tmp_path: Path) -> ResourceIds:
    return ResourceIds(main.index, tmp_path / "ids" / "main.db")


def test_ids_are_those_of_orthanc() -> None:
    # As Orthanc 1.10.1 answered when these were stored in it.
    uids = ("1.3.6.1.4.1.5962.1.2.1.20040119072730.12322", "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322")
    assert public_id("1CT1") == "fa558bce-587a86d3-ad0da9b3-9d043d9d-4f5c5718"
    assert public_id("1CT1", *uids[:1]) == "8a8cf898-ca27c490-d0c7058c-929d0581-2bbf104d"
    assert public_id("1CT1", *uids) == "93034833-163e42c3-bc9a428b-194620cf-2c5799e5"
    assert public_id("1CT1", *uids, "1.2.3.4.1") == "6efc743f-cae8edce-724d82db-28a6e23a-ad718a27"


def test_every_level_is_found_by_its_id_and_by_its_uid(main: Dataset, ids: ResourceIds) -> None:
    put(main, "1.2.3.4")
    named = {
        Level.PATIENT: PATIENT,
        Level.STUDY: STUDY,
        Level.SERIES: SERIES,
        Level.INSTANCE: (*SERIES, "1.2.3.4"),
    }
    for level, parts in named.items():
        assert ids.find(level, public_id(*parts)) == Resource(level, parts[-1])
        assert ids.find(level, public_id(*parts).upper()) == Resource(level, parts[-1])
        assert ids.find(level, parts[-1]) == Resource(level, parts[-1])


@pytest.mark.parametrize("text", ["", "nonsense", "1.9", public_id("P9"), public_id(*STUDY)])
def test_what_is_not_there_is_not_found(main: Dataset, ids: ResourceIds, text: str) -> None:
    put(main, "1.2.3.4")
    with pytest.raises(NotFound):
        ids.find(Level.SERIES, text)


def test_what_is_stored_later_is_found(main: Dataset, ids: ResourceIds) -> None:
    put(main, "1.2.3.4")
    ids.find(Level.STUDY, public_id(*STUDY))
    put(main, "1.2.3.5")
    put(main, "1.2.4.5", StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1", PatientID="P2")
    assert ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.5")).uid == "1.2.3.5"
    assert ids.find(Level.STUDY, public_id("P2", "1.2.4")).uid == "1.2.4"


def test_what_was_deleted_is_not_found_and_what_takes_its_place_is(main: Dataset, ids: ResourceIds) -> None:
    put(main, "1.2.3.4")
    ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.4"))
    main.delete(Level.INSTANCE, "1.2.3.4")
    with pytest.raises(NotFound):
        ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.4"))
    put(main, "1.2.3.4", PatientID="P7")
    with pytest.raises(NotFound):
        ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.4"))
    assert ids.find(Level.INSTANCE, public_id("P7", *SERIES[1:], "1.2.3.4")).uid == "1.2.3.4"


def test_what_a_reset_brings_back_is_found(main: Dataset, ids: ResourceIds) -> None:
    with pytest.raises(NotFound):
        ids.find(Level.STUDY, public_id(*STUDY))
    put(main, "1.2.3.4")
    main.snapshot("full")
    main.delete(Level.INSTANCE, "1.2.3.4")
    with pytest.raises(NotFound):
        ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.4"))
    main.reset("full")
    assert ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.4")).uid == "1.2.3.4"


def test_each_instance_counts_by_the_patient_that_it_told_itself(main: Dataset, ids: ResourceIds) -> None:
    put(main, "1.2.3.4")
    put(main, "1.2.3.5", PatientID="P2")
    assert ids.find(Level.INSTANCE, public_id("P2", *SERIES[1:], "1.2.3.5")).uid == "1.2.3.5"
    assert ids.find(Level.STUDY, public_id("P2", "1.2.3")).uid == "1.2.3"


def test_nobody_without_an_id_is_a_patient(main: Dataset, ids: ResourceIds) -> None:
    put(main, "1.2.3.4", PatientID="")
    with pytest.raises(NotFound):
        ids.find(Level.PATIENT, public_id(""))
    assert ids.find(Level.STUDY, public_id("", "1.2.3")).uid == "1.2.3"


def test_a_change_log_that_was_trimmed_and_a_file_that_was_lost_cost_time_only(
    main: Dataset, ids: ResourceIds, tmp_path: Path
) -> None:
    put(main, "1.2.3.4")
    ids.find(Level.STUDY, public_id(*STUDY))
    for number in range(5, 9):
        put(main, f"1.2.3.{number}")
    main.index.writer.trim_changes(1)
    assert ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.6")).uid == "1.2.3.6"
    for path in (tmp_path / "ids").iterdir():
        path.unlink()
    assert ids.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.6")).uid == "1.2.3.6"


def test_a_question_reads_no_longer_than_it_may_and_the_next_goes_on(
    main: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.archive.resource_ids._PAGE", 1)
    for number in range(4, 8):
        put(main, f"1.2.3.{number}")
    impatient = ResourceIds(main.index, tmp_path / "main.db", patience=0)

    def asked() -> str:
        try:
            return impatient.find(Level.INSTANCE, public_id(*SERIES, "1.2.3.7")).uid
        except Unavailable:
            return ""

    answers = [asked() for _ in range(9)]
    assert answers[0] == ""
    assert answers[-1] == "1.2.3.7"
