"""Snapshots, reset, prune, heads and the tail: what the archive relies on."""

import pytest
from index_objects import put, sop_uid, study_uid

from isocenter.dicom.levels import Level
from isocenter.errors import Conflict, NotFound
from isocenter.index import Index


def names(index: Index) -> set[str]:
    return {one.SOPInstanceUID for one in index.reader.instances()}


def flush(index: Index, version: int) -> None:
    view = index.reader.view()
    index.writer.flush_done([row.seq for row in view.tail], {"instances": version}, resets=view.resets)


def test_reset_returns_everything_to_the_snapshot(index: Index) -> None:
    index.writer.commit([put(1, 1, 1), put(1, 1, 2, PatientName="Was^Here")])
    flush(index, 1)
    taken = index.writer.snapshot("exam")
    index.writer.set_snapshot_heads("exam", index.reader.heads())
    before = list(index.reader.find(Level.STUDY)), index.reader.level_conflicts(Level.STUDY)

    index.writer.commit([put(1, 1, 1, content="new", PatientName="New^Name"), put(2)], on_conflict="replace")
    index.writer.delete(Level.INSTANCE, sop_uid(1, 1, 2))
    flush(index, 2)
    index.writer.commit([put(3)])
    assert index.writer.reset("exam").last_seq == taken.last_seq

    assert names(index) == {sop_uid(1, 1, 1), sop_uid(1, 1, 2)}
    assert (list(index.reader.find(Level.STUDY)), index.reader.level_conflicts(Level.STUDY)) == before
    view = index.reader.view()
    assert (view.heads, view.tail, view.tombstones, view.resets) == ({"instances": 1}, [], [], 1)


def test_sequences_never_go_back(index: Index) -> None:
    index.writer.snapshot("empty")
    index.writer.set_snapshot_heads("empty", {})
    (first,) = index.writer.commit([put()])
    index.writer.reset("empty")
    (again,) = index.writer.commit([put()])
    assert again.kind == "stored"
    assert again.seq > first.seq
    index.writer.raise_seq(1000)
    index.writer.raise_seq(5)
    assert index.writer.commit([put(2)])[0].seq == 1001


def test_a_reset_changes_no_other_snapshot(index: Index) -> None:
    for name, study in (("a", 1), ("b", 2), ("c", 3)):
        index.writer.commit([put(study)])
        index.writer.snapshot(name)
        flush(index, study)
        index.writer.set_snapshot_heads(name, index.reader.heads())
    for name, count in (("a", 1), ("c", 3), ("b", 2), ("c", 3), ("a", 1)):
        index.writer.reset(name)
        assert index.reader.totals().studies == count
        assert index.reader.heads() == {"instances": count}


def test_a_snapshot_waits_for_its_flush_before_it_has_heads(index: Index) -> None:
    index.writer.commit([put(1)])
    index.writer.snapshot("pending")
    index.writer.commit([put(2)])
    with pytest.raises(Conflict):
        index.writer.set_snapshot_heads("pending", {"instances": 1})
    (row,) = index.reader.tail(index.reader.snapshots()[0].last_seq)
    index.writer.flush_done([row.seq], {"instances": 1})
    index.writer.set_snapshot_heads("pending", {"instances": 1})
    assert index.reader.snapshots()[0].heads == {"instances": 1}
    assert [one.SOPInstanceUID for one in index.reader.tail()] == [sop_uid(2, 1, 1)]


def test_a_pending_snapshot_keeps_others_from_moving_the_heads_away(index: Index) -> None:
    index.writer.snapshot("done")
    index.writer.set_snapshot_heads("done", {})
    index.writer.commit([put(1)])
    index.writer.snapshot("pending")
    with pytest.raises(Conflict):
        index.writer.reset("done")
    with pytest.raises(Conflict):
        index.writer.set_heads({"instances": 7})
    assert index.reader.heads() == {}


def test_a_flush_that_a_reset_overtook_is_refused(index: Index) -> None:
    index.writer.snapshot("empty")
    index.writer.set_snapshot_heads("empty", {})
    index.writer.commit([put()])
    view = index.reader.view()
    index.writer.reset("empty")
    with pytest.raises(Conflict):
        index.writer.flush_done([row.seq for row in view.tail], {"instances": 9}, resets=view.resets)
    assert index.reader.heads() == {}


def test_flush_moves_the_head_and_trims_exactly_what_it_read(index: Index) -> None:
    index.writer.commit([put(1, 1, number) for number in (1, 2, 3)])
    first = index.reader.tail(limit=2)
    index.writer.flush_done([row.seq for row in first], {"instances": 4, "series": 2})
    view = index.reader.view()
    assert (view.heads, view.tail_seqs) == ({"instances": 4, "series": 2}, [3])
    assert view.tail[0].header == put(1, 1, 3).header
    assert index.reader.tail_row(3) == view.tail[0]
    assert index.reader.tail_row(1) is None
    assert index.reader.waiting() == (1, put(1, 1, 3).received)
    index.writer.flush_done(3, {"instances": 5})
    assert index.reader.view().heads == {"instances": 5, "series": 2}
    assert index.reader.waiting() == (0, None)


def test_a_view_holds_only_the_tail_above_what_is_known(index: Index) -> None:
    index.writer.commit([put(1, 1, number) for number in (1, 2, 3)])
    view = index.reader.view(since=2)
    assert [row.seq for row in view.tail] == [3]
    assert view.tail_seqs == [1, 2, 3]


def test_prune_keeps_what_a_snapshot_sees_and_drops_the_rest(index: Index) -> None:
    index.writer.commit([put(1), put(2)])
    index.writer.snapshot("keep")
    index.writer.delete(Level.STUDY, study_uid(1))
    index.writer.prune()
    assert index.reader.references([put(1).object]) == {put(1).object}
    index.writer.drop_snapshot("keep")
    assert index.writer.prune() > 0
    assert index.reader.references([put(1).object, put(2).object]) == {put(2).object}
    with index.database.read() as session:
        told = session.rows("SELECT told FROM upper_values")
    assert len(told) == 1, "what a deleted patient told is gone too"


def test_tombstones_end_when_the_files_no_longer_hold_their_rows(index: Index) -> None:
    index.writer.commit([put(1), put(2)])
    flush(index, 1)
    index.writer.delete_instances([sop_uid(1, 1, 1), sop_uid(2, 1, 1)])
    graves = index.reader.view().tombstones
    index.writer.commit([put(2)])
    index.writer.delete_instances([sop_uid(2, 1, 1)])
    index.writer.set_heads({"instances": 2}, applied=graves)
    (left,) = index.reader.view().tombstones
    assert left.SOPInstanceUID == sop_uid(2, 1, 1), "set anew meanwhile"


def test_names_are_used_once_and_must_exist(index: Index) -> None:
    index.writer.snapshot("a")
    with pytest.raises(Conflict):
        index.writer.snapshot("a")
    for act in (index.writer.reset, index.writer.drop_snapshot):
        with pytest.raises(NotFound):
            act("b")
    with pytest.raises(NotFound):
        index.writer.set_snapshot_heads("b", {})
    index.writer.drop_snapshot("a")
    assert index.reader.snapshots() == []


def test_references_find_odd_names_and_conflicts_in_every_epoch(index: Index) -> None:
    odd = "1.2.03.odd/\\uid"
    hashed = put(2, SOPInstanceUID=odd)
    hashed = type(hashed)(
        **{name: getattr(hashed, name) for name in hashed.__slots__} | {"object": "h/ab12.dcm"}
    )
    index.writer.commit([put(1), put(1, content="other"), hashed])
    index.writer.snapshot("s")
    index.writer.delete(Level.PATIENT, "P1")
    index.writer.delete(Level.PATIENT, "P2")
    paths = [put(1).object, put(1, content="other").object, "h/ab12.dcm", "gone/1.2.3.dcm", "x", ""]
    assert index.reader.references(paths) == set(paths[:3])
    index.writer.drop_snapshot("s")
    index.writer.prune()
    assert index.reader.references(paths) == set()
    assert index.reader.references([]) == set()
