"""Identifiers of this patient that may turn up in any text: parts of names, numbers, birth dates.

Built once for a patient and searched in every text that is kept. Not here: names of other people, which
nothing in the data set tells (`text`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

_NAMES = (0x00100010, 0x00101001, 0x00101005, 0x00101060)
_NUMBERS = (0x00100020, 0x00101000, 0x00080050, 0x00101090, 0x00380010)
_STUDY_ID, _BIRTH_DATE = 0x00200010, 0x00100030
_SEPARATORS = re.compile(r"[\^=,\s\\]+")
_SHORTEST_NAME, _SHORTEST_NUMBER = 3, 4

Known = re.Pattern[str]


def known_identifiers(source: Dataset) -> Known | None:
    """What finds them in a text; None when the data set tells nothing that could be searched for."""
    return _compiled(tuple(sorted({*_names(source), *_numbers(source), *_dates(source)}, key=_longest)))


def _longest(text: str) -> tuple[int, str]:
    return -len(text), text


def _texts(source: Dataset, tags: Iterable[int]) -> Iterator[str]:
    for tag in tags:
        if tag in source:
            value = source[tag].value
            for one in value if isinstance(value, (MultiValue, list)) else [value]:
                yield str(one or "").strip(" \0")


def _names(source: Dataset) -> Iterator[str]:
    for name in _texts(source, _NAMES):
        yield from (part for part in _SEPARATORS.split(name) if len(part.strip(".")) >= _SHORTEST_NAME)


def _numbers(source: Dataset) -> Iterator[str]:
    yield from (text for text in _texts(source, _NUMBERS) if len(text) >= _SHORTEST_NUMBER)
    for text in _texts(source, (_STUDY_ID,)):
        if len(text) >= _SHORTEST_NUMBER and any(map(str.isdigit, text)):  # some write "BRAIN" there
            yield text


def _dates(source: Dataset) -> Iterator[str]:
    """The birth date in the ways in which it is written."""
    for text in _texts(source, (_BIRTH_DATE,)):
        if re.fullmatch(r"\d{8}", text):
            year, month, day = text[:4], text[4:6], text[6:]
            yield text
            for mark in "-./ ":
                yield mark.join((year, month, day))
                yield mark.join((day, month, year))
                yield mark.join((month, day, year))


@lru_cache(1024)
def _compiled(texts: tuple[str, ...]) -> Known | None:
    if not texts:
        return None
    either = "|".join(map(re.escape, texts))
    return re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE)
