"""A view shows another dataset de-identified: no original value in any answer, only the bytes promised."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from postgres_server import PostgresServer
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset as DataSet
from pydicom.uid import generate_uid

from isocenter.app import register
from isocenter.archive import Archive, Dataset
from isocenter.archive.arrival import Origin
from isocenter.archive.following import DEADLY, Following, Trial, is_behind, trial_of
from isocenter.archive.rebuild import rebuild
from isocenter.config import Settings, load
from isocenter.deid.files import End
from isocenter.deid.key_ring import KeyRing
from isocenter.deid.recipe import Recipe
from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest, Damaged, Forbidden, Gone, NotFound
from isocenter.objects import LocalStore

NAME, ID = "Mustermann^Erika", "PID-7788123"
RECIPE: dict[str, Any] = {"options": ["modified-dates"]}

Opens = Callable[..., Archive]


def ct(number: int = 1, **more: Any) -> DataSet:
    """A CT slice of a person."""
    made = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    made.PatientName, made.PatientID, made.InstanceNumber = NAME, ID, number
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.4.5001", "1.2.3.4.5001.2"
    made.SOPInstanceUID = f"1.2.3.4.5001.2.{number}"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


def raw(made: DataSet) -> bytes:
    stream = io.BytesIO()
    made.save_as(stream)
    return stream.getvalue()


def store(archive: Archive, *objects: DataSet) -> None:
    for one in objects:
        archive.datasets["main"].store(raw(one), Origin("SCANNER7"))


def follow(archive: Archive) -> Dataset:
    view = archive.datasets["research"]
    Following(view, archive.datasets["main"]).run()
    assert view.view is not None
    assert not is_behind(view.view)
    return view


def read(dataset: Dataset, one: Any) -> bytes:
    with dataset.open(one) as file:
        return file.read()


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Opens]:
    """Opens the archive with its view, again if asked."""
    register()
    opened: list[Archive] = []

    def open_it(recipe: dict[str, Any] = RECIPE, **more: Any) -> Archive:
        view = {"ae_title": "RESEARCH", "view_of": "main", "deid": recipe}
        settings = Settings(data=tmp_path / "data", datasets={"research": view}, **more)
        opened.append(Archive.open(settings, query_process=False))
        return opened[-1]

    yield open_it
    for archive in opened:
        archive.close()


@pytest.fixture
def archive(opens: Opens) -> Archive:
    return opens()


class TestWhatIsShown:
    def test_the_instances_have_new_identifiers_only(self, archive: Archive) -> None:
        store(archive, ct(1), ct(2))
        view = follow(archive)
        (study,) = view.find(Level.STUDY)
        found = view.instances()
        assert len(found) == 2
        told = repr((study, list(view.find(Level.INSTANCE)), found, view.changes(0, 100)))
        table = view.table(Level.INSTANCE).read_all()
        told += repr(table.to_pylist()) + repr(list(view.columns(Level.INSTANCE)))
        for value in (NAME, "Mustermann", ID, "1.2.3.4.5001", "SCANNER7"):
            assert value not in told
        assert table.num_rows == 2

    def test_flushed_rows_have_no_original_value_either(self, archive: Archive) -> None:
        store(archive, ct(1))
        view = follow(archive)
        view.flush()
        told = repr(view.table(Level.INSTANCE).read_all().to_pylist())
        assert "PatientID" in told
        assert not any(value in told for value in ("Mustermann", ID, "1.2.3.4.5001"))
        files = [path.read_bytes() for path in view.place.folder.rglob("*.parquet")]
        assert files
        assert not any(b"Mustermann" in one or b"1.2.3.4.5001" in one for one in files)

    def test_the_data_set_is_that_of_a_file_de_identified_by_the_same_key(
        self, archive: Archive, tmp_path: Path
    ) -> None:
        store(archive, ct(1))
        view = follow(archive)
        source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
        source.write_bytes(raw(ct(1)))
        key = KeyRing.of(archive.data).get("default")
        done = Recipe.from_json(RECIPE).deidentifier(key).file(source, target)
        assert done.end is End.OUT
        (one,) = view.instances()
        assert one.SOPInstanceUID == done.sop_instance
        made, file = read(view, one), target.read_bytes()
        assert made[one.data_set_offset :] == file[len(file) - len(made) + one.data_set_offset :]
        assert len(made) == one.size

    def test_nothing_is_written_to_the_objects(self, archive: Archive) -> None:
        store(archive, ct(1), ct(2))
        view = follow(archive)
        for one in view.instances():
            read(view, one)
        assert len(list((archive.data / "objects").rglob("*.dcm"))) == 2
        assert list((archive.data / "cache").rglob("*")) == []

    def test_what_is_quarantined_is_never_there(self, archive: Archive) -> None:
        store(archive, ct(1), ct(2, BurnedInAnnotation="YES"))
        view = follow(archive)
        assert view.count(Level.INSTANCE) == 1
        assert view.view is not None
        assert list(view.view.standing().kept_back.values()) == [1]

    def test_when_something_came_is_not_told(self, archive: Archive) -> None:
        store(archive, ct(1))
        first = follow(archive).instances()[0].received
        time.sleep(0.01)
        store(archive, ct(2))
        assert {one.received for one in follow(archive).instances()} == {first}


class TestInStep:
    def test_what_is_deleted_from_the_source_goes(self, archive: Archive) -> None:
        store(archive, ct(1), ct(2))
        view = follow(archive)
        archive.datasets["main"].delete(Level.INSTANCE, "1.2.3.4.5001.2.1")
        assert len(follow(archive).instances()) == 1
        archive.datasets["main"].delete(Level.STUDY, "1.2.3.4.5001")
        follow(archive)
        assert list(view.find(Level.STUDY)) == []

    def test_until_then_it_cannot_be_opened(self, archive: Archive) -> None:
        store(archive, ct(1))
        (one,) = follow(archive).instances()
        archive.datasets["main"].delete(Level.INSTANCE, "1.2.3.4.5001.2.1")
        with pytest.raises(Gone, match="is not in main any more"):
            read(archive.datasets["research"], one)

    def test_what_is_replaced_is_made_anew_and_the_old_is_gone(self, opens: Opens) -> None:
        archive = opens(on_conflict="replace")
        store(archive, ct(1))
        (old,) = follow(archive).instances()
        store(archive, ct(1, SliceThickness="2.5"))
        with pytest.raises(Gone):
            read(archive.datasets["research"], old)
        (new,) = follow(archive).instances()
        assert (new.SOPInstanceUID, new.object == old.object) == (old.SOPInstanceUID, False)
        assert pydicom.dcmread(io.BytesIO(read(archive.datasets["research"], new))).SliceThickness == 2.5

    def test_a_reset_of_the_source_is_followed(self, archive: Archive) -> None:
        store(archive, ct(1))
        archive.datasets["main"].snapshot("exam")
        store(archive, ct(2))
        follow(archive)
        archive.datasets["main"].reset("exam")
        assert len(follow(archive).instances()) == 1

    def test_a_log_that_was_trimmed_is_made_up_for(self, archive: Archive) -> None:
        store(archive, ct(1), ct(2))
        follow(archive)
        archive.datasets["main"].delete(Level.INSTANCE, "1.2.3.4.5001.2.1")
        store(archive, ct(3))
        archive.datasets["main"].index.writer.trim_changes(1)
        assert sorted(one.InstanceNumber or 0 for one in follow(archive).instances()) == [2, 3]

    def test_what_a_process_died_of_three_times_is_kept_back(self, archive: Archive) -> None:
        store(archive, ct(1), ct(2))
        for _ in range(3):
            Trial(trial_of(archive.datasets["research"])).begin("1.2.3.4.5001.2.1")
        view = follow(archive)
        assert view.view is not None
        assert view.view.standing().kept_back == {DEADLY: 1}
        assert view.count(Level.INSTANCE) == 1

    @pytest.mark.parametrize(
        "seconds", [0.1, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.02, 0.3))]
    )
    def test_killed_in_the_middle_nothing_is_lost_or_doubled(self, opens: Opens, seconds: float) -> None:
        archive = opens()
        store(archive, *(ct(number) for number in range(1, 71)))
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(archive.data)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child.stdout as told:
            assert told.readline() == "begun\n"
            time.sleep(seconds)
            child.send_signal(signal.SIGKILL)
            child.wait()
        view = follow(archive)
        found = [one.InstanceNumber for one in view.instances()]
        assert sorted(number or 0 for number in found) == list(range(1, 71))
        view.flush()
        assert view.table(Level.INSTANCE).read_all().num_rows == 70
        assert archive.verify().findings == []


CHILD = f"""
import sys
from isocenter.app import register
from isocenter.archive import Archive
from isocenter.archive.following import Following
from isocenter.config import Settings
register()
view = {{"ae_title": "RESEARCH", "view_of": "main", "deid": {RECIPE!r}}}
archive = Archive(Settings(data=sys.argv[1], datasets={{"research": view}}), query_process=False)
print("begun", flush=True)
Following(archive.datasets["research"], archive.datasets["main"]).run()
"""


class TestRecipe:
    def test_another_recipe_makes_the_view_anew(self, opens: Opens) -> None:
        archive = opens()
        store(archive, ct(1))
        (old,) = follow(archive).instances()
        archive.close()
        archive = opens({"options": []})
        view = archive.datasets["research"]
        assert view.view is not None
        assert view.view.standing().up_to is None
        (new,) = follow(archive).instances()
        assert new.sha256 != old.sha256
        assert pydicom.dcmread(io.BytesIO(read(view, new))).get("StudyDate", "") == ""

    def test_so_does_another_key(self, opens: Opens) -> None:
        archive = opens()
        KeyRing.of(archive.data).make("other")
        store(archive, ct(1))
        (old,) = follow(archive).instances()
        archive.close()
        archive = opens({**RECIPE, "key": "other"})
        (new,) = follow(archive).instances()
        assert new.SOPInstanceUID != old.SOPInstanceUID
        assert len(list(archive.datasets["research"].find(Level.STUDY))) == 1

    def test_bytes_that_are_not_those_promised_are_not_handed_out(self, archive: Archive) -> None:
        store(archive, ct(1))
        view = follow(archive)
        (one,) = view.instances()
        path = KeyRing.of(archive.data).folder / "default.key"
        KeyRing.of(archive.data).make("other")
        path.write_text((path.parent / "other.key").read_text())
        assert view.view is not None
        view.view.derivation.__dict__.pop("_again", None)
        view.view.derivation.__dict__["_key"] = KeyRing.of(archive.data).get("other")
        with pytest.raises(Damaged, match="other bytes"):
            read(view, one)

    @pytest.mark.parametrize(
        ("view", "words"),
        [
            ({"view_of": "none"}, "no dataset 'none'"),
            ({"deid": {"options": []}}, "say view_of"),
        ],
    )
    def test_settings_that_do_not_fit_are_told(self, tmp_path: Path, view: Any, words: str) -> None:
        (tmp_path / "isocenter.toml").write_text("")
        flags = {"data": tmp_path, "datasets": {"research": {"ae_title": "R", **view}}}
        with pytest.raises(BadRequest, match=words):
            load(flags)

    def test_a_key_that_is_not_there_is_told_with_its_place(self, opens: Opens) -> None:
        view = opens({"key": "mine"}).datasets["research"].view
        assert view is not None
        with pytest.raises(NotFound, match=r"datasets\.research\.deid"):
            view.standing()


class TestKeeping:
    def test_a_view_is_read_only(self, archive: Archive) -> None:
        view = archive.datasets["research"]
        for change in (
            lambda: view.receive(Origin()),
            lambda: view.delete(Level.STUDY, "1.2"),
            lambda: view.snapshot("x"),
            lambda: view.reset("x"),
        ):
            with pytest.raises(Forbidden, match="view of main"):
                change()

    def test_verify_looks_at_a_view_and_repairs_nothing_there(self, archive: Archive) -> None:
        store(archive, ct(1), ct(2))
        follow(archive).flush()
        report = archive.verify(repair=True)
        assert (report.findings, report.objects) == ([], 4)

    def test_a_view_keeps_no_object_from_the_sweep(self, archive: Archive) -> None:
        store(archive, ct(1))
        follow(archive)
        assert archive.sweep(grace=-1).removed == ()
        archive.datasets["main"].delete(Level.STUDY, "1.2.3.4.5001")
        archive.datasets["main"].index.writer.prune()
        assert len(archive.sweep(grace=-1).removed) == 1
        (one,) = archive.datasets["research"].instances()
        with pytest.raises(Gone):
            read(archive.datasets["research"], one)
        assert archive.verify().findings == []

    def test_a_rebuilt_view_is_empty_and_fills_again(self, opens: Opens) -> None:
        archive = opens()
        store(archive, ct(1), ct(2))
        before = {one.SOPInstanceUID for one in follow(archive).instances()}
        archive.close()
        rebuild(archive.settings, "research", LocalStore(archive.data / "objects"))
        archive = opens()
        assert archive.datasets["research"].count(Level.INSTANCE) == 0
        assert {one.SOPInstanceUID for one in follow(archive).instances()} == before
        assert archive.verify().findings == []

    def test_a_rebuilt_source_is_followed(self, opens: Opens) -> None:
        archive = opens()
        store(archive, ct(1), ct(2))
        follow(archive)
        archive.close()
        objects = LocalStore(archive.data / "objects")
        rebuild(archive.settings, "main", objects, source="objects")
        archive = opens()
        store(archive, ct(3))
        view = follow(archive)
        assert view.count(Level.INSTANCE) == 3
        for one in view.instances():
            assert len(read(view, one)) == one.size

    def test_a_dataset_with_objects_does_not_become_a_view(self, tmp_path: Path, opens: Opens) -> None:
        plain = Settings(data=tmp_path / "data", datasets={"research": {"ae_title": "RESEARCH"}})
        with Archive.open(plain, query_process=False) as archive:
            archive.datasets["research"].store(raw(ct(1)), Origin())
        with pytest.raises(BadRequest, match="has objects and cannot be a view"):
            opens()

    def test_a_view_does_not_become_a_dataset(self, tmp_path: Path, opens: Opens) -> None:
        opens().close()
        plain = Settings(data=tmp_path / "data", datasets={"research": {"ae_title": "RESEARCH"}})
        with pytest.raises(BadRequest, match="was a view"):
            Archive.open(plain, query_process=False)


def test_large_objects_are_kept_in_the_cache_and_made_once(archive: Archive) -> None:
    """Of a file of many frames, each is asked for."""
    large = ct(1, NumberOfFrames=1)
    large.Rows, large.Columns = 2048, 2048
    large.PixelData = bytes(2048 * 2048 * 2)
    large.SOPInstanceUID = large.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    store(archive, large)
    view = follow(archive)
    (one,) = view.instances()
    first = read(view, one)
    (kept,) = [path for path in (archive.data / "cache").rglob("object") if path.is_file()]
    assert kept.read_bytes() == first == read(view, one)
    archive.datasets["main"].delete(Level.STUDY, "1.2.3.4.5001")
    with pytest.raises(Gone):
        read(view, one)


@pytest.mark.postgres
def test_a_view_with_its_index_in_postgresql(opens: Opens, postgres_server: PostgresServer) -> None:
    archive = opens(index={"url": postgres_server.new_database("view")})
    store(archive, ct(1), ct(2), ct(3, BurnedInAnnotation="YES"))
    view = follow(archive)
    assert [len(read(view, one)) == one.size for one in view.instances()] == [True, True]
    view.flush()
    archive.datasets["main"].delete(Level.INSTANCE, "1.2.3.4.5001.2.1")
    assert len(follow(archive).instances()) == 1
    assert {one.kind for one in archive.verify().findings} == {"orphan"}  # of main: not swept yet


@pytest.mark.postgres
def test_another_machine_with_the_same_index_takes_part(
    opens: Opens, postgres_server: PostgresServer
) -> None:
    url = postgres_server.new_database("view_shared")
    archive = opens(index={"url": url})
    store(archive, ct(1))
    mark = follow(archive).place.folder / ".view"
    archive.close()
    mark.unlink()
    assert opens(index={"url": url}).datasets["research"].count(Level.INSTANCE) == 1
    assert mark.exists()
