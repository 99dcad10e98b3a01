"""Dates move by whole days; what is no date is told, not guessed."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from isocenter.deid import Deidentifier, Key, Policies
from isocenter.deid.dates import midnight, shift_date, shift_datetime
from isocenter.deid.policies import Times

KEY = Key(bytes(range(32)))


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


@pytest.mark.parametrize(
    ("before", "vr", "after"),
    [
        ("20240301120000.123456+0100", "DT", "20240301"),
        ("2024+0100", "DT", "2024"),
        ("202403", "DT", "202403"),
        ("", "DT", ""),
        ("120000.5", "TM", "000000"),
        ("", "TM", ""),
    ],
)
def test_a_moment_without_its_time_of_day(before: str, vr: str, after: str) -> None:
    assert midnight(before, vr) == after


@pytest.mark.parametrize(
    ("option", "date", "told"),
    [("modified-dates", None, "MODIFIED"), ("full-dates", "20240301", "MODIFIED")],
)
def test_times_of_day_are_dropped_when_asked(option: str, date: str | None, told: str) -> None:
    before = Dataset()
    before.SOPClassUID, before.SOPInstanceUID, before.PatientID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3", "P"
    before.StudyDate, before.StudyTime, before.AcquisitionDateTime = "20240301", "101112", "20240301101112.5"
    after = Deidentifier(KEY, options=[option], policies=Policies(times=Times.DROP)).apply(before).dataset
    assert after is not None
    assert (after.StudyTime, len(after.AcquisitionDateTime)) == ("000000", 8)
    assert after.StudyDate == (date or after.AcquisitionDateTime)
    assert after.LongitudinalTemporalInformationModified == told
    kept = Deidentifier(KEY, options=[option]).apply(before).dataset
    assert kept is not None
    assert kept.StudyTime == "101112"
    assert str(kept.AcquisitionDateTime).endswith("101112.5")
