"""The person names of an index: all, those that came since, and those beside the one that a study shows."""

from __future__ import annotations

from index_objects import put

from isocenter.index import Index


def test_names_come_once_and_then_only_what_is_new(index: Index) -> None:
    index.writer.commit([put(1, PatientName="Doe^Jane"), put(2, PatientName="Doe^Jane")])
    first = index.reader.names("PatientName")
    assert first.found == ["Doe^Jane"]
    assert index.reader.names("PatientName", first.seq).found == []
    index.writer.commit([put(3, PatientName="Müller^Jörg", OperatorsName="A^B\\C^D")])
    later = index.reader.names("PatientName", first.seq)
    assert later.found == ["Müller^Jörg"]
    assert later.seq > first.seq
    assert index.reader.names("OperatorsName").found == ["A^B\\C^D"]


def test_names_that_a_study_does_not_show_are_told(index: Index) -> None:
    index.writer.commit([put(1, PatientName="Doe^Jane"), put(1, number=2, PatientName="Roe^Jane")])
    assert sorted(index.reader.names("PatientName").found) == ["Doe^Jane", "Roe^Jane"]


def test_a_reset_is_told(index: Index) -> None:
    index.writer.snapshot("now")
    index.writer.set_snapshot_heads("now", {})
    index.writer.commit([put(2, PatientName="Roe^Jane")])
    before = index.reader.names("PatientName")
    index.writer.reset("now")
    after = index.reader.names("PatientName")
    assert (before.found, after.found) == (["Roe^Jane"], [])
    assert after.resets == before.resets + 1
