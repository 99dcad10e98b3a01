# ruff: noqa: E501 - JavaScript in strings
"""Frames that the series viewer fetches, keeps and gives up, in Chromium."""

from __future__ import annotations

import pytest
from viewer_modules import Run

pytestmark = pytest.mark.browser


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
