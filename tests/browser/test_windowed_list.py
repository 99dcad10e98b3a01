# ruff: noqa: E501 - JavaScript in strings
"""Long lists of widgets: only what is seen is in the page, and the last of ten million rows can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import isocenter_jupyter.widgets
from isocenter_jupyter.widgets.assembly import assemble

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><div id="list" style="height:400px;overflow:auto;position:relative"></div>"""


@pytest.fixture
def page(browser: Any) -> Any:
    windowed = Path(isocenter_jupyter.widgets.__file__).parent / "static" / "windowed.js"
    opened = browser.new_page()
    opened.set_content(PAGE)
    module = f"{assemble(windowed)}\nwindow.windowed = windowed;\n"
    opened.add_script_tag(content=module, type="module")
    opened.wait_for_function("'windowed' in window", timeout=60_000)
    yield opened
    opened.close()


def show(page: Any, count: int) -> None:
    page.evaluate(
        """(count) => {
          window.list = windowed({ scroller: document.getElementById("list"), height: 27 });
          list.show(count, (index) => Object.assign(document.createElement("div"), { textContent: `row ${index}` }));
        }""",
        count,
    )


def inside(page: Any) -> list[str]:
    """The rows that are wholly seen."""
    return page.evaluate(
        """() => {
          const box = document.getElementById("list").getBoundingClientRect();
          return [...list.space.children].filter((one) => {
            const { top, bottom } = one.getBoundingClientRect();
            return top >= box.top - 14 && bottom <= box.bottom + 14;
          }).map((one) => one.textContent);
        }"""
    )


@pytest.mark.parametrize("count", [1_000, 10_000_000])
def test_the_last_row_is_reached_by_keyboard_and_by_scrolling(page: Any, count: int) -> None:
    show(page, count)
    assert inside(page)[0] == "row 0"
    page.evaluate("(index) => list.reveal(index)", count - 1)
    assert inside(page)[-1] == f"row {count - 1}"
    page.evaluate("document.getElementById('list').scrollTop = 0; list.redraw()")
    page.evaluate("document.getElementById('list').scrollTop = 1e9; list.redraw()")
    assert inside(page)[-1] == f"row {count - 1}"
    assert page.evaluate("list.space.children.length") < 60


@pytest.mark.parametrize("count", [1_000, 10_000_000])
def test_a_row_in_the_middle_is_seen_when_it_is_chosen(page: Any, count: int) -> None:
    show(page, count)
    page.evaluate("(index) => list.reveal(index)", count // 2)
    assert f"row {count // 2}" in inside(page)
