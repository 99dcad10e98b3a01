"""Volumes: numbers and geometry against what is known, pydicom by hand, and highdicom as another reader."""

from __future__ import annotations

from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
import volume_objects as made
from pydicom.data import get_testdata_file
from volume_objects import AXIAL, OBLIQUE, ORIGIN, SPACING, STEP

from isocenter.client.resources import resource_of
from isocenter.errors import BadRequest

QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture
def kept(real: Any, request: Any) -> Any:
    """Stores images and gives their series."""

    def keep(images: list[pydicom.Dataset]) -> Any:
        real.store(images, progress=False).raise_for_failures()
        return resource_of(real, "series", str(images[0].SeriesInstanceUID))

    return keep


def test_a_ct_is_an_array_in_hounsfield_units_where_it_lies(kept):
    found = kept(made.series("1.2.5.1")).volume(**QUIET)
    assert (found.shape, found.units, found.array.dtype) == ((6, 12, 16), "HU", np.int32)
    assert found.array[4, 3, 2] == 4 * 1000 + 3 * 20 + 2 - 1024
    assert found.spacing == (STEP, *SPACING)
    assert found.origin == ORIGIN
    assert found.affine.tolist() == [
        [0, 0, 0.5, ORIGIN[0]],
        [0, 0.75, 0, ORIGIN[1]],
        [2.5, 0, 0, ORIGIN[2]],
        [0, 0, 0, 1],
    ]
    assert found.instance_uids == tuple(f"1.2.5.1.{n}" for n in range(1, 7))
    assert (found.frame_of_reference_uid, found.series_uid, found.regular) == ("1.2.5.1.99", "1.2.5.1", True)
    assert repr(found) == "<volume 6 x 12 x 16 HU, 2.5 x 0.75 x 0.5 mm>"
    assert "HU" in found._repr_html_()


def test_an_oblique_series_agrees_with_pydicom_by_hand_and_with_highdicom(kept):
    images = made.series("1.2.5.2", orientation=OBLIQUE)
    found = kept(images).volume(**QUIET)
    by_hand = {float(np.dot(one.ImagePositionPatient, made.normal(OBLIQUE))): one for one in images}
    for number, place in enumerate(sorted(by_hand)):
        one = by_hand[place]
        assert (found.array[number] == one.pixel_array * one.RescaleSlope + one.RescaleIntercept).all()
        assert found.to_patient((number, 0, 0)) == pytest.approx(
            np.asarray(one.ImagePositionPatient), abs=1e-5
        )
    other = highdicom.get_volume_from_series(images)
    for index in ((0, 0, 0), (5, 0, 0), (2, 7, 11)):
        theirs = np.linalg.inv(other.affine) @ [*found.to_patient(index), 1]
        assert np.allclose(theirs[:3], np.round(theirs[:3]), atol=1e-4)
        assert other.array[tuple(int(v) for v in np.round(theirs[:3]))] == found.array[index]
    assert found.spacing == pytest.approx(other.spacing, abs=1e-5)
    assert found.to_index(found.to_patient([[1, 2, 3]])) == pytest.approx(np.asarray([[1, 2, 3]]))


def test_fractions_are_float32_and_another_type_can_be_asked_for(kept):
    series = kept([made.ct("1.2.5.3", n, RescaleSlope="0.5", RescaleIntercept="-0.25") for n in range(3)])
    found = series.volume(**QUIET)
    assert (found.array.dtype, found.array[1, 0, 3]) == (np.float32, 1003 * 0.5 - 0.25)
    assert series.volume(dtype="float64", **QUIET).array.dtype == np.float64
    stored = series.volume(values="stored", **QUIET)
    assert (stored.array.dtype, stored.array[1, 0, 3], stored.units) == (np.int16, 1003, "")
    with pytest.raises(BadRequest, match="no type of numbers"):
        series.volume(dtype="text", **QUIET)


def test_a_type_of_whole_numbers_rounds_and_cuts(kept):
    series = kept([made.ct("1.2.5.31", n, RescaleSlope="7.75", RescaleIntercept="-0.25") for n in range(5)])
    found = series.volume(dtype="int16", **QUIET)
    assert (found.array.dtype, found.array[1, 0, 3]) == (np.int16, 7773)
    assert found.array[4, 11, 15] == 32767


@pytest.mark.parametrize(
    ("kind", "bits", "slope", "intercept", "made_of"),
    [
        ("u1", 8, -1, 255, "u1"),
        ("u2", 12, 10, -10_000, "i2"),
        ("i1", 8, 1, 128, "u1"),
        ("u2", 16, -2, 0, "i4"),
    ],
)
def test_whole_numbers_are_exact_in_the_smallest_type(kept, kind, bits, slope, intercept, made_of):
    image = made.ct(f"1.2.5.35{bits}{slope + 10}", 0, RescaleSlope=slope, RescaleIntercept=intercept)
    limits = np.iinfo(kind) if bits in (8, 16) else None
    ends = (limits.min, limits.max) if limits else (0, (1 << bits) - 1)
    values = np.linspace(*ends, 256).astype(kind).reshape(16, 16)
    made.pixels(image, values, bits)
    found = kept([image]).volume(**QUIET)
    assert found.array.dtype == np.dtype(made_of)
    assert (found.array[0] == values.astype(int) * slope + intercept).all()


def test_a_colour_picture_among_the_slices_is_told_and_can_be_left_out(kept):
    images = made.series("1.2.5.32", 3)
    images[0].PhotometricInterpretation = "PALETTE COLOR"
    lonely = made.ct("1.2.5.32", 7)
    del lonely.ImagePositionPatient
    series = kept([*images, lonely])
    with pytest.raises(BadRequest, match=r"1\.2\.5\.32\.3 is a colour image; 1 images do not say.*largest"):
        series.volume(**QUIET)
    found = series.volume(irregular="largest", **QUIET)
    assert (found.shape[0], len(found.problems)) == (2, 1)


def test_a_long_grid_of_frame_offsets_is_read(kept):
    found = kept([made.dose("1.2.5.33", 600)]).volume(**QUIET)
    assert (found.shape[0], found.spacing[0], found.regular) == (600, pytest.approx(3.0), True)


def test_an_enhanced_ct_has_its_geometry_and_values_by_frame(kept):
    found = kept([made.enhanced("1.2.5.4")]).volume(**QUIET)
    assert (found.shape, found.units, found.origin) == ((6, 12, 16), "HU", ORIGIN)
    assert found.spacing == (STEP, *SPACING)
    for index in range(6):
        assert (found.array[index] == made.plane(index).astype(int) * (index + 1) - 1000).all()


def test_an_enhanced_ct_of_another_maker_agrees_with_highdicom(real, kept):
    image = pydicom.dcmread(get_testdata_file("eCT_Supplemental.dcm"))
    found = kept([image]).volume(**QUIET)
    other = highdicom.Image.from_dataset(image).get_volume()
    point = found.to_patient((1, 100, 200))
    theirs = np.linalg.inv(other.affine) @ [*point, 1]
    assert other.array[tuple(int(v) for v in np.round(theirs[:3]))] == pytest.approx(found.array[1, 100, 200])


def test_a_compressed_series_needs_no_decoder_here(kept):
    images = made.series("1.2.5.5")
    for one in images:
        one.compress(pydicom.uid.RLELossless)
    assert kept(images).volume(**QUIET).array[4, 3, 2] == 4062 - 1024


def test_bits_above_those_stored_are_not_part_of_the_value(kept):
    images = [made.ct("1.2.5.6", n) for n in range(2)]
    for one in images:
        made.pixels(one, np.full((4, 4), 0xF005, np.uint16), bits=12)
    assert (kept(images).volume(values="stored", **QUIET).array == 5).all()


def test_a_dose_grid_is_in_gray(kept):
    found = kept([made.dose("1.2.5.7")]).volume(**QUIET)
    assert (found.units, found.spacing) == ("GY", (3.0, *SPACING))
    assert found.array[4, 3, 2] == pytest.approx(4062 * 0.00025)


def test_real_world_values_are_those_of_the_mapping(kept):
    images = [made.ct("1.2.5.8", n) for n in range(2)]
    for one in images:
        mapping, units = pydicom.Dataset(), pydicom.Dataset()
        units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = "mm2/s", "UCUM", "mm2/s"
        mapping.MeasurementUnitsCodeSequence = [units]
        mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = -32768, 32767
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, 7.0
        mapping.LUTLabel, mapping.LUTExplanation = "ADC", "ADC"
        one.RealWorldValueMappingSequence = [mapping]
    series = kept(images)
    found = series.volume(values="real_world", **QUIET)
    assert (found.units, found.array[1, 0, 0]) == ("mm2/s", 507.0)
    assert series.volume(**QUIET).units == "HU"


def test_a_modality_table_is_applied(kept):
    table = pydicom.Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4096, 100, 16], "OD"
    table.add_new(0x00283006, "OW", np.arange(4096, dtype="<u2")[::-1].tobytes())
    images = [made.ct("1.2.5.34", n) for n in range(2)]
    for one in images:
        del one.RescaleSlope, one.RescaleIntercept
        one.ModalityLUTSequence = [table]
    found = kept(images).volume(**QUIET)
    assert (found.units, found.array[0, 0, 0], found.array[1, 0, 3]) == ("OD", 4095, 4095 - 903)


def test_one_slice_is_as_thick_as_it_says(kept):
    assert kept([made.ct("1.2.5.9", 0)]).volume(**QUIET).spacing == (STEP, *SPACING)


def test_a_missing_slice_is_told_and_can_be_lived_with(kept):
    series = kept([made.ct("1.2.5.10", n) for n in (0, 1, 2, 4, 5, 6, 7)])
    with pytest.raises(BadRequest, match=r"5 mm between instances number 3 and 5, 2\.5 mm.*largest"):
        series.volume(**QUIET)
    largest = series.volume(irregular="largest", **QUIET)
    assert (largest.shape[0], largest.origin[2], largest.regular) == (4, ORIGIN[2] + 4 * STEP, False)
    assert "3 slices" in largest.problems[0]
    kept_all = series.volume(irregular="keep", **QUIET)
    assert (kept_all.shape[0], kept_all.spacing[0]) == (7, pytest.approx(STEP * 7 / 6))
    assert kept_all.positions[3][2] == ORIGIN[2] + 4 * STEP
    assert "irregular" in kept_all._repr_html_()


def test_a_doubled_slice_is_told_and_can_be_left_out(kept):
    images = [made.ct("1.2.5.11", n) for n in range(4)]
    images.append(made.ct("1.2.5.11", 2, name=9, InstanceNumber=9))
    series = kept(images)
    with pytest.raises(BadRequest, match="several slices at 1 place, the first instances number 3 and 9"):
        series.volume(**QUIET)
    assert series.volume(irregular="largest", **QUIET).instance_uids[2] == "1.2.5.11.3"


def test_a_localizer_among_the_slices_is_told_and_can_be_left_out(kept):
    series = kept([*made.series("1.2.5.12"), made.ct("1.2.5.12", 9, orientation=(0, 1, 0, 0, 0, -1))])
    with pytest.raises(BadRequest, match=r"mixes orientations: 6 and 1 slices.*largest"):
        series.volume(**QUIET)
    assert series.volume(irregular="largest", **QUIET).shape == (6, 12, 16)


def test_images_of_several_sizes_are_told(kept):
    images = made.series("1.2.5.13", 3)
    made.pixels(images[0], made.plane(0, 8, 8))
    with pytest.raises(BadRequest, match="mixes image sizes"):
        kept(images).volume(**QUIET)


def test_a_tilted_gantry_is_told_and_its_affine_is_true(kept):
    series = kept([made.ct("1.2.5.14", n, shift=(0, n * 0.5, 0)) for n in range(5)])
    with pytest.raises(BadRequest, match=r"gantry tilt of 11\.3 degrees.*keep"):
        series.volume(**QUIET)
    found = series.volume(irregular="keep", **QUIET)
    assert found.to_patient((4, 0, 0)).tolist() == [ORIGIN[0], ORIGIN[1] + 2.0, ORIGIN[2] + 10.0]


def test_several_volumes_are_told_apart_and_one_is_chosen(kept):
    images = [
        made.ct("1.2.5.15", n, EchoTime=echo, SOPInstanceUID=f"1.2.5.15.{n}.{echo}")
        for n in range(3)
        for echo in (10, 20)
    ]
    series = kept(images)
    with pytest.raises(
        BadRequest, match=r"2 volumes, told apart by EchoTime.*volume\(EchoTime=10.*10, 20|10\.0, 20\.0"
    ):
        series.volume(**QUIET)
    found = series.volume(EchoTime=20, **QUIET)
    assert found.instance_uids == tuple(f"1.2.5.15.{n}.20" for n in range(3))
    with pytest.raises(BadRequest, match=r"No slice has EchoTime 30"):
        series.volume(EchoTime=30, **QUIET)
    with pytest.raises(BadRequest, match="EchoTime"):
        series.volume(EchoTim=30, **QUIET)


def test_slices_that_something_tells_apart_in_part_name_it(kept):
    images = [
        made.ct(
            "1.2.5.36", n, SOPInstanceUID=f"1.2.5.36.{n}.{turn}", DiffusionBValue=0.0 if turn == 0 else 1000.0
        )
        for n in range(3)
        for turn in range(3)
    ]
    series = kept(images)
    with pytest.raises(BadRequest, match=r"choose by volume\(DiffusionBValue=0.*there are 0.*, 1000"):
        series.volume(**QUIET)
    assert series.volume(DiffusionBValue=0, **QUIET).shape[0] == 3


def test_rounded_positions_are_even_enough(kept):
    images = [made.ct("1.2.5.16", n) for n in range(8)]
    for n, one in enumerate(images):
        one.ImagePositionPatient = [*ORIGIN[:2], round(0.625 * n + 0.001, 1)]
    assert kept(images).volume(**QUIET).spacing[0] == pytest.approx(0.625, abs=0.02)


@pytest.mark.parametrize(
    ("name", "told"),
    [("rtplan.dcm", "no pixels"), ("examples_rgb_color.dcm", "colour"), ("examples_ybr_color.dcm", "colour")],
)
def test_what_is_no_volume_says_why(kept, name, told):
    with pytest.raises(BadRequest, match=told):
        kept([pydicom.dcmread(get_testdata_file(name))]).volume(**QUIET)


def test_a_number_that_is_none_is_told(kept):
    with pytest.raises(BadRequest, match="no numbers"):
        kept([pydicom.dcmread(get_testdata_file("badVR.dcm"))]).volume(**QUIET)


def test_images_without_a_place_say_so(kept):
    image = made.ct("1.2.5.17", 0)
    del image.ImagePositionPatient
    with pytest.raises(BadRequest, match=r"do not say where.*pixel_array"):
        kept([image]).volume(**QUIET)


def test_xarray_has_millimetres_along_its_axes(kept):
    found = kept(made.series("1.2.5.18")).volume(**QUIET).to_xarray()
    assert found.dims == ("z", "y", "x")
    assert found.z.to_numpy().tolist() == [ORIGIN[2] + n * STEP for n in range(6)]
    assert found.x.to_numpy()[3] == ORIGIN[0] + 3 * SPACING[1]
    assert found.attrs["units"] == "HU"
    assert float(found.sel(z=ORIGIN[2] + STEP, y=ORIGIN[1], x=ORIGIN[0])) == 1000 - 1024


def test_nifti_has_the_same_voxels_at_the_same_places(kept):
    found = kept(made.series("1.2.5.19", orientation=OBLIQUE)).volume(**QUIET)
    image = found.to_nibabel()
    assert image.shape == (16, 12, 6)
    k, j, i = 4, 3, 2
    assert np.asarray(image.dataobj)[i, j, k] == found.array[k, j, i]
    x, y, z = found.to_patient((k, j, i))
    assert nibabel.affines.apply_affine(image.affine, (i, j, k)) == pytest.approx(
        np.asarray([-x, -y, z]), abs=1e-4
    )
    assert found.affine_ras[0].tolist() == (-found.affine[0]).tolist()


def test_progress_tells_the_bytes_of_the_pixels(kept):
    told: list[tuple[int, int]] = []
    series = kept(made.series("1.2.5.20"))
    series.volume(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (6 * 12 * 16 * 2, 6 * 12 * 16 * 2)
    assert np.asarray(series.volume(**QUIET)).shape == (6, 12, 16)


def test_a_wrong_word_is_told(kept):
    series = kept(made.series("1.2.5.21", 2, orientation=AXIAL))
    with pytest.raises(BadRequest, match="'error', 'keep' or 'largest'"):
        series.volume(irregular="drop", **QUIET)
    with pytest.raises(BadRequest, match="real_world"):
        series.volume(values="hu", **QUIET)
    with pytest.raises(BadRequest, match="no real world values"):
        series.volume(values="real_world", **QUIET)
