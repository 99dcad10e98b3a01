"""Dates that move by whole days (PS3.15 E.3.6): DA, and the date part of DT.

Times of day and time zones stay as they are: a whole number of days changes neither; `midnight` is for whom
they tell too much. A value that is no date is not guessed at: None, and whoever asked decides (removing is
safe).
"""

from __future__ import annotations

import re
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_OLD_DATE = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})")  # ACR-NEMA
_DATETIME = re.compile(r"(\d{4})(?:(\d{2})(?:(\d{2}))?)?(.*)", re.DOTALL)
_DAY = re.compile(r"(\d{4}(?:\d{2}){0,2}).*", re.DOTALL)
_REST = re.compile(r"(?:\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?(?:[+-]\d{4})?")


def shift_date(text: str, days: int) -> str | None:
    """A DA moved by so many days; '' stays; None when it is no date or leaves the calendar."""
    told = text.strip(" \0")
    if not told:
        return ""
    found = _DATE.fullmatch(told) or _OLD_DATE.fullmatch(told)
    moved = found and _moved(int(found[1]), int(found[2]), int(found[3]), days)
    return moved.strftime("%Y%m%d").zfill(8) if moved else None


def shift_datetime(text: str, days: int) -> str | None:
    """A DT moved by so many days, as exact as it was: a year or a month alone moves from its middle."""
    told = text.strip(" \0")
    if not told:
        return ""
    found = _DATETIME.fullmatch(told)
    if found is None or not _REST.fullmatch(found[4]):
        return None
    year, month, day, rest = found.groups()
    if day is None and rest[:1].isdigit():
        return None
    moved = _moved(int(year), int(month or 7), int(day or (15 if month else 1)), days)
    if moved is None:
        return None
    return moved.strftime("%Y%m%d").zfill(8)[: 4 + 2 * bool(month) + 2 * bool(day)] + rest


def midnight(text: str, vr: str) -> str:
    """A TM or DT without its time of day: midnight, or the day alone; '' stays, as does what is no moment."""
    told = text.strip(" \0")
    if vr == "TM":
        return "000000" if told else ""
    return _DAY.sub(r"\1", told)


def _moved(year: int, month: int, day: int, days: int) -> date | None:
    try:
        return date(year, month, day) + timedelta(days)
    except (ValueError, OverflowError):
        return None
