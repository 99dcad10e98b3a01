"""Downloads: files where the template says, whole or not at all, gone on with after an interruption."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pydicom
import pytest
from live_archive import instance
from pydicom.data import get_testdata_file

from isocenter.client import download as module
from isocenter.client.files import AS_STORED
from isocenter.client.resources import resource_of
from isocenter.client.transport import Response
from isocenter.errors import BadRequest, IsocenterError, NotFound

QUIET: dict[str, Any] = {"progress": False}
IMPLICIT = "MR_small_implicit.dcm"


@pytest.fixture(scope="module", autouse=True)
def _stored(web: Any, real: Any) -> None:
    web.store(*(instance(n, study="1.2.3", SliceThickness="1.5") for n in (1, 2, 3)))
    files = [get_testdata_file(name) for name in ("CT_small.dcm", IMPLICIT, "examples_palette.dcm")]
    real.store(files, progress=False).raise_for_failures()


@pytest.fixture
def study(real: Any) -> Any:
    return resource_of(real, "study", "1.2.3")


@pytest.fixture
def ct(real: Any) -> Any:
    uid = pydicom.dcmread(get_testdata_file("examples_palette.dcm"), stop_before_pixels=True).SOPInstanceUID
    return resource_of(real, "instance", str(uid))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_files_of_a_study_under_their_uids(study, web, tmp_path):
    report = study.download(tmp_path / "out", **QUIET)
    assert files(tmp_path / "out") == [f"1.2.3/1.2.3.1/1.2.3.1.{n}.dcm" for n in (1, 2, 3)]
    told = web.get(
        "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.2", headers={"Accept": AS_STORED}
    )
    assert report.paths[1].read_bytes() == told.content
    assert repr(report).startswith("<3 downloaded, 0 present, 0 failed; ")
    assert list(report.to_pandas().outcome) == ["downloaded"] * 3


def test_a_template_names_folders_and_files(study, tmp_path):
    study.download(tmp_path, "{Modality}_{SliceThickness}/{InstanceNumber:03}.dcm", **QUIET)
    assert files(tmp_path) == ["CT_1.5/001.dcm", "CT_1.5/002.dcm", "CT_1.5/003.dcm"]


def test_files_of_one_name_are_told_apart(study, tmp_path):
    study.download(tmp_path, "{Modality}.dcm", **QUIET)
    assert files(tmp_path) == [f"CT_1.2.3.1.{n}.dcm" for n in (1, 2, 3)]


def test_a_frame_a_uid_and_a_list(real, tmp_path):
    assert len(real.series.where(SeriesInstanceUID="1.2.3.1").download(tmp_path / "a", **QUIET).paths) == 3
    assert len(real.download("1.2.3.1.2", tmp_path / "b", **QUIET).paths) == 1
    assert len(real.download(["1.2.3.1.2", "1.2.3"], tmp_path / "c", **QUIET).paths) == 3, "each once"
    with pytest.raises(NotFound):
        real.download("1.2.99", tmp_path / "d", **QUIET)
    assert not (tmp_path / "d").exists()


def test_what_is_there_is_not_fetched_again(real, tmp_path):
    first = real.instances.download(tmp_path, **QUIET)
    assert len(first.downloaded) == 6
    told: list[tuple[int, int]] = []
    again = real.instances.download(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert (len(again.present), len(again.downloaded)) == (6, 0)
    assert told[-1] == (0, 0)


def test_progress_tells_what_is_really_transferred(real, tmp_path):
    told: list[tuple[int, int]] = []
    report = real.instances.download(tmp_path, progress=lambda done, total: told.append((done, total)))
    size = sum(path.stat().st_size for path in report.paths)
    assert told[-1] == (size, size)


def test_a_file_kept_in_implicit_vr_is_readable(real, tmp_path):
    stored = pydicom.dcmread(get_testdata_file(IMPLICIT))
    (path,) = real.download(str(stored.SOPInstanceUID), tmp_path, **QUIET).paths
    assert pydicom.dcmread(path) == stored


def part_of(instance_: Any, folder: Path) -> tuple[Path, bytes]:
    """The file of an instance, taken away again, and the name of its part."""
    (path,) = instance_.download(folder, **QUIET).paths
    whole = path.read_bytes()
    path.unlink()
    digest = instance_._sha256[:8]
    return path.with_name(f"{path.name}.{digest}.part"), whole


def test_a_part_is_continued_by_a_range(ct, tmp_path, monkeypatch):
    part, whole = part_of(ct, tmp_path)
    part.write_bytes(whole[:50_000])
    asked = []
    request = type(ct.transport).request
    monkeypatch.setattr(
        type(ct.transport), "request", lambda *a, **k: asked.append(k.get("headers")) or request(*a, **k)
    )
    (path,) = ct.download(tmp_path, **QUIET).paths
    assert [one["Range"] for one in asked if "Range" in one] == ["bytes=50000-"]
    assert path.read_bytes() == whole
    assert not part.exists()


def test_a_whole_part_only_gets_its_name(ct, tmp_path):
    part, whole = part_of(ct, tmp_path)
    part.write_bytes(whole)
    told: list[tuple[int, int]] = []
    (path,) = ct.download(tmp_path, progress=lambda done, total: told.append((done, total))).paths
    assert (path.read_bytes(), told[-1]) == (whole, (0, 0))


@pytest.mark.parametrize("size", [40_000, 10_000_000])
def test_a_part_of_something_else_is_begun_again(ct, tmp_path, size):
    part, whole = part_of(ct, tmp_path)
    part.write_bytes(bytes(size))
    (path,) = ct.download(tmp_path, **QUIET).paths
    assert path.read_bytes() == whole


def test_another_file_of_the_name_is_not_overwritten_unless_told(ct, tmp_path):
    part, whole = part_of(ct, tmp_path)
    path = part.with_name(f"{ct.uid}.dcm")
    path.write_bytes(b"mine")
    report = ct.download(tmp_path, **QUIET)
    assert "overwrite=True" in report.failed[0].reason
    assert path.read_bytes() == b"mine"
    with pytest.raises(IsocenterError, match="1 files were not downloaded"):
        report.raise_for_failures()
    assert "another file" in report._repr_html_()
    ct.download(tmp_path, overwrite=True, **QUIET).raise_for_failures()
    assert path.read_bytes() == whole


def test_a_damaged_file_is_found_by_its_digest(ct, tmp_path):
    part, whole = part_of(ct, tmp_path)
    path = part.with_name(f"{ct.uid}.dcm")
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert ct.download(tmp_path, **QUIET).present, "its size is right"
    assert ct.download(tmp_path, verify=True, overwrite=True, **QUIET).downloaded
    assert path.read_bytes() == whole
    assert ct.download(tmp_path, verify=True, **QUIET).present


def test_a_broken_connection_is_gone_on_with(ct, tmp_path, monkeypatch):
    _, whole = part_of(ct, tmp_path)
    readinto, broken = Response.readinto, []

    def once(self: Response, buffer: Any) -> int:
        if not broken and self._answer.length and self._answer.length < len(whole) - 60_000:
            broken.append(True)
            self._connection.sock.close()
        return readinto(self, buffer)

    monkeypatch.setattr(module, "_BLOCK", 20_000)
    monkeypatch.setattr(Response, "readinto", once)
    told: list[tuple[int, int]] = []
    (path,) = ct.download(tmp_path, progress=lambda done, total: told.append((done, total))).paths
    assert broken
    assert path.read_bytes() == whole
    assert told[-1] == (len(whole), len(whole))


def test_ctrl_c_leaves_parts_to_go_on_with(ct, tmp_path, monkeypatch):
    part, whole = part_of(ct, tmp_path)
    readinto, pressed, stop = Response.readinto, threading.Event(), threading.Event()

    def press(self: Response, buffer: Any) -> int:
        if threading.current_thread() is not threading.main_thread() and self._answer.length:
            if self._answer.length < len(whole) - 60_000 and not pressed.is_set():
                pressed.set()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            if pressed.is_set():
                while not stop.wait(2):  # a signal just before Python begins to wait is not heard
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return readinto(self, buffer)

    monkeypatch.setattr(module, "Event", lambda: stop)
    monkeypatch.setattr(module, "_BLOCK", 20_000)
    monkeypatch.setattr(Response, "readinto", press)
    with pytest.raises(KeyboardInterrupt):
        ct.download(tmp_path, **QUIET)
    assert 60_000 <= part.stat().st_size < len(whole)
    monkeypatch.undo()
    (path,) = ct.download(tmp_path, **QUIET).paths
    assert path.read_bytes() == whole


def test_one_file_that_cannot_be_written_does_not_stop_the_others(study, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1.2.3.1.2.dcm").mkdir()
    report = study.download(tmp_path / "out", "{SOPInstanceUID}.dcm", **QUIET)
    assert (len(report.downloaded), len(report.failed)) == (2, 1)


def test_a_folder_that_is_a_file_is_told(study, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadRequest, match="is a file"):
        study.download(tmp_path / "file", **QUIET)
