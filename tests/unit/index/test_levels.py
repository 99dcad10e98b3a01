"""What patients, studies and series show of their instances, counts included."""

import pytest
from index_objects import CT, MR, put, series_uid, sop_uid, study_uid

from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Like, Not
from isocenter.index import Index, open_index


def rows(index: Index, level: Level) -> list[dict]:
    return list(index.reader.find(level))


def test_counts_and_modalities_are_current_in_the_same_commit(index: Index) -> None:
    index.writer.commit(
        [put(1, 1, 1), put(1, 1, 2), put(1, 2, 1, Modality="MR", SOPClassUID=MR), put(2, 1, 1)]
    )
    study = rows(index, Level.STUDY)[0]
    assert study["NumberOfStudyRelatedSeries"] == 2
    assert study["NumberOfStudyRelatedInstances"] == 3
    assert study["ModalitiesInStudy"] == "CT\\MR"
    assert study["SOPClassesInStudy"] == f"{CT}\\{MR}"
    assert [row["NumberOfSeriesRelatedInstances"] for row in rows(index, Level.SERIES)] == [2, 1, 1]
    patient = rows(index, Level.PATIENT)[0]
    assert patient["NumberOfPatientRelatedStudies"] == 1
    assert patient["NumberOfPatientRelatedSeries"] == 2
    assert patient["NumberOfPatientRelatedInstances"] == 3
    assert index.reader.totals() == (2, 2, 3, 4, 4005)


def test_the_lowest_sequence_wins_and_blanks_never_do(index: Index) -> None:
    index.writer.commit([put(number=1, StudyDescription="", PatientSex="F")])
    index.writer.commit([put(number=2, StudyDescription="CHEST", PatientSex="M")])
    index.writer.commit([put(number=3, StudyDescription="HEAD")])
    (study,) = rows(index, Level.STUDY)
    assert (study["StudyDescription"], study["PatientSex"]) == ("CHEST", "F")
    told = {(one.keyword, one.shown, one.other) for one in index.reader.level_conflicts(Level.STUDY)}
    assert told == {("StudyDescription", "CHEST", "HEAD"), ("PatientSex", "F", "M")}


def test_other_values_are_matched_too(index: Index) -> None:
    index.writer.commit([put(number=1), put(number=2, PatientName="Renamed^Person", SeriesNumber="77")])
    for predicate in (Like(("PatientName",), "renamed*"), Equal(("SeriesNumber",), 77)):
        for level in Level:
            assert len(list(index.reader.find(level, predicate))) >= 1, (predicate, level)
    assert list(index.reader.find(Level.STUDY, Not(Like(("PatientName",), "renamed*")))) == []


def test_two_texts_of_one_value_are_no_disagreement(index: Index) -> None:
    index.writer.commit([put(number=1, SeriesNumber="1", StudyDate="20240131")])
    index.writer.commit([put(number=2, SeriesNumber="01", StudyDate="2024.01.31")])
    assert index.reader.level_conflicts(Level.SERIES) == []
    assert index.reader.level_conflicts(Level.STUDY) == []


def test_when_the_winner_goes_the_next_one_shows(index: Index) -> None:
    index.writer.commit([put(number=1, StudyDescription="FIRST"), put(number=2, StudyDescription="SECOND")])
    index.writer.delete(Level.INSTANCE, sop_uid(1, 1, 1))
    (study,) = rows(index, Level.STUDY)
    assert study["StudyDescription"] == "SECOND"
    assert index.reader.level_conflicts(Level.STUDY) == []


def test_a_value_told_by_nobody_any_more_is_gone(index: Index) -> None:
    index.writer.commit([put(number=1, BodyPartExamined="CHEST"), put(number=2)])
    index.writer.delete(Level.INSTANCE, sop_uid(1, 1, 1))
    (series,) = rows(index, Level.SERIES)
    assert "BodyPartExamined" not in series


def test_an_empty_patient_id_never_joins_two_studies(index: Index) -> None:
    index.writer.commit([put(1, PatientID=""), put(2, PatientID=" "), put(3, PatientID=None)])
    assert len(rows(index, Level.PATIENT)) == 3


def test_a_patient_is_its_issuer_and_its_id(index: Index) -> None:
    same, other = {"PatientID": "7"}, {"PatientID": "7", "IssuerOfPatientID": "ELSEWHERE"}
    index.writer.commit([put(1, **same), put(2, **same), put(3, **other), put(4, PatientID="7 ")])
    found = sorted(row["NumberOfPatientRelatedStudies"] for row in rows(index, Level.PATIENT))
    assert found == [1, 3]


def test_the_default_issuer_joins_those_that_come_without_one(place) -> None:
    with open_index(place, default_issuer="HOSPITAL") as index:
        index.writer.commit([put(1, PatientID="7"), put(2, PatientID="7", IssuerOfPatientID="HOSPITAL")])
        (patient,) = rows(index, Level.PATIENT)
        assert patient["NumberOfPatientRelatedStudies"] == 2


def test_a_study_that_learns_its_patient_id_moves_to_that_patient(index: Index) -> None:
    index.writer.commit([put(1, 1, 1, PatientID="", PatientName="Late^Known"), put(2, PatientID="P")])
    index.writer.commit([put(1, 1, 2, PatientID="P", PatientName="Late^Known")])
    (patient,) = rows(index, Level.PATIENT)
    assert patient["PatientID"] == "P"
    assert patient["PatientName"] == "Late^Known"
    assert patient["NumberOfPatientRelatedStudies"] == 2
    assert patient["NumberOfPatientRelatedInstances"] == 3
    assert patient["NumberOfPatientRelatedSeries"] == 2


def test_each_study_of_one_patient_shows_what_was_sent_for_it(index: Index) -> None:
    index.writer.commit(
        [put(1, PatientID="7", PatientName="Doe^A"), put(2, PatientID="7", PatientName="Roe^B")]
    )
    assert [row["PatientName"] for row in rows(index, Level.STUDY)] == ["Doe^A", "Roe^B"]
    assert [row["PatientName"] for row in rows(index, Level.PATIENT)] == ["Doe^A"]


def test_collisions_of_patients_are_listed(index: Index) -> None:
    index.writer.commit(
        [put(1, PatientID="7", PatientName="Doe^A", PatientBirthDate="19700101", PatientSex="F")]
    )
    assert index.reader.collisions() == []
    index.writer.commit([put(2, PatientID="7", PatientName="DOE^Anna", PatientBirthDate="1970.01.01")])
    assert index.reader.collisions() == []
    index.writer.commit(
        [put(3, PatientID="7", PatientName="Roe^A", PatientBirthDate="19700102", PatientSex="M")]
    )
    found = [(one.PatientID, one.keyword, one.shown, one.other) for one in index.reader.collisions()]
    assert sorted(found) == [
        ("7", "PatientBirthDate", "19700101", "19700102"),
        ("7", "PatientName", "Doe^A", "Roe^A"),
        ("7", "PatientSex", "F", "M"),
    ]


def test_one_series_uid_under_two_studies_is_two_series(index: Index) -> None:
    shared = {"SeriesInstanceUID": "9.9"}
    index.writer.commit([put(1, 1, 1, **shared), put(2, 1, 1, **shared)])
    found = rows(index, Level.SERIES)
    assert [row["StudyInstanceUID"] for row in found] == [study_uid(1), study_uid(2)]
    assert [row["NumberOfSeriesRelatedInstances"] for row in found] == [1, 1]
    assert index.writer.delete(Level.SERIES, "9.9", study=study_uid(2)).instances == 1
    assert [row["StudyInstanceUID"] for row in rows(index, Level.SERIES)] == [study_uid(1)]


def test_changed_seq_rises_with_every_change_below(index: Index) -> None:
    index.writer.commit([put(1, 1, 1), put(1, 2, 1)])
    first, second = (row["_changed_seq"] for row in rows(index, Level.SERIES))
    index.writer.commit([put(1, 2, 2)])
    after = [row["_changed_seq"] for row in rows(index, Level.SERIES)]
    assert after[0] == first
    assert after[1] > second
    index.writer.delete(Level.INSTANCE, sop_uid(1, 1, 1))
    assert rows(index, Level.STUDY)[0]["_changed_seq"] > after[1]


class TestDeletion:
    def test_at_every_level(self, index: Index) -> None:
        index.writer.commit([put(s, e, i) for s in (1, 2) for e in (1, 2) for i in (1, 2)])
        gone = index.writer.delete(Level.INSTANCE, sop_uid(1, 1, 1))
        assert gone.objects == [put(1, 1, 1).object]
        assert index.writer.delete(Level.SERIES, series_uid(1, 1)).instances == 1
        assert index.writer.delete(Level.STUDY, study_uid(1)).instances == 2
        assert index.reader.totals()[:4] == (1, 1, 2, 4)
        assert index.writer.delete(Level.PATIENT, "P2").instances == 4
        assert index.reader.totals() == (0, 0, 0, 0, 0)
        assert len(index.reader.view().tombstones) == 8

    def test_of_nothing_changes_nothing(self, index: Index) -> None:
        index.writer.commit([put()])
        before = index.reader.view()
        assert index.writer.delete(Level.STUDY, "1.2.3.99").instances == 0
        assert index.writer.delete_instances(["9.9"]).instances == 0
        assert index.reader.view() == before

    def test_takes_conflict_objects_along(self, index: Index) -> None:
        index.writer.commit([put(), put(content="other")])
        assert sorted(index.writer.delete_instances([sop_uid(1, 1, 1)]).objects) == sorted(
            [put().object, put(content="other").object]
        )
        assert index.reader.conflicts() == []

    def test_can_be_limited_to_an_issuer(self, index: Index) -> None:
        index.writer.commit([put(1, PatientID="7"), put(2, PatientID="7", IssuerOfPatientID="X")])
        assert index.writer.delete(Level.PATIENT, "7", issuer="X").instances == 1
        assert [row["StudyInstanceUID"] for row in rows(index, Level.STUDY)] == [study_uid(1)]

    def test_then_stored_again_is_new(self, index: Index) -> None:
        (first,) = index.writer.commit([put()])
        index.writer.delete(Level.STUDY, study_uid(1))
        (again,) = index.writer.commit([put()])
        assert again.kind == "stored"
        (grave,) = index.reader.view().tombstones
        assert first.seq < grave.seq < again.seq


def test_keys_that_collide_never_mix_two_things(place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one key for all UIDs, instances still live side by side; studies and series are refused."""
    for module in ("ingest", "candidate", "removal", "comparisons", "audit"):
        monkeypatch.setattr(f"isocenter.index.{module}.key_of", lambda uid: 5)
    monkeypatch.setattr("isocenter.index.candidate._upper_key", lambda uid: 5)
    with open_index(place) as index:
        group = [put(1, 1, 1), put(1, 1, 2), put(2, 1, 1), put(1, 2, 1)]
        found = [outcome.kind for outcome in index.writer.commit(group)]
        assert found == ["stored", "stored", "rejected", "rejected"]
        for number in (1, 2):
            (one,) = index.reader.instances(Equal(("SOPInstanceUID",), sop_uid(1, 1, number)))
            assert one.InstanceNumber == number
        assert index.writer.commit([put(2, 1, 1)])[0].kind == "rejected"
        assert index.writer.delete(Level.INSTANCE, sop_uid(1, 1, 1)).instances == 1
        assert [one.InstanceNumber for one in index.reader.instances()] == [2]
        assert index.reader.references([put(1, 1, 2).object]) == {put(1, 1, 2).object}
