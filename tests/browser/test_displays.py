"""Tables of the client in a browser: legible in light and dark, aligned, and not wider than the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isocenter.client.display.cells import Preview
from isocenter.client.display.html import facts_html, table_html

pytestmark = pytest.mark.browser

ROWS = [
    {
        "PatientID": "P1",
        "SeriesDescription": "T1 " * 30,
        "NumberOfSeriesRelatedInstances": 1200,
        "_size": 5e8,
    },
    {"PatientID": None, "SeriesDescription": None, "NumberOfSeriesRelatedInstances": 3, "_size": 1e3},
]


def page() -> str:
    counts = [{"Modality": "CT", "count": 3}, {"Modality": "MR", "count": 1}]
    series = Preview("2 series", tuple(ROWS[0]), ROWS, 25, {"instances": 1203, "size": 500_001_000})
    return "".join(
        [
            table_html(series),
            table_html(Preview("2 values", ("Modality", "count"), counts, bars="count")),
            facts_html("Archive main", {"server": "Isocenter 0.1.0", "size": "1 kB"}),
            table_html(Preview("<series of 'main'>", error="No answer")),
        ]
    )


CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const one of colours) { canvas.fillStyle = one; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (c) => { const [r, g, b] = c.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (element) => { const found = [];
    for (let e = element; e; e = e.parentElement) found.unshift(getComputedStyle(e).backgroundColor);
    return found; };
  return [...document.querySelectorAll('.isocenter *')]
    .filter(e => e.children.length === 0 && e.textContent.trim())
    .map(e => { const below = behind(e);
      const a = light(rgb(below)), b = light(rgb([...below, getComputedStyle(e).color]));
      return [e.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; });
}
"""


@pytest.fixture(params=["light", "dark"])
def shown(request: pytest.FixtureRequest, browser: Any, pictures: Path) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 900, "height": 700}, color_scheme=request.param)
    ground = "#fff" if request.param == "light" else "#111"
    opened.set_content(f"<!doctype html><html><body style='background:{ground}'>{page()}</body></html>")
    opened.screenshot(path=str(pictures / f"displays-{request.param}.png"), full_page=True)
    yield opened
    opened.close()


def test_every_text_stands_out_from_what_is_behind_it(shown: Any) -> None:
    found = shown.evaluate(CONTRAST)
    assert len(found) > 20
    assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []


def test_numbers_end_at_the_same_place_and_long_text_is_cut(shown: Any) -> None:
    right = """e => { const text = document.createRange(); text.selectNodeContents(e);
        return text.getBoundingClientRect().right }"""
    ends = [cell.evaluate(right) for cell in shown.query_selector_all("tbody td:nth-child(3).number")]
    assert len(ends) == 2
    assert max(ends) - min(ends) < 1
    long = shown.query_selector("td[title]")
    assert long.get_attribute("title").startswith("T1 T1")
    assert long.evaluate("e => e.scrollWidth > e.clientWidth")
    assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_tables_are_named_and_masks_are_said(shown: Any) -> None:
    assert shown.query_selector("table caption").inner_text().startswith("2 series")
    assert shown.get_by_role("columnheader", name="PatientID").count() == 1
    assert shown.get_by_role("rowheader", name="server").count() == 1
    assert shown.get_by_role("alert").inner_text() == "No answer"
    assert shown.query_selector("td.masked").get_attribute("aria-label") == "masked"
