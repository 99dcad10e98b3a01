"""Byte ranges: one range is answered, several or malformed ones by the whole, impossible ones refused."""

from __future__ import annotations

import pytest

from isocenter.http.failures import RangeNotSatisfiable
from isocenter.http.ranges import if_range, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=900-", (900, 100)),
        ("bytes=900-5000", (900, 100)),
        ("bytes=-10", (990, 10)),
        ("bytes=-5000", (0, 1000)),
        ("Bytes = 1 - 1", (1, 1)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    found = parse_range(header, 1000)
    assert (found and (found.start, found.length)) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=-0", "bytes=99999-100000"])
def test_a_range_behind_the_end(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 1000)


def test_content_range() -> None:
    found = parse_range("bytes=10-19", 1000)
    assert found is not None
    assert found.content_range == "bytes 10-19/1000"


def test_if_range_needs_the_very_representation() -> None:
    assert if_range(None, '"a"')
    assert if_range('"a"', '"a"')
    assert not if_range('"b"', '"a"')
    assert not if_range('W/"a"', 'W/"a"')
    assert not if_range('"a"', None)
