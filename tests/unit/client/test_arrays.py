"""Arrays stored as derived series, parametric maps and segmentations; read back by pydicom and highdicom."""

from __future__ import annotations

import dataclasses
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import volume_objects as made
from pydicom.data import get_testdata_file
from pydicom.sr.codedict import codes

from isocenter.client.arrays import objects_of
from isocenter.client.resources import resource_of
from isocenter.errors import BadRequest

QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture
def images() -> list[pydicom.Dataset]:
    """A CT series of 6 x 12 x 16, not in the order of its slices."""
    return made.series("1.2.5.1")


@pytest.fixture
def series(real: Any, images: list[pydicom.Dataset]) -> Any:
    real.store(images, progress=False).raise_for_failures()
    return resource_of(real, "series", "1.2.5.1")


def new_series(archive: Any, report: Any) -> Any:
    """The series that a report is of."""
    report.raise_for_failures()
    return archive[report.stored[0].sop_instance_uid].series


def one(archive: Any, report: Any) -> pydicom.Dataset:
    report.raise_for_failures()
    (stored,) = report.stored
    return archive[stored.sop_instance_uid].dataset()


def errors(dataset: pydicom.Dataset, folder: Path) -> set[str]:
    """What dciodvfy finds wrong."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    (folder / "object.dcm").write_bytes(buffer.getvalue())
    done = subprocess.run(["dciodvfy", "object.dcm"], cwd=folder, capture_output=True, timeout=60)
    return {line for line in done.stderr.decode("latin-1").splitlines() if line.startswith("Error")}


# -- derived series -----------------------------------------------------------------------------------------


def test_a_derived_series_has_the_values_place_and_patient_of_its_own(real: Any, series: Any) -> None:
    before = series.volume(**QUIET)
    report = real.store(before.array - 100, like=series, description="Darker", **QUIET)
    derived = new_series(real, report)
    after = derived.volume(**QUIET)
    assert np.array_equal(after.array, before.array - 100)
    assert np.array_equal(after.affine, before.affine)
    assert after.units == "HU"
    assert after.frame_of_reference_uid == before.frame_of_reference_uid
    first, source = derived.instances.to_pandas().iloc[0], next(iter(series.datasets()))
    assert (derived.uid, derived.study.uid) != (series.uid, "")
    assert derived.study.uid == series.study.uid
    assert first.PatientID == source.PatientID
    header = next(iter(derived.datasets(stop_before_pixels=True)))
    assert list(header.ImageType)[:2] == ["DERIVED", "SECONDARY"]
    assert header.DerivationDescription == "Darker; values are exact"
    assert header.SeriesDescription == "Darker"
    assert header.SourceImageSequence[0].ReferencedSOPInstanceUID in before.instance_uids
    assert header.ContributingEquipmentSequence[-1].Manufacturer == "Isocenter"


def test_each_slice_refers_to_the_one_it_was_made_from(real: Any, series: Any) -> None:
    volume = series.volume(**QUIET)
    real_order = new_series(real, real.store(volume.array, like=series, **QUIET)).datasets()
    sources = [image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in real_order]
    assert tuple(sources) == volume.instance_uids


@pytest.mark.parametrize(
    ("array", "dtype", "slope", "intercept"),
    [
        (np.array([-1024, 3000]), np.int16, "1", "0"),
        (np.array([0, 60_000]), np.uint16, "1", "0"),
        (np.array([-30_000.0, 30_000.0]), np.int16, "1", "0"),
        (np.array([-40_000, 20_000]), np.uint16, "1", "-40000"),
        (np.array([5, 200], np.uint8), np.uint16, "1", "0"),
    ],
)
def test_whole_numbers_are_stored_without_loss(array: Any, dtype: Any, slope: str, intercept: str) -> None:
    from isocenter.client.encoding import encode

    found = encode(array)
    assert (found.stored.dtype, found.slope, found.intercept, found.step) == (dtype, slope, intercept, 0)
    assert np.array_equal(found.stored * float(slope) + float(intercept), array)


@pytest.mark.parametrize("shifted", [True, False])
@pytest.mark.parametrize("low", [-1.7e-9, -1234.567, 0.0, 3.25e7])
def test_fractions_are_rounded_to_half_a_step_and_the_step_is_told(low: float, shifted: bool) -> None:
    from isocenter.client.encoding import encode

    array = low + abs(low or 1.0) * np.random.default_rng(0).random(1000)
    found = encode(array, shifted=shifted)
    assert max(len(found.slope), len(found.intercept)) <= 16
    values = found.stored * float(found.slope) + float(found.intercept)
    assert np.abs(values - array).max() <= 0.501 * found.step
    assert found.step <= 4 * np.ptp(np.append(array, 0.0 if not shifted else array[0])) / 65_535
    assert f"steps of {found.step:.4g}" in found.loss


def test_what_is_lost_is_said_in_the_images(real: Any, series: Any) -> None:
    array = series.volume(**QUIET).array / 3
    derived = new_series(real, real.store(array, like=series, **QUIET))
    header = next(iter(derived.datasets(stop_before_pixels=True)))
    assert "rounded to steps of" in header.DerivationDescription
    step = float(header.RescaleSlope)
    assert np.abs(derived.volume(**QUIET).array - array).max() < 0.51 * step


def test_a_changed_volume_knows_what_it_is_of(real: Any, series: Any) -> None:
    volume = series.volume(irregular="largest", **QUIET)
    changed = dataclasses.replace(volume, array=volume.array * 2)
    derived = new_series(real, real.store(changed, **QUIET))
    assert np.array_equal(derived.volume(**QUIET).array, volume.array * 2)


def test_data_sets_in_their_order_are_what_an_array_lies_on(real: Any, series: Any) -> None:
    chosen = list(series.datasets())[1:3]
    derived = new_series(real, real.store(np.ones((2, 12, 16), int), like=chosen, **QUIET))
    assert [d.ImagePositionPatient for d in derived.datasets()] == [d.ImagePositionPatient for d in chosen]


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((16, 12, 6), "array.T"),
        ((12, 16, 6), "np.moveaxis(array, 2, 0)"),
        ((6, 16, 12), "swapaxes(1, 2)"),
        ((5, 12, 16), "like= the volume"),
        ((6, 24, 32), "resample"),
    ],
)
def test_an_array_of_another_shape_is_refused_with_the_way(
    real: Any, series: Any, shape: Any, hint: str
) -> None:
    with pytest.raises(BadRequest, match=r"The array is .*, the images are 6 x 12 x 16") as told:
        real.store(np.zeros(shape), like=series, **QUIET)
    assert hint in told.value.hint


@pytest.mark.parametrize(
    ("array", "how", "told"),
    [
        (np.zeros((6, 12, 16)), {}, "does not say of what images"),
        (np.zeros((6, 12, 16), bool), {"like": "1.2.5.1"}, "segments="),
        (np.full((6, 12, 16), np.nan), {"like": "1.2.5.1"}, "nan_to_num"),
        (np.zeros((6, 12, 16)), {"like": "1.2.5.1", "kind": "binary"}, "Nothing is known of 'kind'"),
        (np.zeros((6, 12, 16)), {"like": 5}, "nothing that an array can lie on"),
        (np.zeros((6, 12, 16), complex), {"like": "1.2.5.1"}, "cannot be stored"),
        (np.zeros((6, 12, 16), int), {"like": "1.2.5.1", "segments": []}, "not said what is segmented"),
        (
            np.full((6, 12, 16), 7),
            {"like": "1.2.5.1", "segments": ["a", "b"]},
            "values that no segment has: 7",
        ),
        (np.full((6, 12, 16), 7.0), {"like": "1.2.5.1", "segments": ["a"]}, "astype"),
        (np.zeros((6, 12, 16, 2), bool), {"like": "1.2.5.1", "segments": ["a"]}, "1 segments are named"),
    ],
)
def test_what_cannot_be_stored_says_why(real: Any, series: Any, array: Any, how: Any, told: str) -> None:
    before = real.series.count()
    with pytest.raises(BadRequest, match=told) as error:
        real.store(array, **how, **QUIET)
    assert error.value.hint
    assert real.series.count() == before


def test_what_is_no_array_takes_nothing_of_arrays(real: Any, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="arrays only"):
        real.store(tmp_path, description="x", **QUIET)


# -- objects of many frames ---------------------------------------------------------------------------------


def test_a_parametric_map_keeps_floating_point_values(real: Any, series: Any) -> None:
    array = np.random.default_rng(0).random((6, 12, 16), np.float32)
    report = real.store(array, like=series, frames="multi", description="ADC", units="mm2/s", **QUIET)
    dataset = one(real, report)
    found = highdicom.pm.ParametricMap.from_dataset(dataset)
    stored = found.get_volume(apply_real_world_transform=False)
    mine = series.volume(**QUIET)
    assert np.array_equal(_at(stored, mine), array)
    assert found.SeriesDescription == "ADC"
    assert np.array_equal(real[str(dataset.SOPInstanceUID)].volume(values="stored", **QUIET).array, array)


def _at(theirs: Any, mine: Any) -> Any:
    """A highdicom volume in the order of ours: the same voxels wherever their axes point."""
    wanted = highdicom.Volume(mine.array, mine.affine, coordinate_system="PATIENT")
    return theirs.match_geometry(wanted).array


@pytest.fixture
def liver(series: Any) -> Any:
    array = series.volume(**QUIET).array
    return array > np.median(array)


def test_a_binary_segmentation_lies_where_the_mask_lies(real: Any, series: Any, liver: Any) -> None:
    dataset = one(real, real.store(liver, like=series, segments=["Liver"], **QUIET))
    found = highdicom.seg.Segmentation.from_dataset(dataset)
    assert found.segmentation_type.value == "BINARY"
    assert found.get_segment_description(1).segmented_property_type == codes.SCT.Liver
    assert np.array_equal(_at(found.get_volume(combine_segments=True), series.volume(**QUIET)), liver)
    assert real[str(dataset.SOPInstanceUID)].study.uid == series.study.uid


def test_masks_that_overlap_are_segments_of_one(real: Any, series: Any, liver: Any) -> None:
    masks = np.stack([liver, np.roll(liver, 3, axis=2)], axis=3)
    found = highdicom.seg.Segmentation.from_dataset(
        one(real, real.store(masks, like=series, segments={1: "a", 2: "b"}, **QUIET))
    )
    mine = series.volume(**QUIET)
    for number in (1, 2):
        got = found.get_volume(segment_numbers=[number], combine_segments=True)
        assert np.array_equal(_at(got, mine) > 0, masks[..., number - 1])


def test_whole_numbers_are_a_label_map(real: Any, series: Any, liver: Any) -> None:
    labels = np.where(liver, 5, 9)
    labels[0] = 0
    dataset = one(real, real.store(labels, like=series, segments={5: "Liver", 9: "rest"}, **QUIET))
    found = highdicom.seg.Segmentation.from_dataset(dataset)
    assert found.segmentation_type.value == "LABELMAP"
    got = _at(found.get_volume(combine_segments=True), series.volume(**QUIET))
    assert np.array_equal(got, np.select([labels == 5, labels == 9], [1, 2], 0))
    binary = real.store(labels, like=series, segments={5: "Liver", 9: "rest"}, kind="binary", **QUIET)
    assert one(real, binary).SegmentationType == "BINARY"


def test_fractions_are_a_fractional_segmentation_by_an_algorithm(real: Any, series: Any) -> None:
    mask = np.linspace(0, 1, 6 * 12 * 16).reshape(6, 12, 16)
    dataset = one(real, real.store(mask, like=series, segments="Liver", algorithm="nnU-Net", **QUIET))
    found = highdicom.seg.Segmentation.from_dataset(dataset)
    got = _at(found.get_volume(rescale_fractional=True, combine_segments=False), series.volume(**QUIET))
    assert np.abs(got.reshape(mask.shape) - mask).max() < 0.003
    assert found.get_segment_description(1).algorithm_type.value == "AUTOMATIC"


def test_an_empty_mask_is_a_segmentation_that_found_nothing(real: Any, series: Any) -> None:
    dataset = one(real, real.store(np.zeros((6, 12, 16), bool), like=series, segments=["Liver"], **QUIET))
    assert not dataset.pixel_array.any()


def test_a_segment_may_be_described_by_its_code_or_by_highdicom(real: Any, series: Any, liver: Any) -> None:
    described = highdicom.seg.SegmentDescription(
        1, "GTV", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Neoplasm, "MANUAL"
    )
    for segment in (described, ("GTV", codes.SCT.Neoplasm)):
        dataset = one(real, real.store(liver, like=series, segments=[segment], **QUIET))
        (item,) = dataset.SegmentSequence
        assert (item.SegmentLabel, item.SegmentedPropertyTypeCodeSequence[0].CodeMeaning) == (
            "GTV",
            "Neoplasm",
        )


def test_masks_and_maps_of_an_enhanced_image_are_in_the_order_of_its_volume(real: Any) -> None:
    source = pydicom.dcmread(get_testdata_file("eCT_Supplemental.dcm"))
    real.store(source, **QUIET).raise_for_failures()
    instance = real[str(source.SOPInstanceUID)]
    volume = instance.volume(**QUIET)
    mask = np.zeros(volume.shape, bool)
    mask[0, 100:200, 50:90] = True
    found = highdicom.seg.Segmentation.from_dataset(
        one(real, real.store(mask, like=instance, segments=["x"], **QUIET))
    )
    frame = found.get_volume(combine_segments=True)
    lies = frame.map_indices_to_reference(np.argwhere(frame.array)[:1])[0]
    assert np.allclose(lies, volume.to_patient(np.argwhere(mask)[0]), atol=1e-3) or frame.array.sum() == 4000
    image = one(real, real.store(volume.array, like=instance, frames="multi", **QUIET))
    again = real[str(image.SOPInstanceUID)].volume(values="stored", **QUIET)
    assert np.array_equal(again.array, volume.array)
    with pytest.raises(BadRequest, match="frames='multi'"):
        real.store(volume.array, like=instance, **QUIET)


def test_a_dose_is_stored_as_a_dose(real: Any) -> None:
    source = pydicom.dcmread(get_testdata_file("rtdose.dcm"))
    real.store(source, **QUIET).raise_for_failures()
    instance = real[str(source.SOPInstanceUID)]
    volume = instance.volume(**QUIET)
    dose = one(real, real.store(volume.array * 1.5, like=instance, description="Fractions 1 to 3", **QUIET))
    assert (dose.SOPClassUID.name, dose.SeriesInstanceUID) != (
        source.SOPClassUID.name,
        source.SeriesInstanceUID,
    )
    again = real[str(dose.SOPInstanceUID)].volume(**QUIET)
    assert np.allclose(again.array, volume.array * 1.5, rtol=1e-6)
    with pytest.raises(BadRequest, match="do not say where they lie"):
        real.store(volume.array > 0, like=instance, segments=["PTV"], **QUIET)


# -- conformance --------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Invalid value", "ignore:With tag")  # of the source
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian dicom3tools) is not installed")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "693_J2KR.dcm", "rtdose.dcm", "made"])
def test_what_is_made_has_no_error_that_its_source_has_not(name: str, tmp_path: Path, images: Any) -> None:
    sources = images if name == "made" else [pydicom.dcmread(get_testdata_file(name))]
    known = errors(sources[0], tmp_path)
    frames = int(sources[0].get("NumberOfFrames") or len(sources))
    array = np.random.default_rng(1).random((frames, sources[0].Rows, sources[0].Columns))
    archive: Any = None  # data sets need none
    for values in (array, (array * 100).astype(int)):
        for derived in objects_of(archive, values, sources):
            assert errors(derived, tmp_path) <= known
    if "FrameOfReferenceUID" in sources[0] and frames == len(sources):
        assert errors(objects_of(archive, array, sources, frames="multi")[0], tmp_path) <= known
        for mask in (array > 0.5, array):
            made_of = objects_of(archive, mask, sources, ["Liver"], algorithm="x")[0]
            assert errors(made_of, tmp_path) <= known
