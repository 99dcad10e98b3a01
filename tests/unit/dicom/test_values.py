"""Values of the text VRs as they occur, not only as the standard writes them."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom import values
from isocenter.errors import InvalidValue

HOUR = 3_600_000_000


@pytest.mark.parametrize("text", ["20200131", "2020.01.31", "2020-01-31", "20200131 ", "20200131\0"])
def test_dates_of_dicom_acr_nema_and_people(text):
    assert values.parse_date(text) == date(2020, 1, 31)


@pytest.mark.parametrize("text", ["", "2020", "202001", "20200132", "20201301", "2020.0131", "2020013a"])
def test_what_is_no_date(text):
    with pytest.raises(ValueError):  # noqa: PT011
        values.parse_date(text)


@given(st.dates(min_value=date(1, 1, 1)))
def test_dates_come_back(day):
    assert values.parse_date(values.format_date(day)) == day


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("10", 10 * HOUR, 11 * HOUR - 1),
        ("1030", 10.5 * HOUR, 10.5 * HOUR + 60_000_000 - 1),
        ("10:30:00", 10.5 * HOUR, 10.5 * HOUR + 1_000_000 - 1),
        ("103000.5", 10.5 * HOUR + 500_000, 10.5 * HOUR + 600_000 - 1),
        ("103000.123456", 10.5 * HOUR + 123_456, 10.5 * HOUR + 123_456),
        ("103000.123456789", 10.5 * HOUR + 123_456, 10.5 * HOUR + 123_456),
        ("235960", 24 * HOUR - 1_000_000, 24 * HOUR - 1),
    ],
)
def test_a_time_covers_what_it_leaves_unsaid(text, low, high):
    assert values.time_span(text) == (low, high)


@pytest.mark.parametrize("text", ["", "1", "24", "1060", "103061", "10.5", "103000.", "abc"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError):  # noqa: PT011
        values.parse_time(text)


@given(st.integers(0, values.DAY - 1))
def test_times_come_back(microseconds):
    assert values.parse_time(values.format_time(microseconds)) == microseconds


def test_a_date_time_keeps_the_wall_clock_and_tells_its_offset():
    found = values.parse_datetime("20200131103000-0500")
    assert found.low == datetime(2020, 1, 31, 10, 30)
    assert found.offset == -300


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2020", datetime(2020, 1, 1), datetime(2020, 12, 31, 23, 59, 59, 999_999)),
        ("202002", datetime(2020, 2, 1), datetime(2020, 2, 29, 23, 59, 59, 999_999)),
        ("20200131", datetime(2020, 1, 31), datetime(2020, 1, 31, 23, 59, 59, 999_999)),
        ("2020013110", datetime(2020, 1, 31, 10), datetime(2020, 1, 31, 10, 59, 59, 999_999)),
        ("2020-01-31T10:30", datetime(2020, 1, 31, 10, 30), datetime(2020, 1, 31, 10, 30, 59, 999_999)),
    ],
)
def test_a_truncated_date_time_covers_the_rest(text, low, high):
    found = values.parse_datetime(text)
    assert (found.low, found.high, found.offset) == (low, high, None)


@pytest.mark.parametrize("text", ["", "20", "202013", "20200131-1300", "20200131+1500", "20200131+0060"])
def test_what_is_no_date_time(text):
    with pytest.raises(ValueError):  # noqa: PT011
        values.parse_datetime(text)


@given(st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-3, minutes=-30))])))
def test_date_times_come_back(moment):
    found = values.parse_datetime(values.format_datetime(moment))
    assert found.low == moment.replace(tzinfo=None)
    offset = moment.utcoffset()
    assert found.offset == (None if offset is None else offset.total_seconds() // 60)


@pytest.mark.parametrize(("text", "number"), [("5", 5), (" +5 ", 5), ("-05", -5), ("5.0", 5), ("1e2", 100)])
def test_integers_as_senders_write_them(text, number):
    assert values.parse_integer(text) == number


@pytest.mark.parametrize("text", ["", "5.5", "1_0", "five", "nan", "inf"])
def test_what_is_no_integer(text):
    with pytest.raises(ValueError):  # noqa: PT011
        values.parse_integer(text)


@given(st.floats(-1e300, 1e300))
def test_decimals_fit_sixteen_characters_and_stay_close(number):
    text = values.format_decimal(number)
    assert len(text) <= 16
    assert values.parse_decimal(text) == pytest.approx(number, rel=1e-8)


def test_short_decimals_are_exact():
    assert values.format_decimal(0.1) == "0.1"
    assert values.format_decimal(2.0) == "2"


@pytest.mark.parametrize(
    ("text", "days"), [("010D", 10), ("002W", 14), ("006M", 182.625), ("045Y", 45 * 365.25)]
)
def test_ages_in_days(text, days):
    assert values.parse_age(text) == days


class TestIntervals:
    """A range of dates or times as the closed interval that every engine compares."""

    def test_dates(self):
        assert values.interval("DA", "20200101", None) == (date(2020, 1, 1), None)
        assert values.interval("DA", "20200101", "20200131", low_open=True, high_open=True) == (
            date(2020, 1, 2),
            date(2020, 1, 30),
        )

    def test_later_than_ten_is_eleven_or_later(self):
        assert values.interval("TM", "10", None, low_open=True) == (11 * HOUR, None)
        assert values.interval("TM", None, "10", high_open=True) == (None, 10 * HOUR - 1)
        assert values.interval("TM", "10", "10") == (10 * HOUR, 11 * HOUR - 1)

    def test_date_times(self):
        low, high = values.interval("DT", "2020", "202001")
        assert (low, high) == (datetime(2020, 1, 1), datetime(2020, 1, 31, 23, 59, 59, 999_999))

    def test_other_values_have_none(self):
        with pytest.raises(ValueError, match="not a date"):
            values.interval("LO", "a", None)


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("DA", "2020-01-31", "20200131"),
        ("DA", date(2020, 1, 31), "20200131"),
        ("DA", datetime(2020, 1, 31, 10), "20200131"),
        ("TM", "10:30", "1030"),
        ("TM", time(10, 30), "103000"),
        ("TM", datetime(2020, 1, 31, 10, 30, tzinfo=UTC), "103000"),
        ("DT", "2020-01-31T10:30+01:00", "202001311030+0100"),
        ("DT", datetime(2020, 1, 31, tzinfo=UTC), "20200131000000+0000"),
        ("DT", date(2020, 1, 31), "20200131"),
        ("DT", "20200131Z", "20200131+0000"),
        ("DS", "1.50", 1.5),
        ("IS", "7", 7),
        ("US", 7, 7),
        ("LO", " a ", "a"),
        ("LO", 5, "5"),
        ("AS", "045Y", "045Y"),
        ("AT", "(0008,0060)", "00080060"),
    ],
)
def test_query_values_take_one_form(vr, value, expected):
    assert values.normal(vr, value, "Key") == expected


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("DA", "yesterday"),
        ("TM", "25"),
        ("DS", "thin"),
        ("DS", True),
        ("DS", float("nan")),
        ("DS", None),
        ("LO", None),
        ("AS", "45"),
        ("SQ", "x"),
        ("OB", "x"),
    ],
)
def test_a_value_that_does_not_fit_names_its_key(vr, value):
    with pytest.raises(InvalidValue, match="TheKey"):
        values.normal(vr, value, "TheKey")
