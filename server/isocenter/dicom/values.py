"""Values of the text VRs: DA TM DT PN IS DS AS (PS3.5 6.2), and how two values are compared.

Parsers raise ValueError and are strict about meaning but lenient about the forms that occur: ACR-NEMA dates
with dots, times with colons, truncated times and date-times, padding.  A date or time is local wall time
as sent; an offset from UTC is reported, never applied.

Not here: charsets (values are Unicode already), splitting a key into a match (see `matching`).
Standard library only.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from isocenter.dicom.names import PersonName, fold, fold_name, parse_name
from isocenter.errors import InvalidValue

__all__ = [  # names is part of this module's face
    "DAY",
    "Bound",
    "Kind",
    "Moments",
    "PersonName",
    "Scalar",
    "fold",
    "fold_name",
    "format_date",
    "format_datetime",
    "format_decimal",
    "format_time",
    "interval",
    "kind",
    "moment",
    "normal",
    "parse_age",
    "parse_date",
    "parse_datetime",
    "parse_decimal",
    "parse_integer",
    "parse_name",
    "parse_time",
    "time_span",
]  # fmt: skip

Kind = Literal["date", "time", "datetime", "number", "age", "name", "uid", "text", "tag", "bytes", "sequence"]
Scalar = str | int | float

_KINDS: dict[str, Kind] = {
    "DA": "date",
    "TM": "time",
    "DT": "datetime",
    "AS": "age",
    "PN": "name",
    "UI": "uid",
    "AT": "tag",
    "SQ": "sequence",
    **dict.fromkeys(
        ("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV", "US or SS", "US or SS or OW"), "number"
    ),
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "US or OW"), "bytes"),
}
_INTEGERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV", "US or SS", "US or SS or OW"})

DAY = 86_400_000_000
_DATE = re.compile(r"(\d{4})([.-]?)(\d{2})\2(\d{2})").fullmatch
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,9}))?)?)?").fullmatch
_DATETIME = re.compile(
    r"(\d{4})(?:-?(\d{2})(?:-?(\d{2})(?:[ T]?(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,9}))?)?)?)?)?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?"
).fullmatch
_INTEGER = re.compile(r"[+-]?\d+").fullmatch
_AGE = re.compile(r"(\d{1,3})([DWMY])").fullmatch
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}


def kind(vr: str) -> Kind:
    """How values of this VR compare; an unknown VR and UN compare as text."""
    return _KINDS.get(vr, "text")


# -- dates and times ---------------------------------------------------------------------------------


def parse_date(text: str) -> date:
    """A DA value: `20200131`; also `2020.01.31` (ACR-NEMA) and `2020-01-31` (people)."""
    found = _DATE(text.strip(" \0"))
    if found is None:
        raise ValueError("not a date YYYYMMDD")
    return date(int(found[1]), int(found[3]), int(found[4]))


def format_date(value: date) -> str:
    """The DA text of a date: `20200131`."""
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def time_span(text: str) -> tuple[int, int]:
    """First and last microsecond since midnight that a TM value covers: `10` is the whole hour.

    Accepts any truncation, fractions, and the colons of ACR-NEMA. Second 60 is taken as 59 (leap seconds).
    """
    found = _TIME(text.strip(" \0"))
    if found is None:
        raise ValueError("not a time HHMMSS.FFFFFF")
    return _span(found[1], found[2], found[3], found[4])


def parse_time(text: str) -> int:
    """A TM value as microseconds since midnight; what is not said is zero."""
    return time_span(text)[0]


def format_time(microseconds: int) -> str:
    """The TM text of microseconds since midnight: `103000`, with six decimals where needed."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    text = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
    return f"{text}.{fraction:06d}" if fraction else text


def _span(hour: str, minute: str | None, second: str | None, fraction: str | None) -> tuple[int, int]:
    h, m, s = int(hour), int(minute or 0), min(int(second or 0), 59)
    if h > 23 or m > 59 or int(second or 0) > 60:
        raise ValueError("no such time of day")
    digits = (fraction or "")[:6]
    low = ((h * 60 + m) * 60 + s) * 1_000_000 + int(digits.ljust(6, "0"))
    if minute is None:
        width = 3_600_000_000
    elif second is None:
        width = 60_000_000
    else:
        width = 10 ** (6 - len(digits))
    return low, low + width - 1


@dataclass(frozen=True)
class Moments:
    """What a DT value covers: first and last microsecond, by the wall clock as sent.

    `offset` is minutes east of UTC, None where the value does not say.
    """

    low: datetime
    high: datetime
    offset: int | None


def parse_datetime(text: str) -> Moments:
    """A DT value: `YYYY[MM[DD[HH[MM[SS[.F]]]]]][&ZZXX]`; the ISO 8601 form is understood as well."""
    found = _DATETIME(text.strip(" \0"))
    if found is None:
        raise ValueError("not a date-time YYYYMMDDHHMMSS.FFFFFF&ZZXX")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    first = date(int(year), int(month or 1), int(day or 1))
    if hour is not None:
        low, high = (moment(first, n) for n in _span(hour, minute, second, fraction))
    else:
        low, high = moment(first, 0), moment(_last_day(first, month, day), DAY - 1)
    return Moments(low, high, _offset(zone))


def moment(day: date, microseconds: int) -> datetime:
    """The wall clock of a day, so many microseconds after its midnight."""
    return datetime.combine(day, time.min) + timedelta(microseconds=microseconds)


def _last_day(first: date, month: str | None, day: str | None) -> date:
    if day is not None:
        return first
    if month is None:
        return date(first.year, 12, 31)
    lengths = (31, 29 if _leap(first.year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return first.replace(day=lengths[first.month - 1])


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _offset(zone: str | None) -> int | None:
    if zone is None:
        return None
    if zone == "Z":
        return 0
    digits = zone.replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    if int(digits[3:5]) > 59 or not (minutes <= 840 if digits[0] == "+" else minutes <= 720):
        raise ValueError("no such offset from UTC")
    return minutes if digits[0] == "+" else -minutes


def format_datetime(value: datetime) -> str:
    """The DT text of a datetime; an aware one carries its offset."""
    text = format_date(value) + format_time(
        ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    )
    offset = value.utcoffset()
    if offset is None:
        return text
    minutes = round(offset.total_seconds() / 60)
    return f"{text}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"


# -- numbers -----------------------------------------------------------------------------------------


def parse_integer(text: str) -> int:
    """An IS value; a whole decimal such as `5.0`, which senders write, is its integer."""
    trimmed = text.strip(" \0")
    if _INTEGER(trimmed):
        return int(trimmed)
    number = parse_decimal(trimmed)
    if number != int(number):
        raise ValueError("not an integer")
    return int(number)


def parse_decimal(text: str) -> float:
    """A DS value; finite, no underscores, spaces around it allowed."""
    trimmed = text.strip(" \0")
    if "_" in trimmed:
        raise ValueError("not a number")
    try:
        number = float(trimmed)
    except ValueError:
        raise ValueError("not a number") from None
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def format_decimal(number: float) -> str:
    """The DS text of a number: the shortest exact form, cut to 16 characters by rounding (PS3.5 6.2)."""
    text = repr(int(number)) if number == int(number) and abs(number) < 1e15 else repr(float(number))
    digits = 16
    while len(text) > 16:
        digits -= 1
        text = f"{number:.{digits}g}"
    return text


def parse_age(text: str) -> float:
    """An AS value (`045Y`, `006M`, `002W`, `010D`) in days; a month is 30.4375 days, a year 365.25."""
    found = _AGE(text.strip(" \0"))
    if found is None:
        raise ValueError("not an age nnnD, nnnW, nnnM or nnnY")
    return int(found[1]) * _DAYS[found[2]]


# -- intervals ---------------------------------------------------------------------------------------

Bound = date | int | datetime


def interval(
    vr: str, low: str | None, high: str | None, *, low_open: bool = False, high_open: bool = False
) -> tuple[Bound | None, Bound | None]:
    """The closed interval that a range of dates, times or date-times means; None is an open end.

    A truncated bound stands for all that it covers: from its first microsecond, to its last. An open bound
    leaves all of it out: later than `10` is 11:00 or later. Dates for DA, microseconds since midnight for
    TM, datetimes (wall clock) for DT. What SQL compares, so that every engine agrees.

    Raises:
        ValueError: a bound is no such value, or another VR.
    """
    of = kind(vr)
    first = None if low is None else _covered(of, low)[low_open]
    last = None if high is None else _covered(of, high)[not high_open]
    return (
        _next(first, 1) if low_open and first is not None else first,
        _next(last, -1) if high_open and last is not None else last,
    )


def _covered(of: Kind, text: str) -> tuple[Bound, Bound]:
    if of == "date":
        return (day := parse_date(text)), day
    if of == "time":
        return time_span(text)
    if of == "datetime":
        moments = parse_datetime(text)
        return moments.low, moments.high
    raise ValueError("not a date or time")


def _next(bound: Bound, step: int) -> Bound:
    if isinstance(bound, datetime):
        return bound + timedelta(microseconds=step)
    if isinstance(bound, date):
        return bound + timedelta(days=step)
    return bound + step


# -- values of a query -------------------------------------------------------------------------------


def normal(vr: str, value: object, key: str) -> Scalar:
    """A value that a caller gave for attribute `key`, in the one form that predicates hold.

    Numbers for number VRs; dates `YYYYMMDD`; times and date-times as DICOM text without punctuation
    (`datetime` objects of the standard library are taken); text otherwise, without padding.

    Raises:
        InvalidValue: naming the key and what was expected.
    """
    of = kind(vr)
    try:
        if of == "number":
            return _number(vr, value)
        if of in ("bytes", "sequence"):
            raise ValueError("this attribute holds no value to compare")
        return _text(of, value)
    except (ValueError, OverflowError, TypeError) as error:
        expected = _EXPECTED.get(vr) or _EXPECTED.get(of, "text")
        raise InvalidValue(
            f"{key} cannot be compared with {_shown(value)}: {error}", hint=f"{key} is {vr}: {expected}"
        ) from None


_EXPECTED = {
    "date": "a date such as 20200131; for a range use between, or <= and >=",
    "time": "a time such as 1030 or 103015.5",
    "datetime": "a date-time such as 20200131103015",
    "number": "a number",
    "age": "an age such as 045Y",
    "tag": "a tag such as 00080060",
    "IS": "an integer",
    "bytes": "only 'is null' applies",
    "sequence": "name an attribute inside its items with a dot",
}


def _shown(value: object) -> str:
    """The value for a message, unless it is long; a query's value is the asker's own."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _number(vr: str, value: object) -> int | float:
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    if isinstance(value, str):
        return parse_integer(value) if _INTEGER(value.strip()) else parse_decimal(value)
    if hasattr(value, "__index__"):
        return int(value)
    if not hasattr(value, "__float__"):
        raise TypeError("not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _text(of: Kind, value: object) -> str:
    if of in ("date", "time", "datetime"):
        return _moment(of, value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError(f"{type(value).__name__} is no text")
    text = str(value).strip(" \0")
    if of == "age":
        parse_age(text)
    if of == "tag":
        return text.strip("()").replace(",", "").upper()
    return text


def _moment(of: Kind, value: object) -> str:
    if isinstance(value, datetime):
        parts: dict[str, object] = {"date": value.date(), "time": value.timetz()}
        value = parts.get(of, value.isoformat())
    if isinstance(value, time):
        value = value.replace(tzinfo=None).isoformat()
    text = format_date(value) if isinstance(value, date) else str(value).strip(" \0")
    if of == "date":
        return format_date(parse_date(text))
    if of == "time":
        time_span(text)
        return text.replace(":", "")
    return _plain_datetime(text)


def _plain_datetime(text: str) -> str:
    parse_datetime(text)
    found = _DATETIME(text)
    assert found is not None, "parsed a line above"
    *parts, fraction, zone = found.groups(default="")
    plain = "".join(parts) + (f".{fraction}" if fraction else "")
    return plain + ("+0000" if zone == "Z" else zone.replace(":", ""))
