# ruff: noqa: E501 - JavaScript in strings
"""The pure modules of the series viewer, run in Chromium: numbers against pydicom, numpy and the standard."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_rescale, apply_voi_lut, apply_windowing, pixel_array
from widget_pages import widget_pages

from isocenter.client.transport import Transport
from isocenter.datasets.phantoms import Subject, ct
from isocenter.datasets.planning import structure_set

pytestmark = pytest.mark.browser
Run = Callable[..., Any]

_RUN = """async ([modules, source, given]) => {
  const loaded = {};
  for (const name of modules) Object.assign(loaded, await import(`/modules/static/series_viewer/${name}.js`));
  const work = new Function("m", "given", `return (async () => { ${source} })()`);
  return work(loaded, given);
}"""


@pytest.fixture(scope="module")
def run(browser: Any) -> Iterator[Run]:
    """Runs JavaScript with modules of the viewer as `m` and JSON as `given`."""
    with widget_pages(Transport("http://127.0.0.1:9")) as pages:
        page = browser.new_page()
        page.goto(f"{pages.url}/blank")

        def work(modules: str, source: str, **given: Any) -> Any:
            return page.evaluate(_RUN, [modules.split(), source, given])

        yield work
        page.close()


def _plane(**changes: Any) -> dict[str, Any]:
    """DICOM JSON of an image plane that is oblique in all three directions."""
    first = np.array([0.8, 0.6, 0.0])
    second = np.array([-0.36, 0.48, 0.8])
    told = {
        "00200037": {"vr": "DS", "Value": [*first, *second]},
        "00200032": {"vr": "DS", "Value": [10.0, -20.0, 30.0]},
        "00280030": {"vr": "DS", "Value": [0.5, 0.75]},
    }
    return {**told, **changes}


def _image(rows: int, columns: int, *, uid: str = "1.2.3", **tags: Any) -> dict[str, Any]:
    """DICOM JSON of a small axial image of signed 16 bits; values by tag."""
    values = {
        "00080018": uid,
        "00080060": "CT",
        "00280010": rows,
        "00280011": columns,
        "00280100": 16,
        "00280101": 16,
        "00280102": 15,
        "00280103": 1,
        "00280002": 1,
        "00280004": "MONOCHROME2",
    }
    made = {tag: {"vr": "", "Value": [value]} for tag, value in values.items()}
    for tag, value in tags.items():
        made[tag.removeprefix("t")] = {"vr": "", "Value": value if isinstance(value, list) else [value]}
    return made


def _axial(z: float, *, spacing: float = 1.0, origin: tuple[float, float] = (0.0, 0.0)) -> dict[str, Any]:
    return {
        "t00200037": [1, 0, 0, 0, 1, 0],
        "t00200032": [*origin, z],
        "t00280030": [spacing, spacing],
        "t00200052": "9.9",
    }


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(40.0, 400.0), (-600.0, 1500.0), (10.5, 2.0)])
def test_windows_are_those_of_the_standard(run: Run, function: str, center: float, width: float) -> None:
    told = Dataset()
    told.PhotometricInterpretation, told.BitsStored, told.PixelRepresentation = "MONOCHROME2", 16, 1
    told.WindowCenter, told.WindowWidth, told.VOILUTFunction = center, width, function
    told.RescaleSlope, told.RescaleIntercept = 1, 0
    values = np.arange(-1100, 1100, 7, dtype=np.int16) if width > 10 else np.arange(-90, 90, dtype=np.int16)
    expected = apply_windowing(values, told)
    least, most = -32768, 32767
    shares = run(
        "luts",
        "return given.values.map((v) => m.windowed(v, given.center, given.width, given.name))",
        values=values.tolist(),
        center=center,
        width=width,
        name=function,
    )
    assert np.allclose(np.array(shares) * (most - least) + least, expected, atol=1e-6 * (most - least))


def test_a_ct_is_shown_in_the_grey_levels_that_pydicom_gives(run: Run) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    image.WindowCenter, image.WindowWidth = 40, 400
    expected = apply_windowing(apply_rescale(image.pixel_array, image), image)
    expected = (expected - expected.min()) / (expected.max() - expected.min()) * 255
    shown = _shown(run, image, {"mode": "window", "center": 40, "width": 400})
    assert np.abs(shown - expected).max() <= 1


def test_monochrome1_and_inversion_turn_black_and_white_round(run: Run) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    view = {"mode": "window", "center": 40, "width": 400}
    plain = _shown(run, image, view)
    image.PhotometricInterpretation = "MONOCHROME1"
    assert (_shown(run, image, view) == 255 - plain).all()
    assert (_shown(run, image, {**view, "invert": True}) == plain).all()


def test_a_voi_lut_is_applied_as_pydicom_does(run: Run) -> None:
    image = dcmread(get_testdata_file("CT_small.dcm"))
    table = Dataset()
    curve = (np.linspace(0, 1, 1000) ** 2 * 4095).astype(np.uint16)
    table.LUTDescriptor, table.LUTExplanation = [1000, 0, 12], "Square"
    table.add_new("LUTData", "US", curve.tolist())
    image.VOILUTSequence = [table]
    for keyword in ("WindowCenter", "WindowWidth"):
        if keyword in image:
            delattr(image, keyword)
    expected = apply_voi_lut(apply_modality_lut(image.pixel_array, image).astype(int), image) / 4095 * 255
    assert np.abs(_shown(run, image, {"mode": "object"}) - expected).max() <= 1


def test_a_modality_lut_gives_the_values_that_pydicom_gives(run: Run) -> None:
    image = dcmread(get_testdata_file("mlut_18.dcm"))
    expected = apply_modality_lut(image.pixel_array, image).astype(float)
    values = run(
        "frames pixels luts tables attributes",
        """const [frame] = m.frames_of([given.dataset]);
        const tables = await m.tables_of(frame, null);
        const bytes = Uint8Array.from(atob(given.pixels), (c) => c.charCodeAt(0));
        const pixels = m.decode_frame(frame.image, bytes.buffer);
        return Array.from(pixels.stored, (v) => m.modality_value(frame, tables, v));""",
        dataset=_json(image),
        pixels=base64.b64encode(image.PixelData).decode(),
    )
    assert np.abs(np.array(values).reshape(expected.shape) - expected).max() < 1


def test_a_palette_image_has_the_colours_that_pydicom_gives(run: Run) -> None:
    from pydicom.pixels import apply_color_lut

    path = get_testdata_file("examples_palette.dcm")
    image = dcmread(path)
    expected = apply_color_lut(image.pixel_array, image)
    expected = (expected >> 8).astype(np.uint8) if expected.dtype == np.uint16 else expected
    shown = _shown(run, image, {"mode": "object"}, colour=True)
    assert np.abs(shown[..., :3].astype(int) - expected).max() <= 1


def test_a_segmented_palette_has_the_colours_that_pydicom_gives(run: Run) -> None:
    from pydicom.pixels import apply_color_lut

    path = get_testdata_file("gdcm-US-ALOKA-16.dcm")
    if path is None:
        pytest.skip("pydicom-data is not installed")
    image = dcmread(path)
    expected = (apply_color_lut(image.pixel_array, image) >> 8).astype(int)
    shown = _shown(run, image, {"mode": "object"}, colour=True)
    assert np.abs(shown[..., :3].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("wide", [True, False])
def test_segments_of_a_table_are_values_lines_and_repetitions(run: Run, wide: bool) -> None:
    offset = [0, 0] if wide else [0, 0, 0, 0]
    words = [0, 2, 10, 20, 1, 4, 60, 2, 2, *offset]
    told = run("tables", "return m.expanded(given.words, given.wide)", words=words, wide=wide)
    assert told == [10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60]


def test_twelve_signed_bits_have_their_sign(run: Run) -> None:
    stored = np.array([-2048, -1, 0, 1, 2047], dtype=np.int16)
    raw = (stored & 0x0FFF).astype("<u2")
    image = {"rows": 1, "columns": 5, "samples": 1, "allocated": 16, "stored": 12, "signed": True}
    image["high_bit"] = 11
    values = run(
        "pixels",
        "return Array.from(m.stored_values(given.image, Uint16Array.from(given.raw).buffer))",
        image=image,
        raw=raw.tolist(),
    )
    assert values == stored.tolist()


@pytest.mark.parametrize(
    "name", ["SC_ybr_full_422_uncompressed.dcm", "SC_ybr_full_uncompressed.dcm", "SC_rgb.dcm"]
)
def test_colour_is_what_pydicom_makes_of_it(run: Run, name: str) -> None:
    path = get_testdata_file(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    expected = pixel_array(path)
    shown = _shown(run, dcmread(path), {"mode": "object"}, colour=True)
    assert np.abs(shown[..., :3].astype(int) - expected).max() <= 2


def test_oblique_planes_lead_to_the_patient_and_back(run: Run) -> None:
    points = [[0, 0], [3, 7], [100.25, 50.5]]
    told = run(
        "geometry attributes",
        """const n = (tag, c) => m.numbers_of(given.dataset, tag, c);
        const plane = m.plane_of(n("00200037", 6), n("00200032", 3), n("00280030", 2));
        return given.points.map(([c, r]) => {
          const there = m.to_patient(plane, c, r);
          const back = m.to_image(plane, there);
          return [there, [back.column, back.row, back.distance]];
        });""",
        dataset=_plane(),
        points=points,
    )
    first, second = np.array([0.8, 0.6, 0.0]), np.array([-0.36, 0.48, 0.8])
    for (column, row), (there, back) in zip(points, told, strict=True):
        assert np.allclose(there, np.array([10, -20, 30]) + column * 0.75 * first + row * 0.5 * second)
        assert np.allclose(back, [column, row, 0])


def test_slices_are_sorted_by_where_they_lie_whatever_their_numbers(run: Run) -> None:
    images = [_image(2, 2, uid=str(10 + z), t00200013=100 - z, **_axial(z * 2.5)) for z in (3, 0, 4, 1, 2)]
    order = run("frames", "return m.frames_of(given.images).map((f) => f.image.uid)", images=images)
    assert order == ["10", "11", "12", "13", "14"]
    assert run("frames", "return m.slice_spacing(m.frames_of(given.images))", images=images) == 2.5


@pytest.mark.parametrize(
    ("across", "down", "edges"),
    [
        ([1, 0, 0], [0, 1, 0], ["L", "P"]),
        ([0, 1, 0], [0, 0, -1], ["P", "F"]),
        ([1, 0, 0], [0, 0, -1], ["L", "F"]),
        ([0.8, 0.6, 0], [-0.6, 0.8, 0], ["LP", "PR"]),
    ],
)
def test_letters_name_where_the_edges_point(run: Run, across: Any, down: Any, edges: list[str]) -> None:
    told = run(
        "geometry",
        "const e = m.edges_of({ across: given.across, down: given.down }); return [e.right, e.bottom]",
        across=across,
        down=down,
    )
    assert told == edges


def test_dose_is_interpolated_on_an_oblique_image(run: Run) -> None:
    """A dose that grows linearly along a direction is exact wherever the image cuts its grid."""
    told = run(
        "grids geometry",
        """const frames = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((k) => ({ image: { rows: 20, columns: 20 },
          plane: m.plane_of([1, 0, 0, 0, 1, 0], [-30, -30, -20 + k * 5], [3, 3]) }));
        const stack = m.stack_of(frames);
        const values = stack.places.map((z) => Float32Array.from({ length: 400 },
          (_, i) => 2 * (-30 + (i % 20) * 3) + 3 * (-30 + Math.floor(i / 20) * 3) - z + 200));
        const plane = m.plane_of(given.orientation, [-10, -12, -8], [0.7, 0.9]);
        let worst = 0; let inside = 0;
        m.walk(stack, plane, 24, 24, 1, (index, column, row, place) => {
          const got = m.interpolated(stack, values, column, row, place);
          const [x, y, z] = m.to_patient(plane, index % 24, Math.floor(index / 24));
          if (!Number.isFinite(got)) return;
          inside += 1;
          worst = Math.max(worst, Math.abs(got - (2 * x + 3 * y - z + 200)));
        });
        return [worst, inside];""",
        orientation=[0.8, 0.6, 0.0, -0.36, 0.48, 0.8],
    )
    assert told[0] < 1e-3
    assert told[1] > 400


def test_dose_outside_its_grid_is_no_dose(run: Run) -> None:
    told = run(
        "grids geometry",
        """const frames = [0, 1].map((k) => ({ image: { rows: 2, columns: 2 },
          plane: m.plane_of([1, 0, 0, 0, 1, 0], [0, 0, k * 4], [2, 2]) }));
        const stack = m.stack_of(frames);
        const values = [new Float32Array(4).fill(1), new Float32Array(4).fill(3)];
        return [[0.5, 0.5, 2], [0.5, 0.5, 5], [-1, 0, 2], [0, 3, 2], [1, 1, 4]].map((at) => {
          const value = m.interpolated(stack, values, ...at);
          return Number.isFinite(value) ? value : null;
        });""",
    )
    assert told == [2, None, None, None, 3]


def test_an_isodose_of_a_cone_is_a_circle(run: Run) -> None:
    segments = run(
        "dose",
        """const size = 101;
        const values = Float32Array.from({ length: size * size }, (_, i) => 50 - Math.hypot(i % size - 50, Math.floor(i / size) - 50));
        return m.isolines(values, size, size, 20);""",
    )
    points = np.array(segments).reshape(-1, 2) - 50.5
    assert len(points) > 100
    assert np.abs(np.hypot(points[:, 0], points[:, 1]) - 30).max() < 0.05


@pytest.mark.parametrize("offsets", [[0, 2.5, 5], [-40, -37.5, -35]])
def test_dose_planes_lie_where_the_offset_vector_says(run: Run, offsets: list[float]) -> None:
    dataset = _image(2, 2, t00280008=3, t3004000C=offsets, **_axial(-40.0))
    places = run(
        "dose frames",
        "return m.grid_frames(given.d, m.describe_image(given.d)).map((f) => f.plane.origin[2])",
        d=dataset,
    )
    assert places == [-40, -37.5, -35]


def test_a_segmentation_on_a_finer_grid_lies_where_it_does_in_the_patient(run: Run) -> None:
    """The image has pixels of 2 mm from 1 mm on; the segmentation pixels of 1 mm from 0.5 mm on, and other slices."""
    groups = [
        {
            "00209113": {"Value": [{"00200032": {"Value": [0.5, 0.5, z]}}]},
            "0062000A": {"Value": [{"0062000B": {"Value": [segment]}}]},
        }
        for segment in (1, 2)
        for z in (9.0, 10.0, 11.0)
    ]
    seg = _image(8, 8, uid="7.7", t00280008=6, t00620001="BINARY", t00200052="9.9")
    seg["00280100"]["Value"] = [1]
    seg["00280101"]["Value"] = [1]
    seg["52009229"] = {
        "Value": [
            {
                "00209116": {"Value": [{"00200037": {"Value": [1, 0, 0, 0, 1, 0]}}]},
                "00289110": {"Value": [{"00280030": {"Value": [1, 1]}}]},
            }
        ]
    }
    seg["52009230"] = {"Value": groups}
    seg["00620002"] = {
        "Value": [{"00620004": {"Value": [n]}, "00620005": {"Value": [f"S{n}"]}} for n in (1, 2)]
    }
    masks = run(
        "segmentation frames",
        """const asked = [];
        const loader = { bytes: async (frame) => {
          asked.push(frame.index);
          // segment 1: columns 0 to 3 of every row; segment 2: rows 6 and 7
          return frame.segment === 1 ? new Uint8Array(8).fill(0x0f).buffer : Uint8Array.of(0, 0, 0, 0, 0, 0, 255, 255).buffer;
        } };
        const [frame] = m.frames_of([given.image]);
        const layer = await new m.Segmentation(given.seg, loader).layer_of(frame);
        return [layer.masks.map(({ part, mask }) => [part.label, Array.from(mask)]), asked.sort()];""",
        seg=seg,
        image=_image(4, 4, **_axial(10.0, spacing=2.0, origin=(1.0, 1.0))),
    )
    (first, second), asked = masks
    assert first[0] == "S1"
    left = np.array(first[1]).reshape(4, 4) > 0
    assert left.tolist() == [[True, True, False, False]] * 4
    below = np.array(second[1]).reshape(4, 4) > 0
    assert below.tolist() == [[False] * 4] * 3 + [[True] * 4]
    assert set(asked) <= {0, 1, 2, 3, 4, 5}
    assert {1, 4} <= set(asked)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("FRACTIONAL", [0, 50, 100, 25], {1: [0, 128, 255, 64]}),
        ("LABELMAP", [0, 2, 5, 2], {2: [0, 255, 0, 255], 5: [0, 0, 255, 0]}),
    ],
)
def test_fractional_segmentations_and_label_maps(
    run: Run, kind: str, values: list[int], expected: dict[int, list[int]]
) -> None:
    seg = _image(2, 2, uid="7.7", t00620001=kind, t0062000E=100, **_axial(0.0))
    seg["00280100"]["Value"], seg["00280101"]["Value"], seg["00280102"]["Value"] = [8], [8], [7]
    seg["00280103"]["Value"] = [0]
    seg["00620002"] = {"Value": [{"00620004": {"Value": [n]}} for n in (1, 2, 5)]}
    masks = run(
        "segmentation frames",
        """const [frame] = m.frames_of([given.image]);
        const loader = { bytes: async () => Uint8Array.from(given.values).buffer };
        const layer = await new m.Segmentation(given.seg, loader).layer_of(frame);
        return layer.masks.map(({ part, mask }) => [part.number, Array.from(mask)]);""",
        seg=seg,
        image=_image(2, 2, **_axial(0.0)),
        values=values,
    )
    assert dict(masks) == expected


def test_contours_lie_on_the_slice_that_is_nearest_and_no_other(run: Run) -> None:
    roi = {
        "30060084": {"Value": [1]},
        "30060040": {
            "Value": [
                {
                    "30060042": {"Value": ["CLOSED_PLANAR"]},
                    "30060050": {"Value": [1, 2, z, 5, 2, z, 5, 6, z]},
                }
                for z in (0.0, 2.5, 6.2, 7.4)
            ]
        },
    }
    told = run(
        "structures frames",
        """const frames = m.frames_of(given.images);
        const set = new m.StructureSet(given.set);
        return frames.map((f) => set.layer_of(f, m.slice_spacing(frames)).paths.map((p) => p.points));""",
        images=[_image(9, 9, uid=str(z), **_axial(z * 2.5, spacing=0.5)) for z in range(4)],
        set={"30060039": {"Value": [roi]}},
    )
    assert [len(paths) for paths in told] == [1, 1, 1, 1]
    # 1 mm is column 2 of pixels of 0.5 mm; its centre is at 2.5 from the corner
    assert told[0][0] == [[2.5, 4.5], [10.5, 4.5], [10.5, 12.5]]


def test_a_structure_set_with_long_contours_is_read_from_the_object(run: Run) -> None:
    images = list(ct(Subject(), slices=3, size=32))
    made = structure_set(images, lambda *parts: "1.2." + ".".join(str(len(str(part))) for part in parts))
    file = BytesIO()
    made.save_as(file, enforce_file_format=True)
    told = run(
        "part10 structures",
        """const bytes = Uint8Array.from(atob(given.file), (c) => c.charCodeAt(0));
        const set = new m.StructureSet(m.read_part10(bytes.buffer));
        return set.parts.map((part) => [part.label, part.colour, part.contours.map((c) => c.points.flat())]);""",
        file=base64.b64encode(file.getvalue()).decode(),
    )
    assert [(label, colour) for label, colour, _ in told] == [
        (roi.ROIName, list(contours.ROIDisplayColor))
        for roi, contours in zip(made.StructureSetROISequence, made.ROIContourSequence, strict=True)
    ]
    for (_, _, contours), expected in zip(told, made.ROIContourSequence, strict=True):
        assert contours == [[float(v) for v in one.ContourData] for one in expected.ContourSequence]


def test_lengths_angles_and_areas_are_in_millimetres(run: Run) -> None:
    told = run(
        "measuring frames",
        """const [frame] = m.frames_of([given.image]);
        return [m.distance_of(frame, [[0, 0], [30, 40]]), m.angle_of(frame, [[10, 0], [0, 0], [0, 10]]),
          m.angle_of(frame, [[10, 0], [0, 0], [10, 20]]), m.length_unit(frame)];""",
        image=_image(64, 64, t00280030=[0.5, 2.0], t00200037=[1, 0, 0, 0, 1, 0], t00200032=[0, 0, 0]),
    )
    assert told[0] == pytest.approx(np.hypot(60, 20))
    assert told[1] == pytest.approx(90)
    assert told[2] == pytest.approx(np.degrees(np.arctan2(10, 20)))
    assert told[3] == "mm"


def test_a_length_by_imager_spacing_alone_is_marked(run: Run) -> None:
    source = """const [frame] = m.frames_of([given.image]);
        return [frame.spacing_kind, m.measurement_text(frame, { type: "distance", points: [[0, 0], [10, 0]] })[0]];"""
    assert run("measuring frames", source, image=_image(9, 9, t00181164=[0.1, 0.1])) == ["imager", "1 mm *"]
    assert run("measuring frames", source, image=_image(9, 9)) == ["none", "10 px"]


def test_a_region_has_the_mean_and_deviation_of_its_pixels(run: Run) -> None:
    values = np.random.default_rng(1).integers(-1000, 1000, (40, 50)).astype(np.int16)
    told = run(
        "measuring frames",
        """const [frame] = m.frames_of([given.image]);
        const pixels = { kind: "grey", width: 50, height: 40, stored: Int16Array.from(given.values) };
        return m.region_of(frame, { pixels, tables: null }, [[35, 30], [10, 8]]);""",
        image=_image(40, 50, t00281053=2, t00281052=-5, **_axial(0.0, spacing=0.5)),
        values=values.ravel().tolist(),
    )
    y, x = np.mgrid[0:40, 0:50] + 0.5
    inside = values[((x - 22.5) / 12.5) ** 2 + ((y - 19) / 11) ** 2 <= 1] * 2.0 - 5
    assert told["pixels"] == len(inside)
    assert (told["mean"], told["sd"]) == pytest.approx((inside.mean(), inside.std(ddof=1)))
    assert told["area"] == pytest.approx(np.pi * 12.5 * 11 / 4)


@pytest.mark.parametrize(
    ("turns", "mirror", "edges"),
    [
        (0, False, "R L A P"),
        (1, False, "P A R L"),
        (2, False, "L R P A"),
        (3, False, "A P L R"),
        (0, True, "L R A P"),
        (1, True, "A P R L"),
        (2, True, "R L P A"),
        (3, True, "P A L R"),
    ],
)
def test_letters_follow_turns_and_flips(run: Run, turns: int, mirror: bool, edges: str) -> None:
    told = run(
        "decoration placement geometry",
        """const frame = { plane: m.plane_of([1, 0, 0, 0, 1, 0], [0, 0, 0], [1, 1]) };
        const turned = { ...m.START, turns: given.turns };
        const matrix = m.matrix_of(given.mirror ? m.mirrored(turned) : turned, { width: 9, height: 9 }, { x: 0, y: 0, width: 99, height: 99 });
        const at = m.letters_around(frame, matrix);
        return [at.left, at.right, at.top, at.bottom].join(" ");""",
        turns=turns,
        mirror=mirror,
    )
    assert told == edges


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flipped", [False, True])
def test_zoom_keeps_what_is_under_the_pointer(run: Run, turns: int, flipped: bool) -> None:
    told = run(
        "placement",
        """const image = { width: 100, height: 80, aspect: 1.5 };
        const cell = { x: 20, y: 10, width: 400, height: 300 };
        const before = { ...m.START, turns: given.turns, flipped: given.flipped, x: 12, y: -7 };
        const point = [300, 77];
        const at = (p) => m.transformed(m.inverse_of(m.matrix_of(p, image, cell)), ...point);
        return [at(before), at(m.zoomed_at(before, cell, 2.7, point)), m.scale_of(m.matrix_of(m.START, image, cell))];""",
        turns=turns,
        flipped=flipped,
    )
    assert told[0] == pytest.approx(told[1])
    assert told[2] == pytest.approx(300 / 120)


def test_frames_that_nobody_wants_any_more_are_given_up(run: Run) -> None:
    told = run(
        "loader",
        """const given_up = [], asked = [];
        const connection = { get: (path, { signal }) => new Promise((resolve, reject) => {
          asked.push(Number(path.split("/").at(-1)));
          signal.addEventListener("abort", () => { given_up.push(Number(path.split("/").at(-1))); reject(new DOMException("", "AbortError")); });
        }) };
        const frame = (index) => ({ key: String(index), index, image: { study: "1", series: "2", uid: "3" } });
        const loader = new m.FrameLoader(connection, "/dicom-web");
        loader.want([0, 1, 2, 3, 4, 5, 6].map(frame));
        loader.want([4, 20, 21].map(frame));
        await new Promise((resolve) => setTimeout(resolve, 20));
        return [given_up, asked];""",
    )
    assert told == [[1, 2, 3, 4], [1, 2, 3, 4, 5, 21, 22]]


def test_the_cache_is_bounded_and_keeps_what_was_used_last(run: Run) -> None:
    told = run(
        "loader",
        """const image = { study: "1", series: "2", uid: "3", rows: 10, columns: 10, samples: 1, allocated: 8, stored: 8, high_bit: 7, photometric: "MONOCHROME2" };
        const connection = { get: async () => ({ status: 200, bytes: new ArrayBuffer(100) }) };
        const frame = (index) => ({ key: String(index), index, image, dataset: {} });
        const loader = new m.FrameLoader(connection, "", { capacity: 1000 });
        for (const index of [0, 1, 2]) await loader.load(frame(index));
        loader.peek(frame(0));
        await loader.load(frame(3));
        return [0, 1, 2, 3].map((index) => Boolean(loader.peek(frame(index)))).concat(loader.size);""",
    )
    assert told == [True, False, True, True, 900]


def test_suv_is_by_body_weight_and_decayed_to_the_start_of_the_series(run: Run) -> None:
    drug = {
        "00181074": {"Value": [3.7e8]},
        "00181075": {"Value": [6586.2]},
        "00181072": {"Value": ["100000"]},
    }
    dataset = {
        "00541001": {"Value": ["BQML"]},
        "00541102": {"Value": ["START"]},
        "00101030": {"Value": [70]},
        "00080031": {"Value": ["110000.00"]},
        "00540016": {"Value": [drug]},
    }
    factor = run("presets", "return m.suv_factor(given.d)", d=dataset)
    assert factor == pytest.approx(70000 / (3.7e8 * 2 ** (-3600 / 6586.2)))


def _shown(run: Run, image: Dataset, view: dict[str, Any], *, colour: bool = False) -> np.ndarray:
    """Grey levels (or RGBA) of the first frame, as the flat drawing has them."""
    told = run(
        "frames pixels luts tables flat",
        """const [frame] = m.frames_of([given.dataset]);
        const tables = await m.tables_of(frame, null);
        const bytes = Uint8Array.from(atob(given.pixels), (c) => c.charCodeAt(0));
        const pixels = m.decode_frame(frame.image, bytes.buffer);
        const table = pixels.kind === "grey" ? m.lookup_table(pixels, frame, tables, given.view) : null;
        const colours = m.colours_of(pixels, table);
        let text = "";
        for (let at = 0; at < colours.length; at += 4096) text += String.fromCharCode(...colours.slice(at, at + 4096));
        return btoa(text);""",
        dataset=_json(image),
        pixels=base64.b64encode(image.PixelData).decode(),
        view=view,
    )
    made = np.frombuffer(base64.b64decode(told), np.uint8).reshape(-1, image.Rows, image.Columns, 4)[0]
    return made if colour else made[..., 0].astype(int)


def _json(image: Dataset) -> dict[str, Any]:
    """DICOM JSON as our server writes it, as far as these modules read it: a native PixelData is a link with a length."""
    told: dict[str, Any] = image.to_json_dict(bulk_data_threshold=1 << 30, suppress_invalid_tags=True)
    told["7FE00010"] = {"vr": "OW", "BulkDataURI": "http://server/bulkdata?offset=1&length=2"}
    return told
