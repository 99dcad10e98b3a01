"""What becomes of a stored object: first, again, with other bytes; alone and within one group."""

import pytest
from index_objects import CT, put, sop_uid

from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal
from isocenter.errors import Conflict, InvalidValue, NotFound
from isocenter.index import Index, Put


def kinds(index: Index, *puts: Put, on_conflict="keep") -> list[str]:
    return [outcome.kind for outcome in index.writer.commit(puts, on_conflict=on_conflict)]


def visible(index: Index) -> dict[str, str]:
    return {found.SOPInstanceUID: found.sha256 for found in index.reader.instances()}


def test_a_new_object_is_stored_and_found_at_once(index: Index) -> None:
    first, second = index.writer.commit([put(number=1), put(number=2)])
    assert (first.kind, second.kind) == ("stored", "stored")
    assert second.seq == first.seq + 1
    (found,) = index.reader.instances(Equal(("InstanceNumber",), 2))
    assert (found.SOPInstanceUID, found.object, found.seq) == (sop_uid(1, 1, 2), second.object, second.seq)
    assert (found.SOPClassUID, found.source_aet, found.size) == (CT, "MODALITY", 1002)


def test_identical_bytes_again_are_a_success_that_changes_nothing(index: Index) -> None:
    (first,) = index.writer.commit([put()])
    before = index.reader.view(), index.reader.last_change()
    (again,) = index.writer.commit([put()])
    assert (again.kind, again.seq, again.object) == ("duplicate", first.seq, first.object)
    assert (index.reader.view(), index.reader.last_change()) == before


@pytest.mark.parametrize("on_conflict", ["keep", "replace", "reject"])
def test_identical_bytes_twice_in_one_group_are_stored_once(index: Index, on_conflict) -> None:
    assert kinds(index, put(), put(), on_conflict=on_conflict) == ["stored", "duplicate"]
    assert index.reader.count(Level.INSTANCE) == 1
    assert len(index.reader.view().tail) == 1


def test_keep_leaves_the_first_visible_and_lists_the_other(index: Index) -> None:
    assert kinds(index, put(), put(content="other")) == ["stored", "conflict"]
    assert visible(index) == {sop_uid(1, 1, 1): put().sha256}
    (other,) = index.reader.conflicts()
    assert (other.SOPInstanceUID, other.object) == (sop_uid(1, 1, 1), put(content="other").object)
    assert index.reader.conflicts(sop_uid(1, 1, 2)) == []


def test_the_same_conflict_object_again_changes_nothing(index: Index) -> None:
    kinds(index, put(), put(content="other"))
    before = index.reader.last_change()
    assert kinds(index, put(content="other"), put(content="other")) == ["duplicate", "duplicate"]
    assert index.reader.last_change() == before
    assert len(index.reader.conflicts()) == 1


def test_replace_shows_the_new_one_and_hides_what_the_catalog_may_hold(index: Index) -> None:
    (first,) = index.writer.commit([put()])
    (second,) = index.writer.commit([put(content="other")], on_conflict="replace")
    assert (second.kind, second.previous) == ("replaced", first.object)
    assert visible(index) == {sop_uid(1, 1, 1): put(content="other").sha256}
    (grave,) = index.reader.view().tombstones
    assert grave.SOPInstanceUID == sop_uid(1, 1, 1)
    assert first.seq <= grave.seq < second.seq


def test_replace_within_one_group_keeps_the_last(index: Index) -> None:
    group = [put(), put(content="b"), put(content="c")]
    assert kinds(index, *group, on_conflict="replace") == ["stored", "replaced", "replaced"]
    assert visible(index) == {sop_uid(1, 1, 1): put(content="c").sha256}
    assert [row.object for row in index.reader.view().tail] == [put(content="c").object]
    assert index.reader.totals().instances == 1


def test_replacing_twice_in_one_group_what_was_there_before(index: Index) -> None:
    index.writer.commit([put(), put(number=2)])
    group = [put(content="b"), put(content="c"), put(content="c")]
    assert kinds(index, *group, on_conflict="replace") == ["replaced", "replaced", "duplicate"]
    assert visible(index)[sop_uid(1, 1, 1)] == put(content="c").sha256
    assert index.reader.totals().instances == 2
    assert len(index.reader.view().tombstones) == 1


def test_reject_refuses_other_bytes_and_says_why(index: Index) -> None:
    outcomes = index.writer.commit([put(), put(content="other")], on_conflict="reject")
    assert [outcome.kind for outcome in outcomes] == ["stored", "rejected"]
    assert outcomes[1].reason
    assert visible(index) == {sop_uid(1, 1, 1): put().sha256}


def test_an_object_may_move_to_another_series_by_replacement(index: Index) -> None:
    index.writer.commit([put(1, 1, 1), put(1, 1, 2)])
    moved = put(1, 2, 1, content="moved", SOPInstanceUID=sop_uid(1, 1, 1))
    assert kinds(index, moved, on_conflict="replace") == ["replaced"]
    counts = {
        row["SeriesInstanceUID"]: row["NumberOfSeriesRelatedInstances"]
        for row in index.reader.find(Level.SERIES)
    }
    assert counts == {"1.2.3.1.1": 1, "1.2.3.1.2": 1}


def test_replacing_the_only_instance_of_a_study_takes_the_study_along(index: Index) -> None:
    index.writer.commit([put(1, 1, 1)])
    moved = put(2, 1, 1, content="moved", SOPInstanceUID=sop_uid(1, 1, 1))
    index.writer.commit([moved], on_conflict="replace")
    assert [row["StudyInstanceUID"] for row in index.reader.find(Level.STUDY)] == ["1.2.3.2"]
    assert [row["PatientID"] for row in index.reader.find(Level.PATIENT)] == ["P2"]


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("text", [None, " \0"])
def test_an_object_without_a_unique_key_is_refused_by_name(index: Index, name: str, text) -> None:
    broken = put()
    keys = dict(broken.keys) | {name: text}
    keys = {k: v for k, v in keys.items() if v is not None}
    with pytest.raises(InvalidValue, match=name):
        index.writer.commit([Put(keys, *(getattr(broken, f) for f in Put.__slots__[1:]))])
    assert index.reader.totals().instances == 0


def test_broken_uids_are_kept_verbatim_without_their_padding(index: Index) -> None:
    odd = "1.2.03.LETTERS_" + "9" * 70
    index.writer.commit([put(SOPInstanceUID=odd + "\0")])
    (found,) = index.reader.instances(Equal(("SOPInstanceUID",), odd))
    assert found.SOPInstanceUID == odd


def test_text_that_no_database_can_hold_does_not_stop_an_object(index: Index) -> None:
    kinds(index, put(PatientName="Nul\0in^Name", StudyDescription="lone \udce9 surrogate"))
    (row,) = index.reader.find(Level.STUDY)
    assert (row["PatientName"], row["StudyDescription"]) == ("Nulin^Name", "lone ? surrogate")


class TestAdoption:
    def test_shows_the_conflict_object_and_keeps_the_displaced_one(self, index: Index) -> None:
        kinds(index, put(), put(content="other", PatientName="Other^Name"))
        (other,) = index.reader.conflicts()
        outcome = index.writer.adopt_conflict(other.id)
        assert (outcome.kind, outcome.object) == ("replaced", other.object)
        assert visible(index) == {sop_uid(1, 1, 1): other.sha256}
        (displaced,) = index.reader.conflicts()
        assert displaced.object == put().object
        assert [row["PatientName"] for row in index.reader.find(Level.STUDY)] == ["Other^Name"]

    def test_of_a_displaced_one_needs_its_description(self, index: Index) -> None:
        kinds(index, put(), put(content="other"))
        index.writer.adopt_conflict(index.reader.conflicts()[0].id)
        (displaced,) = index.reader.conflicts()
        with pytest.raises(Conflict):
            index.writer.adopt_conflict(displaced.id)
        with pytest.raises(Conflict):
            index.writer.adopt_conflict(displaced.id, put=put(content="a third"))
        index.writer.adopt_conflict(displaced.id, put=put())
        assert visible(index) == {sop_uid(1, 1, 1): put().sha256}

    def test_of_an_unknown_one_is_not_found(self, index: Index) -> None:
        with pytest.raises(NotFound):
            index.writer.adopt_conflict(7)

    def test_a_conflict_object_can_be_dropped(self, index: Index) -> None:
        kinds(index, put(), put(content="other"))
        (other,) = index.reader.conflicts()
        assert index.writer.drop_conflict(other.id) == other.object
        assert index.reader.conflicts() == []
        assert index.reader.references([other.object, put().object]) == {put().object}
