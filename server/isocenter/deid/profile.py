"""The Basic Application Level Confidentiality Profile and its options (PS3.15 E.2, E.3).

A profile says what Table E.1-1 asks for a tag; what that means for one data set follows from the Type the
attribute has there (`plan`). Rules of the user come on top (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from isocenter.deid import _profile_table as table
from isocenter.deid.rules import Rule, RuleAction
from isocenter.dicom.attributes import nearest
from isocenter.errors import BadRequest


class Option(StrEnum):
    """An option of the profile (PS3.15 E.3)."""

    RETAIN_UIDS = "retain-uids"
    RETAIN_DEVICE_IDENTITY = "retain-device-identity"
    RETAIN_INSTITUTION_IDENTITY = "retain-institution-identity"
    RETAIN_PATIENT_CHARACTERISTICS = "retain-patient-characteristics"
    RETAIN_LONG_FULL_DATES = "retain-long-full-dates"
    RETAIN_LONG_MODIFIED_DATES = "retain-long-modified-dates"
    RETAIN_SAFE_PRIVATE = "retain-safe-private"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean-structured-content"
    CLEAN_GRAPHICS = "clean-graphics"
    CLEAN_PIXEL_DATA = "clean-pixel-data"
    CLEAN_RECOGNIZABLE_VISUAL_FEATURES = "clean-recognizable-visual-features"


BASIC_CODE = ("113100", "Basic Application Confidentiality Profile")
CODES: dict[Option, tuple[str, str]] = {
    Option.CLEAN_PIXEL_DATA: ("113101", "Clean Pixel Data Option"),
    Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: ("113102", "Clean Recognizable Visual Features Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED_CONTENT: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_LONG_FULL_DATES: (
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    ),
    Option.RETAIN_LONG_MODIFIED_DATES: (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    Option.RETAIN_PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: ("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: ("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION_IDENTITY: ("113112", "Retain Institution Identity Option"),
}
"""Codes of CID 7050, all of scheme DCM, with their meanings."""

_IDENTITY = frozenset(
    {
        *(0x00100010, 0x00100020, 0x00101000, 0x00101001, 0x00101002, 0x00101005, 0x00101040, 0x00101060),
        *(0x00101090, 0x00102154, 0x00102155, 0x00080050, 0x00380010),
    }
)
"""Names, numbers, address and telephone of the patient."""

CONFLICTS = ((Option.RETAIN_LONG_FULL_DATES, Option.RETAIN_LONG_MODIFIED_DATES),)

_SHORT = {option.value.removeprefix("retain-"): option for option in Option} | {
    "modified-dates": Option.RETAIN_LONG_MODIFIED_DATES,
    "full-dates": Option.RETAIN_LONG_FULL_DATES,
}


def option_of(name: str) -> Option:
    """The option of a name; `retain-` may be left out. Raises BadRequest and names the nearest."""
    told = name.strip().lower().replace("_", "-")
    known = {option.value: option for option in Option} | _SHORT
    if told not in known:
        close = nearest(told, tuple(known)) or sorted(option.value for option in Option)
        raise BadRequest(f"There is no option {name!r}", hint="did you mean " + ", ".join(close) + "?")
    return known[told]


@dataclass(frozen=True)
class Profile:
    """The Basic Profile with options and rules of the user.

    Attributes:
        options: options of the profile.
        rules: more specific than the table; the last that fits wins.

    Raises:
        BadRequest: two options exclude each other.
    """

    options: frozenset[Option] = frozenset()
    rules: tuple[Rule, ...] = field(default=())

    def __post_init__(self) -> None:
        for one, other in CONFLICTS:
            if {one, other} <= self.options:
                raise BadRequest(f"The options {one} and {other} exclude each other", hint="leave one out")

    @classmethod
    def of(cls, options: Iterable[str | Option] = (), rules: Iterable[Rule] = ()) -> Profile:
        """A profile from names of options. Raises BadRequest."""
        return cls(frozenset(option_of(option) for option in options), tuple(rules))

    def has(self, option: Option) -> bool:
        """Whether the option is chosen."""
        return option in self.options

    def letters(self, tag: int) -> str | None:
        """What the table and the options ask for a tag, such as `X/Z/D`; None where it has no row.

        Where two chosen options speak, cleaning (C) wins over keeping (K): it keeps what is safe.
        """
        row = row_of(tag)
        if row is None:
            return None
        basic, options = row
        told = {action for name, action in options if name in self.options}
        return "C" if "C" in told else "K" if "K" in told else basic

    @property
    def keeps_identity(self) -> bool:
        """Whether a rule keeps what says at once who the patient is."""
        kept = (rule.path[-1] for rule in self.rules if rule.action is RuleAction.KEEP and rule.path)
        return any(tag in _IDENTITY for tag in kept)

    def codes(self) -> list[tuple[str, str]]:
        """De-identification Method Code Sequence: the code of the profile, then those of the options."""
        return [BASIC_CODE, *(CODES[option] for option in Option if option in self.options)]


@cache
def row_of(tag: int) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    """Basic action and actions of the options of Table E.1-1 for a tag; None where it has no row."""
    return _EXACT.get(tag) or next((row for mask, wanted, row in _PATTERNS if tag & mask == wanted), None)


def _pattern(tag: str) -> tuple[int, int]:
    """Mask and value of a tag that is written with x for any digit."""
    mask = "".join("0" if digit == "x" else "F" for digit in tag)
    return int(mask, 16), int(tag.replace("x", "0"), 16)


_NAMED = [(tag, (basic, options)) for tag, _, basic, options in table.ROWS if tag != "PRIVATE"]
_EXACT = {int(tag, 16): row for tag, row in _NAMED if "x" not in tag}
_PATTERNS = [(*_pattern(tag), row) for tag, row in _NAMED if "x" in tag]
