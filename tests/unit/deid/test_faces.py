"""Volumes of the head lose the face and nothing else, or do not leave (PS3.15 E.3.2)."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless, RTStructureSetStorage
from tests.support import heads

from isocenter.deid import Deidentifier, Key, Policies, Recipe, Uncleared
from isocenter.deid import heads as seen_heads
from isocenter.deid.defacing import Cut, check, plan
from isocenter.deid.faces import find_faces
from isocenter.deid.files import End
from isocenter.deid.run import Run
from isocenter.deid.stacks import NoVolume, Placed, read_coarse, stacked

KEY = Key(bytes(range(32)))
OPTION = "clean-recognizable-visual-features"
COARSE: dict[str, Any] = {"spacing": 3.0, "step": 4.0}


def defacing(**more: Any) -> Deidentifier:
    return Deidentifier(KEY, options=[OPTION], **more)


def results(folder: Path) -> list[Dataset]:
    """Results of one series, from low to high along their stack."""
    found = [pydicom.dcmread(path) for path in folder.glob("*/*/*") if path.name != "DICOMDIR"]
    return sorted(found, key=lambda image: int(image.InstanceNumber))


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Run, list[Dataset]]:
    """A head CT, the run that took its face away, and the results."""
    folder = tmp_path_factory.mktemp("head")
    paths = heads.write_series(folder / "in", **COARSE)
    done = Recipe(options=(OPTION,)).deidentifier(KEY).folder(folder / "in", folder / "out")
    return paths, done, results(folder / "out")


def depth(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How far the face lies from the front of an axial volume, by (height, side)."""
    body = values > 700  # stored, of CT
    return np.where(body.any(axis=1), np.argmax(body, axis=1) * COARSE["spacing"], np.nan)


def test_a_head_ct_leaves_without_its_face(ct: tuple[list[Path], Run, list[Dataset]]) -> None:
    paths, done, images = ct
    assert (done.out, done.quarantined) == (len(paths), 0)
    before, after = depth(heads.read_series(paths)), depth(np.array([one.pixel_array for one in images]))
    heights = np.arange(len(before)) * COARSE["step"] - 160
    face = (heights > -118) & (heights < -20)
    middle = before.shape[1] // 2
    sides = slice(middle - 10, middle + 10)
    relief = np.nanmax(before[face, sides], axis=1) - np.nanmin(before[face, sides], axis=1)
    moved = (np.nan_to_num(after, nan=1e6) - before)[face, sides]
    assert relief.max() > 30  # a nose
    assert np.nanmin(moved) >= 6
    left = after[face & (heights > -120) & (heights < -85), sides]  # below the nasal cavity
    assert np.abs(np.diff(left, axis=0)).max() <= 2 * COARSE["spacing"]  # no lips, no chin: a smooth surface


def test_the_brain_and_all_but_the_front_of_the_face_stay_bit_by_bit(
    ct: tuple[list[Path], Run, list[Dataset]],
) -> None:
    paths, _, images = ct
    before, after = heads.read_series(paths), np.array([one.pixel_array for one in images])
    kinds, _, _ = heads.frames(**COARSE)
    assert np.array_equal(before[kinds == heads.BRAIN], after[kinds == heads.BRAIN])
    changed = before != after
    assert set(np.unique(after[changed])) == {24}  # air: -1000 HU
    assert changed[kinds != heads.AIR].mean() < 0.12


def test_what_was_done_is_told(ct: tuple[list[Path], Run, list[Dataset]]) -> None:
    _, done, images = ct
    for image in images:
        assert image.RecognizableVisualFeatures == "NO"
        assert "113102" in [code.CodeValue for code in image.DeidentificationMethodCodeSequence]
        assert "Face cut away by geometry, not validated" in image.DeidentificationMethod
        assert image.PatientIdentityRemoved == "YES"
    told = [(kind, times) for (kind, _, _), times in done.findings.items() if kind == "defaced"]
    assert told
    assert 10 < told[0][1] < len(images)  # slices above the brow are as they were


@pytest.mark.parametrize(
    "how",
    [
        {"pitch": -20.0},
        {"pitch": 15.0},
        {"yaw": 15.0},
        {"scale": 0.8, "low": -130.0, "high": 90.0},
        {"modality": "MR", "orientation": heads.SAGITTAL},
        {"modality": "MR", "orientation": heads.CORONAL, "step": 5.0},
        {"low": -75.0},
    ],
    ids=str,
)
def test_a_face_is_found_in_any_position_and_orientation(how: dict[str, Any], tmp_path: Path) -> None:
    told = COARSE | how
    paths = heads.write_series(tmp_path, **told)
    cuts = find_faces(paths)
    assert len(cuts) == len(paths)
    (cut,) = set(cuts.values())
    assert isinstance(cut, Cut)
    turned = heads.turn(told.get("pitch", 0), told.get("yaw", 0)) * told.get("scale", 1)
    for place in (heads.NOSE, *heads.EYES):
        left, front, up = turned @ place
        assert cut.area(Placed((left, -front, up), (0.1, 0, 0), (0, 0.1, 0)), 1, 1).all()
    told.pop("modality", "")
    kinds, origins, axes = heads.frames(**told)
    across, down = (tuple(axis * told["spacing"]) for axis in (axes[:3], axes[3:]))
    lost = [
        cut.area(Placed(tuple(origin), across, down), *plane.shape) & (plane == heads.BRAIN)
        for plane, origin in zip(kinds, origins, strict=True)
    ]
    assert np.mean(lost) < 1e-4  # the model's brain reaches further down in front than a brain does


def test_an_enhanced_multi_frame_object_is_a_volume_of_its_own(tmp_path: Path) -> None:
    source = heads.write_enhanced(tmp_path / "in.dcm", orientation=heads.SAGITTAL, **COARSE)
    done = defacing().file(source, tmp_path / "out.dcm")
    assert (done.end, done.reason) == (End.OUT, "")
    before, after = (pydicom.dcmread(path).pixel_array for path in (source, tmp_path / "out.dcm"))
    kinds, _, _ = heads.frames(orientation=heads.SAGITTAL, **COARSE)
    assert np.array_equal(before[kinds == heads.BRAIN], after[kinds == heads.BRAIN])
    assert (before != after)[kinds == heads.SOFT].mean() > 0.03


def test_compressed_slices_stay_compressed(tmp_path: Path) -> None:
    paths = heads.write_series(tmp_path / "in", spacing=4.0, step=5.0)
    before = heads.read_series(paths)
    for path in paths:
        image = pydicom.dcmread(path)
        image.compress(JPEGLSLossless, generate_instance_uid=False)
        image.save_as(path)
    done = defacing().folder(tmp_path / "in", tmp_path / "out")
    assert done.out == len(paths)
    images = results(tmp_path / "out")
    after = np.array([image.pixel_array for image in images])
    assert {image.file_meta.TransferSyntaxUID for image in images} == {JPEGLSLossless}
    assert set(np.unique(after[before != after])) == {24}


def lose_slice(paths: list[Path]) -> None:
    paths[30].unlink()


def keep_few(paths: list[Path]) -> None:
    for path in paths[5:]:
        path.unlink()


def change(paths: list[Path], **attributes: Any) -> None:
    for path in paths:
        image = pydicom.dcmread(path)
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        image.save_as(path)


@pytest.mark.parametrize(
    ("how", "spoil", "words"),
    [
        ({"high": 60.0}, None, "the top of the head is not in it"),
        ({"low": -20.0}, None, "it ends above the face"),
        ({}, lose_slice, "missing, irregular or too far apart"),
        ({}, keep_few, "too few slices"),
        ({}, lambda paths: change(paths, ImageOrientationPatient=None), "nothing tells where its frames are"),
        ({}, lambda paths: change(paths[:2], SOPInstanceUID="1.2.3"), "of another object too"),
        ({}, lambda paths: change(paths, PixelData=bytes(68 * 87 * 2)), "nothing is in it"),
    ],
)
def test_a_head_whose_face_is_not_found_does_not_leave(
    how: dict[str, Any], spoil: Any, words: str, tmp_path: Path
) -> None:
    paths = heads.write_series(tmp_path / "in", **COARSE | how)
    if spoil is not None:
        spoil(paths)
    done = defacing().folder(tmp_path / "in", tmp_path / "out")
    assert any(words in reason for reason in done.reasons["quarantined"])
    assert done.quarantined == done.files


def test_something_that_hides_no_face_does_not_pass_the_check(tmp_path: Path) -> None:
    paths = heads.write_series(tmp_path, **COARSE)
    slices = [one for path in paths for _, seen in find_slices(path) for one in seen]
    volume = read_coarse(stacked(slices))
    head = seen_heads.find(volume, ct=True)
    with pytest.raises(NoVolume, match="too little of the face"):
        check(head, plan(head), volume)


def find_slices(path: Path) -> list[tuple[str, Any]]:
    from isocenter.deid.faces import _look

    return [(uid, seen.slices) for uid, seen in _look(path)]


def test_a_slice_alone_is_judged_by_nobody(ct: tuple[list[Path], Run, list[Dataset]], tmp_path: Path) -> None:
    one = ct[0][40]
    done = defacing().file(one, tmp_path / "out.dcm")
    assert (done.end, (tmp_path / "out.dcm").exists()) == (End.QUARANTINED, False)
    assert "too few slices" in done.reason
    assert "whole series, in a folder" in defacing().apply(pydicom.dcmread(one)).quarantined


def test_a_face_that_is_kept_by_policy_is_not_called_gone(
    ct: tuple[list[Path], Run, list[Dataset]], tmp_path: Path
) -> None:
    keeps = defacing(policies=Policies(uncleared=Uncleared.KEEP))
    assert keeps.file(ct[0][40], tmp_path / "out.dcm").end is End.OUT
    after = pydicom.dcmread(tmp_path / "out.dcm")
    assert after.PatientIdentityRemoved == "NO"
    assert "RecognizableVisualFeatures" not in after
    assert "113102" not in [code.CodeValue for code in after.DeidentificationMethodCodeSequence]


def test_what_is_no_head_stays_as_it_is(tmp_path: Path) -> None:
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    image.BodyPartExamined = "CHEST"
    (tmp_path / "in").mkdir()
    image.save_as(tmp_path / "in" / "chest.dcm")
    shutil.copy(str(get_testdata_file("rtplan.dcm")), tmp_path / "in")
    done = defacing().folder(tmp_path / "in", tmp_path / "out")
    assert done.out == 2
    after = next(one for one in map(pydicom.dcmread, (tmp_path / "out").glob("*/*/*")) if "PixelData" in one)
    assert after.PixelData == image.PixelData
    assert after.RecognizableVisualFeatures == "NO"
    assert "not validated" not in str(after.DeidentificationMethod)


def test_an_outline_of_the_body_does_not_leave() -> None:
    contour, plan_of = Dataset(), Dataset()
    contour.RTROIInterpretedType, contour.ObservationNumber, contour.ROIInterpreter = "EXTERNAL", 1, ""
    plan_of.SOPClassUID, plan_of.SOPInstanceUID, plan_of.Modality = RTStructureSetStorage, "1.2.3", "RTSTRUCT"
    plan_of.RTROIObservationsSequence = Sequence([contour])
    assert "outline" in defacing().apply(plan_of).quarantined
    plan_of.StudyDescription = "Prostate planning"
    assert defacing().apply(plan_of).dataset is not None


def test_what_is_found_goes_to_other_processes(ct: tuple[list[Path], Run, list[Dataset]]) -> None:
    setup = defacing().setup.seeing(ct[0])
    assert pickle.loads(pickle.dumps(setup)).faces == setup.faces
    assert len(setup.faces) == len(ct[0])
