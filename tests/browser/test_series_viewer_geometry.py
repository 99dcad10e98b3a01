# ruff: noqa: E501 - JavaScript in strings
"""Where things are in the series viewer, in Chromium: planes, slices, letters, zoom and measurements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from viewer_modules import Run, axial_tags, image_json, plane_json

pytestmark = pytest.mark.browser


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
        dataset=plane_json(),
        points=points,
    )
    first, second = np.array([0.8, 0.6, 0.0]), np.array([-0.36, 0.48, 0.8])
    for (column, row), (there, back) in zip(points, told, strict=True):
        assert np.allclose(there, np.array([10, -20, 30]) + column * 0.75 * first + row * 0.5 * second)
        assert np.allclose(back, [column, row, 0])


def test_slices_are_sorted_by_where_they_lie_whatever_their_numbers(run: Run) -> None:
    images = [
        image_json(2, 2, uid=str(10 + z), t00200013=100 - z, **axial_tags(z * 2.5)) for z in (3, 0, 4, 1, 2)
    ]
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


def test_lengths_angles_and_areas_are_in_millimetres(run: Run) -> None:
    told = run(
        "measuring frames",
        """const [frame] = m.frames_of([given.image]);
        return [m.distance_of(frame, [[0, 0], [30, 40]]), m.angle_of(frame, [[10, 0], [0, 0], [0, 10]]),
          m.angle_of(frame, [[10, 0], [0, 0], [10, 20]]), m.length_unit(frame)];""",
        image=image_json(64, 64, t00280030=[0.5, 2.0], t00200037=[1, 0, 0, 0, 1, 0], t00200032=[0, 0, 0]),
    )
    assert told[0] == pytest.approx(np.hypot(60, 20))
    assert told[1] == pytest.approx(90)
    assert told[2] == pytest.approx(np.degrees(np.arctan2(10, 20)))
    assert told[3] == "mm"


def test_a_length_by_imager_spacing_alone_is_marked(run: Run) -> None:
    source = """const [frame] = m.frames_of([given.image]);
        return [frame.spacing_kind, m.measurement_text(frame, { type: "distance", points: [[0, 0], [10, 0]] })[0]];"""
    assert run("measuring frames", source, image=image_json(9, 9, t00181164=[0.1, 0.1])) == [
        "imager",
        "1 mm *",
    ]
    assert run("measuring frames", source, image=image_json(9, 9)) == ["none", "10 px"]


def test_a_region_has_the_mean_and_deviation_of_its_pixels(run: Run) -> None:
    values = np.random.default_rng(1).integers(-1000, 1000, (40, 50)).astype(np.int16)
    told = run(
        "measuring frames",
        """const [frame] = m.frames_of([given.image]);
        const pixels = { kind: "grey", width: 50, height: 40, stored: Int16Array.from(given.values) };
        return m.region_of(frame, { pixels, tables: null }, [[35, 30], [10, 8]]);""",
        image=image_json(40, 50, t00281053=2, t00281052=-5, **axial_tags(0.0, spacing=0.5)),
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
