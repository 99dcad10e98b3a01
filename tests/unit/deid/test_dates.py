"""Dates move by whole days; what is no date is told, not guessed."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.deid.dates import shift_date, shift_datetime


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("20240301", "20240229"),
        ("20240301 ", "20240229"),
        ("2024.03.01", "20240229"),
        ("", ""),
        ("20240230", None),
        ("2024", None),
        ("yesterday", None),
        ("00010101", None),
    ],
)
def test_a_date_moves_by_days(before: str, after: str | None) -> None:
    assert shift_date(before, -1) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("20240301120000.123456+0100", "20240229120000.123456+0100"),
        ("2024030112", "2024022912"),
        ("20240301", "20240229"),
        ("202403", "202403"),
        ("2024", "2024"),
        ("2024+0100", "2024+0100"),
        ("", ""),
        ("2024030112000x", None),
        ("noon", None),
    ],
)
def test_a_moment_moves_by_days_and_keeps_its_time_and_zone(before: str, after: str | None) -> None:
    assert shift_datetime(before, -1) == after


def test_a_year_or_month_alone_moves_from_its_middle() -> None:
    assert shift_datetime("2024", -365) == "2023"
    assert shift_datetime("202403", -31) == "202402"


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), st.integers(-3650, -1))
def test_differences_between_dates_stay(first: datetime.date, days: int) -> None:
    moved = shift_date(first.strftime("%Y%m%d"), days)
    assert moved is not None
    told = datetime.datetime.strptime(moved, "%Y%m%d").date()
    assert first - told == datetime.timedelta(-days)
