"""The generated studies are whole objects, the same at every call."""

import subprocess
from io import BytesIO
from pathlib import Path
from shutil import which

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from isocenter.datasets import phantoms, planning


@pytest.fixture(scope="module")
def objects() -> list[Dataset]:
    return list(phantoms.demonstration(slices=4, size=64))


def test_the_demonstration_has_ct_with_its_planning_and_dose_report_cbct_and_panoramic(
    objects: list[Dataset],
) -> None:
    planning = ["SEG", "RTSTRUCT", "RTDOSE"]
    assert [o.Modality for o in objects] == ["CT"] * 4 + ["SR", *planning] + ["CT"] * 2 + ["PX"]
    assert len({o.SOPInstanceUID for o in objects}) == len(objects)
    assert len({o.StudyInstanceUID for o in objects}) == 3
    assert objects[4].StudyInstanceUID == objects[0].StudyInstanceUID


def test_the_same_seed_gives_the_same_bytes(objects: list[Dataset]) -> None:
    again = list(phantoms.demonstration(slices=4, size=64))
    for one, other in zip(objects, again, strict=True):
        first, second = BytesIO(), BytesIO()
        one.save_as(first, enforce_file_format=True)
        other.save_as(second, enforce_file_format=True)
        assert first.getvalue() == second.getvalue()


def test_the_head_has_air_bone_and_brain_in_hounsfield_units(objects: list[Dataset]) -> None:
    image = objects[0]
    hounsfield = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
    assert hounsfield[0, 0] == -1000
    assert 20 < hounsfield[32, 40] < 60
    assert hounsfield.max() > 800


def test_slices_are_equally_spaced(objects: list[Dataset]) -> None:
    heights = [o.ImagePositionPatient[2] for o in objects[:4]]
    assert np.allclose(np.diff(heights), objects[0].SliceThickness)


def test_the_dose_report_tells_the_dose(objects: list[Dataset]) -> None:
    text = str(pydicom.dcmread(_saved(objects[4])))
    assert "Mean CTDIvol" in text
    assert "850" in text


def test_segmentation_structures_and_dose_refer_to_the_ct(objects: list[Dataset]) -> None:
    ct = objects[0]
    segmentation, structures, dose = objects[5:8]
    assert {o.StudyInstanceUID for o in (segmentation, structures, dose)} == {ct.StudyInstanceUID}
    assert segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID == ct.SeriesInstanceUID
    assert structures.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID == ct.FrameOfReferenceUID
    assert dose.FrameOfReferenceUID == ct.FrameOfReferenceUID


def test_the_highest_dose_is_in_the_target(objects: list[Dataset]) -> None:
    dose = objects[7]
    values = dose.pixel_array * float(dose.DoseGridScaling)
    _, row, column = np.unravel_index(values.argmax(), values.shape)
    x, y, _ = (float(value) for value in dose.ImagePositionPatient)
    assert values.max() == pytest.approx(planning.PRESCRIBED, abs=0.5)
    assert (x + column * planning.DOSE_STEP, y + row * planning.DOSE_STEP) == pytest.approx(
        planning.TARGET, abs=planning.DOSE_STEP
    )


@pytest.mark.skipif(
    which("dciodvfy") is None, reason="dciodvfy (Debian package dicom3tools) is not installed"
)
def test_a_validator_finds_no_error(objects: list[Dataset], tmp_path: Path) -> None:
    for number, made in enumerate(objects):
        path = tmp_path / f"{number}.dcm"
        made.save_as(path, enforce_file_format=True)
        told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
        assert "Error" not in told, told


def _saved(made: Dataset) -> BytesIO:
    file = BytesIO()
    made.save_as(file, enforce_file_format=True)
    file.seek(0)
    return file
