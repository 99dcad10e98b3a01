# ruff: noqa: E501 - JavaScript in strings
"""What the series viewer lays over images, in Chromium: dose, segmentations, contours."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from viewer_modules import Run, axial_tags, image_json

from isocenter.datasets.phantoms import Subject, ct
from isocenter.datasets.planning import structure_set

pytestmark = pytest.mark.browser


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
    dataset = image_json(2, 2, t00280008=3, t3004000C=offsets, **axial_tags(-40.0))
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
    seg = image_json(8, 8, uid="7.7", t00280008=6, t00620001="BINARY", t00200052="9.9")
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
        image=image_json(4, 4, **axial_tags(10.0, spacing=2.0, origin=(1.0, 1.0))),
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
    seg = image_json(2, 2, uid="7.7", t00620001=kind, t0062000E=100, **axial_tags(0.0))
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
        image=image_json(2, 2, **axial_tags(0.0)),
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
        images=[image_json(9, 9, uid=str(z), **axial_tags(z * 2.5, spacing=0.5)) for z in range(4)],
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
