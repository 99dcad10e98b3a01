"""Storing objects: what is acknowledged is durable, found, and byte for byte what was sent."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import threading
from pathlib import Path

import pytest
from data_sets import CT, EXPLICIT, data_set, part10
from pyarrow import fs
from tests.unit.archive.conftest import OpenArchive

from isocenter.archive import Archive, Dataset, Mismatch, Origin, Rejected
from isocenter.config import Settings
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Everything
from isocenter.errors import NoSpace, NotFound, Unavailable, UnreadableObject
from isocenter.objects import HEAD_SIZE
from isocenter.objects.part10 import measure, read_head
from isocenter.objects.remote import RemoteStore

SCANNER = Origin("SCANNER", "ISOCENTER", "192.0.2.1")


def stored_bytes(dataset: Dataset, uid: str) -> bytes:
    (instance,) = dataset.instances(Equal(("SOPInstanceUID",), uid))
    with dataset.open(instance) as file:
        return file.read()


def test_a_data_set_is_stored_byte_for_byte_and_found_at_once(main: Dataset) -> None:
    raw = data_set(SOPInstanceUID="1.2.3.4.5", PatientName="Müller^Jürgen", pixels=b"ab" * 1000)
    outcome = main.store(raw, SCANNER, EXPLICIT)
    assert outcome.kind == "stored"
    assert stored_bytes(main, "1.2.3.4.5")[HEAD_SIZE:] == raw
    (row,) = main.find(Level.STUDY, Equal(("PatientName",), "MULLER^JURGEN"))
    assert row["PatientName"] == "Müller^Jürgen"
    (instance,) = main.instances()
    assert instance.source_aet == "SCANNER"
    assert instance.size == HEAD_SIZE + len(raw)
    assert instance.sha256 == hashlib.sha256(raw + EXPLICIT.encode()).hexdigest()
    with main.open(instance) as file:
        head, identity, whole = measure(file)
    assert (identity, whole) == (instance.sha256, instance.file_sha256)
    assert head.provenance.source_aet == "SCANNER"
    assert head.provenance.received == instance.received


def test_of_a_part_10_file_the_data_set_stays_and_preamble_and_meta_are_ours(main: Dataset) -> None:
    raw = data_set(SOPInstanceUID="1.2.3.4.5")
    sent = part10(raw, meta_instance="9.9.9")
    main.store(sent, SCANNER)
    kept = stored_bytes(main, "1.2.3.4.5")
    assert kept[HEAD_SIZE:] == raw
    assert kept[:128] == bytes(128)
    (instance,) = main.instances()
    with main.open(instance) as file:
        assert read_head(file).sop_instance == "1.2.3.4.5"


@pytest.mark.parametrize("step", [1, 7, 131, 132, 1000])
def test_a_file_may_arrive_in_pieces_of_any_size(main: Dataset, step: int) -> None:
    raw = data_set(SOPInstanceUID="1.2.3.4.5", pixels=b"xy" * 2000)
    sent = part10(raw)
    reception = main.receive(SCANNER)
    for at in range(0, len(sent), step):
        reception.feed(sent[at : at + step])
    assert reception.finish().result(60).outcome.kind == "stored"
    assert stored_bytes(main, "1.2.3.4.5")[HEAD_SIZE:] == raw


def test_a_bare_data_set_without_a_told_syntax_is_stored_too(main: Dataset) -> None:
    raw = data_set()
    assert main.store(raw, SCANNER).kind == "stored"
    assert main.instances()[0].transfer_syntax == EXPLICIT


def test_identical_bytes_are_a_success_that_changes_nothing(main: Dataset) -> None:
    raw = data_set()
    first = main.store(raw, SCANNER, EXPLICIT)
    before = main.instances()
    again = main.store(part10(raw), Origin("OTHER"))
    assert (first.kind, again.kind) == ("stored", "duplicate")
    assert main.instances() == before
    assert len(list(main.objects.list())) == 1


def test_a_name_that_is_taken_while_the_rows_are_written_is_looked_at_then(
    open_archive: OpenArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(index={"lock_timeout": 0.2})
    main = archive.datasets["main"]
    other = Archive.open(archive.settings, query_process=False)
    with other, other.datasets["main"].index.database.write(), pytest.raises(Unavailable):
        main.store(data_set(), Origin("FIRST"), EXPLICIT)
    monkeypatch.setattr(main.objects, "info", lambda relpath: None)  # it looked before the name was given
    assert main.store(data_set(), Origin("SECOND"), EXPLICIT).kind == "stored"
    monkeypatch.undo()
    assert main.instances()[0].source_aet == "FIRST"
    assert archive.verify().findings == []


def test_a_file_that_cannot_be_made_durable_is_refused_and_leaves_nothing(
    main: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("isocenter.objects.incoming.os.fsync", full)
    with pytest.raises(NoSpace):
        main.store(data_set(), SCANNER, EXPLICIT)
    monkeypatch.undo()
    assert main.instances() == []
    assert list(main.objects.list()) == []
    assert main.store(data_set(), SCANNER, EXPLICIT).kind == "stored"


def test_an_object_that_is_there_already_is_made_durable_before_it_is_told_stored(
    main: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever brought it may be waiting for the disk still."""
    main.store(data_set(), SCANNER, EXPLICIT)
    target = main.objects.path(main.instances()[0].object)
    synced, fsync = [], os.fsync

    def noted(file: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{file}")))
        fsync(file)

    monkeypatch.setattr(os, "fsync", noted)
    assert main.store(data_set(), SCANNER, EXPLICIT).kind == "duplicate"
    assert target in synced


def test_other_bytes_are_kept_beside_the_first_by_default(main: Dataset) -> None:
    main.store(data_set(InstanceNumber=1), SCANNER, EXPLICIT)
    outcome = main.store(data_set(InstanceNumber=2), SCANNER, EXPLICIT)
    assert outcome.kind == "conflict"
    assert [one.InstanceNumber for one in main.instances()] == [1]
    assert len(list(main.objects.list())) == 2


def test_other_bytes_replace_when_the_dataset_says_so(open_archive: OpenArchive) -> None:
    main = open_archive(on_conflict="replace").datasets["main"]
    main.store(data_set(InstanceNumber=1), SCANNER, EXPLICIT)
    assert main.store(data_set(InstanceNumber=2), SCANNER, EXPLICIT).kind == "replaced"
    assert [one.InstanceNumber for one in main.instances()] == [2]


def test_other_bytes_are_refused_when_the_dataset_says_so(open_archive: OpenArchive) -> None:
    archive = open_archive(on_conflict="reject")
    main = archive.datasets["main"]
    main.store(data_set(InstanceNumber=1), SCANNER, EXPLICIT)
    with pytest.raises(Rejected):
        main.store(data_set(InstanceNumber=2), SCANNER, EXPLICIT)
    assert [one.InstanceNumber for one in main.instances()] == [1]
    assert len(archive.sweep(grace=-5).removed) == 1


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_without_its_uids_nothing_is_stored(main: Dataset, missing: str) -> None:
    with pytest.raises(UnreadableObject, match=missing):
        main.store(data_set(**{missing: ""}), SCANNER, EXPLICIT)
    assert list(main.objects.list()) == []


@pytest.mark.parametrize(
    "raw", [b"", b"x", bytes(131), bytes(200), b"\xff" * 5000, b"<html>" * 100, bytes(128) + b"DICM"]
)
def test_what_is_not_dicom_is_refused_and_leaves_nothing(main: Dataset, raw: bytes, tmp_path: Path) -> None:
    for syntax in (None, EXPLICIT):
        with pytest.raises(UnreadableObject):
            main.store(raw, SCANNER, syntax)
    assert [path for path in (tmp_path / "data" / "objects").rglob("*") if path.name[0] != "."] == []
    assert list((tmp_path / "data" / "objects" / ".incoming").iterdir()) == []


def test_command_and_data_set_must_name_the_same_instance_and_class(main: Dataset) -> None:
    raw = data_set(SOPInstanceUID="1.2.3")
    for told in ((CT, "1.2.4"), ("1.2.840.10008.5.1.4.1.1.4", "1.2.3")):
        reception = main.receive(SCANNER, EXPLICIT, *told)
        reception.feed(raw)
        with pytest.raises(Mismatch):
            reception.finish().result(60)
    assert main.count(Level.INSTANCE) == 0
    reception = main.receive(SCANNER, EXPLICIT, CT, "1.2.3")
    reception.feed(raw)
    assert reception.finish().result(60).outcome.kind == "stored"


@pytest.mark.parametrize("uid", ["1.02.3", "ABC", "../../etc/passwd", "1.2/3", "9" * 70, "1.2.3 4"])
def test_uids_that_are_none_are_kept_verbatim_and_stored_under_a_hash(archive: Archive, uid: str) -> None:
    main = archive.datasets["main"]
    raw = data_set(SOPInstanceUID=uid, StudyInstanceUID=uid)
    main.store(raw, SCANNER, EXPLICIT)
    assert stored_bytes(main, uid)[HEAD_SIZE:] == raw
    assert main.store(raw, SCANNER, EXPLICIT).kind == "duplicate"
    (info,) = main.objects.list()
    assert info.relpath.startswith("h-")
    assert archive.verify().findings == []


def test_a_conflict_that_was_adopted_can_be_adopted_back_and_forth(main: Dataset) -> None:
    first, second = data_set(InstanceNumber=1), data_set(InstanceNumber=2)
    main.store(first, SCANNER, EXPLICIT)
    main.flush()
    main.store(second, Origin("OTHER"), EXPLICIT)
    for number, sender in ((2, "OTHER"), (1, "SCANNER"), (2, "OTHER"), (1, "SCANNER")):
        (conflict,) = main.conflicts()
        assert main.adopt_conflict(conflict.id).kind == "replaced"
        (one,) = main.instances()
        assert (one.InstanceNumber, one.source_aet) == (number, sender)
        main.flush()
        with main.table(Level.INSTANCE, None, ["InstanceNumber"]) as reader:
            assert reader.read_all().to_pylist() == [{"InstanceNumber": number}]
    with pytest.raises(NotFound):
        main.adopt_conflict(conflict.id + 1000)


def test_a_conflict_whose_object_is_lost_is_not_adopted(main: Dataset) -> None:
    main.store(data_set(InstanceNumber=1), SCANNER, EXPLICIT)
    main.flush()
    main.store(data_set(InstanceNumber=2), SCANNER, EXPLICIT)
    main.adopt_conflict(main.conflicts()[0].id)
    (back,) = main.conflicts()
    main.objects.delete(back.object)
    with pytest.raises(NotFound):
        main.adopt_conflict(back.id)
    assert [one.InstanceNumber for one in main.instances()] == [2]


def test_a_damaged_object_heals_when_it_is_sent_again(main: Dataset) -> None:
    raw = data_set(pixels=b"ab" * 500)
    main.store(raw, SCANNER, EXPLICIT)
    (instance,) = main.instances()
    path = main.objects.path(instance.object)
    assert path is not None
    path.write_bytes(path.read_bytes()[:-100])
    assert main.store(raw, SCANNER, EXPLICIT).kind == "duplicate"
    assert path.read_bytes()[HEAD_SIZE:] == raw


def test_two_objects_whose_digests_begin_alike_are_both_kept(main: Dataset) -> None:
    """Whoever finds two such objects must not be able to overwrite the first by the second."""
    first, second = data_set(InstanceNumber=1), data_set(InstanceNumber=2)
    main.store(first, SCANNER, EXPLICIT)
    (instance,) = main.instances()
    head = (main.objects.path(instance.object) or Path()).read_bytes()[:HEAD_SIZE]
    digest = hashlib.sha256(second + EXPLICIT.encode()).hexdigest()
    taken = instance.object.rsplit("/", 1)[0] + f"/1.2.3.4.{digest[:8]}.dcm"
    # Nobody can make such a pair in a test: an object whose name lies stands in for it.
    (main.objects.path(taken) or Path()).write_bytes(head + first)
    outcome = main.store(second, SCANNER, EXPLICIT)
    assert outcome.kind == "conflict"
    assert stored_bytes(main, "1.2.3.4")[HEAD_SIZE:] == first


def test_many_senders_at_once_lose_nothing_and_arrival_times_tell_the_order(main: Dataset) -> None:
    def send(sender: int) -> None:
        for n in range(25):
            raw = data_set(SOPInstanceUID=f"1.9.{sender}.{n}", SeriesInstanceUID=f"1.9.{sender}")
            main.store(raw, Origin(f"S{sender}"), EXPLICIT)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = main.instances()
    assert {one.SOPInstanceUID for one in found} == {f"1.9.{s}.{n}" for s in range(8) for n in range(25)}
    assert len({one.received for one in found}) == 200
    assert len({one.seq for one in found}) == 200


def test_two_processes_share_one_folder(open_archive: OpenArchive) -> None:
    first, second = (open_archive().datasets["main"] for _ in range(2))
    order = [first, second] * 10
    random.Random(1).shuffle(order)
    for n, dataset in enumerate(order):
        dataset.store(data_set(SOPInstanceUID=f"1.5.{n}"), SCANNER, EXPLICIT)
    assert first.count(Level.INSTANCE) == second.count(Level.INSTANCE) == 20
    assert first.store(data_set(SOPInstanceUID="1.5.0"), SCANNER, EXPLICIT).kind == "duplicate"


def test_the_called_ae_title_picks_the_dataset(open_archive: OpenArchive) -> None:
    archive = open_archive(datasets={"lab": {"ae_title": "LAB"}})
    lab = archive.dataset_of_ae("LAB ")
    assert lab is archive.datasets["lab"]
    assert archive.dataset_of_ae("NOBODY") is None
    raw = data_set()
    assert archive.datasets["lab"].store(raw, SCANNER, EXPLICIT).kind == "stored"
    assert archive.datasets["main"].count(Level.INSTANCE) == 0
    assert archive.datasets["main"].store(raw, SCANNER, EXPLICIT).kind == "stored"
    assert len(list(archive.objects.list())) == 1


def test_objects_are_swept_only_when_no_dataset_names_them(open_archive: OpenArchive) -> None:
    archive = open_archive(datasets={"lab": {"ae_title": "LAB"}})
    main, lab = archive.datasets["main"], archive.datasets["lab"]
    raw = data_set()
    main.store(raw, SCANNER, EXPLICIT)
    lab.store(raw, SCANNER, EXPLICIT)
    main.delete(Level.STUDY, "1.2.3")
    assert main.count(Level.INSTANCE, Everything()) == 0
    assert archive.sweep(grace=-5).removed == ()
    lab.delete(Level.STUDY, "1.2.3")
    assert archive.sweep(grace=3600).removed == ()
    assert len(archive.sweep(grace=-5).removed) == 1
    assert list(archive.objects.list()) == []


def test_a_dataset_that_is_out_of_the_settings_keeps_its_objects(open_archive: OpenArchive) -> None:
    with open_archive(datasets={"lab": {"ae_title": "LAB"}}) as archive:
        archive.datasets["lab"].store(data_set(), SCANNER, EXPLICIT)
    archive = open_archive()
    assert archive.sweep(grace=-5).removed == ()
    assert archive.verify(repair=True).findings == []


def test_a_remote_store_takes_objects_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    bucket = fs.SubTreeFileSystem(str(tmp_path / "bucket"), fs.LocalFileSystem())
    store = RemoteStore(bucket, "objects", tmp_path / "scratch")
    settings = Settings(data=tmp_path / "data", on_conflict="replace")
    with Archive.open(settings, store, query_process=False) as archive:
        main = archive.datasets["main"]
        raw = data_set(InstanceNumber=1)
        assert main.store(raw, SCANNER, EXPLICIT).kind == "stored"
        assert main.store(raw, SCANNER, EXPLICIT).kind == "duplicate"
        assert main.store(data_set(InstanceNumber=2), SCANNER, EXPLICIT).kind == "replaced"
        assert stored_bytes(main, "1.2.3.4")[HEAD_SIZE:] == data_set(InstanceNumber=2)
        assert main.header(main.instances()[0]).text("InstanceNumber") == "2"
        main.flush()
        report = archive.verify(repair=True)
        assert [one.kind for one in report.findings] == ["orphan"]
        assert archive.verify().findings == []


def test_a_locked_index_is_unavailable_and_nothing_is_acknowledged(open_archive: OpenArchive) -> None:
    archive: Archive = open_archive(index={"lock_timeout": 0.3})
    main = archive.datasets["main"]
    other = open_archive().datasets["main"]
    with other.index.database.write(), pytest.raises(Unavailable):
        main.store(data_set(), SCANNER, EXPLICIT)
    assert main.count(Level.INSTANCE) == 0
    assert main.store(data_set(), SCANNER, EXPLICIT).kind == "stored"
