"""What happens to each attribute of one SOP class: profile, Types and rules of the user, resolved once.

A plan is a tree of nodes, one for each sequence that was met; a node remembers the step of each tag, so that
the second object of a class costs a look-up an element. Not here: doing it (`engine`).
"""

from __future__ import annotations

from enum import Enum, auto
from functools import cache
from typing import NamedTuple

from pydicom.datadict import dictionary_VR

from isocenter.deid.free_text import is_technical
from isocenter.deid.iod import type_of
from isocenter.deid.profile import Option, Profile
from isocenter.deid.rules import Rule, RuleAction


class Do(Enum):
    """What the engine does with an element."""

    KEEP = auto()
    REMOVE = auto()
    EMPTY = auto()
    DUMMY = auto()
    """A value of no meaning that the VR allows."""
    UID = auto()
    """New UIDs for old ones."""
    SHIFT = auto()
    """Dates moved by the patient's offset."""
    TIME = auto()
    """A time of day, or a moment that stays: by policy."""
    CLEAN = auto()
    """Text without what may identify."""
    TEXT = auto()
    """Kept, but for identifiers of this patient that are found in it."""
    AGE = auto()
    """Kept up to 89 years, 90 beyond (45 CFR 164.514(b)(2)(i)(C))."""
    ITEMS = auto()
    """Kept as a sequence; its items are de-identified."""
    CONTENT = auto()
    """The content tree of a structured report, cleaned item by item."""
    CONTENT_DUMMY = auto()
    """A content tree that says nothing in place of it."""
    CONTENT_TEXT = auto()
    """Values of content items, by their concept (`structured`), down to CONTENT_NUMBER."""
    CONTENT_NAME = auto()
    CONTENT_DATE = auto()
    CONTENT_CODE = auto()
    CONTENT_MEASURED = auto()
    CONTENT_NUMBER = auto()
    GRAPHIC_TEXT = auto()
    """The text of an annotation, cleaned."""
    PSEUDONYM = auto()
    ACCESSION = auto()
    BIRTH_DATE = auto()
    DOCUMENT = auto()
    """An encapsulated document: by policy."""
    COLOURS = auto()
    """An ICC profile, without its text."""
    HASH = auto()
    REPLACE = auto()


class Step(NamedTuple):
    """What to do with one attribute, and why: `value` is what replaces it, `why` a row, rule or VR."""

    do: Do
    why: str
    value: str = ""


PATIENT_NAME, PATIENT_ID, BIRTH_DATE, ACCESSION = 0x00100010, 0x00100020, 0x00100030, 0x00080050
LENGTH_TO_END, ICC_PROFILE = 0x00080001, 0x00282000
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
CONTENT_SEQUENCE, ENCAPSULATED_DOCUMENT = 0x0040A730, 0x00420011
_SPECIAL = {
    PATIENT_NAME: Do.PSEUDONYM,
    PATIENT_ID: Do.PSEUDONYM,
    BIRTH_DATE: Do.BIRTH_DATE,
    ACCESSION: Do.ACCESSION,
}
UNFORMATTED_TEXT = 0x00700006
_CONTENT_ITEMS = frozenset({CONTENT_SEQUENCE, 0x00400555, 0x00400612, 0x00400440, 0x00400441})
"""Sequences whose items are content items (PS3.3 10.2, C.17.3)."""
_CONTENT_VALUES = {
    0x0040A160: Do.CONTENT_TEXT,
    0x0040A123: Do.CONTENT_NAME,
    0x0040A120: Do.CONTENT_DATE,
    0x0040A121: Do.CONTENT_DATE,
    0x0040A168: Do.CONTENT_CODE,
    0x0040A300: Do.CONTENT_MEASURED,
    0x0040A30A: Do.CONTENT_NUMBER,
}
_ANNOTATIONS = {0x00700001: Option.CLEAN_GRAPHICS, 0x0040B020: Option.CLEAN_STRUCTURED_CONTENT}
_TEXT_VR = frozenset({"LO", "LT", "SH", "ST", "UC", "UR", "UT", "CS"})
_NUMBERS = frozenset(
    {"AT", "DS", "FD", "FL", "IS", "OD", "OF", "OL", "OV", "SL", "SS", "SV", "UL", "US", "UV"}
)
_BULK = frozenset({"OB", "OW", "OB or OW", "US or OW", "US or SS", "US or SS or OW"})
_RULES = {
    RuleAction.KEEP: Do.KEEP,
    RuleAction.REPLACE: Do.REPLACE,
    RuleAction.EMPTY: Do.EMPTY,
    RuleAction.REMOVE: Do.REMOVE,
    RuleAction.HASH: Do.HASH,
}


class Node:
    """The steps of one level: the data set, or the items of one sequence.

    Attributes:
        path: tags of the sequences around it.
    """

    def __init__(self, plan: Plan, path: tuple[int, ...] = ()) -> None:
        self.plan = plan
        self.path = path
        self._steps: dict[int, Step] = {}
        self._below: dict[int, Node] = {}

    def below(self, tag: int) -> Node:
        """The node of a sequence's items."""
        node = self._below.get(tag)
        if node is None:
            node = self._below[tag] = Node(self.plan, (*self.path, tag))
        return node

    def step(self, tag: int) -> Step:
        """What to do with a standard attribute here."""
        step = self._steps.get(tag)
        if step is None:
            step = self._steps[tag] = self.plan.resolve(self.path, tag)
        return step


class Plan:
    """The steps of a profile for one SOP class.

    Args:
        profile: what is asked for.
        sop_class: whose IOD tells the Types.
    """

    def __init__(self, profile: Profile, sop_class: str) -> None:
        self.profile = profile
        self.sop_class = sop_class
        self.root = Node(self)

    def rule(self, path: tuple[int, ...], creator: str = "") -> Rule | None:
        """The rule of the user that speaks of this element; the last wins."""
        return next((rule for rule in reversed(self.profile.rules) if rule.fits(path, creator)), None)

    def resolve(self, path: tuple[int, ...], tag: int) -> Step:
        """The step of a standard attribute at a path."""
        rule = self.rule((*path, tag))
        if rule is not None:
            return self._by_rule(rule, tag)
        step = self._by_standard(path, tag)
        return self._in_content(path, tag, step) if path else step

    def _by_standard(self, path: tuple[int, ...], tag: int) -> Step:
        if path and tag in PIXEL_DATA:
            return Step(Do.REMOVE, "pixels that nobody judges")
        vr = vr_of(tag)
        letters = self.profile.letters(tag)
        if letters is not None:
            kind = type_of(self.sop_class, path[-1] if path else None, tag)
            step = self._by_table(tag, vr, letters, kind)
        else:
            step = self._by_vr(tag, vr)
        return step._replace(do=Do.TIME) if step.do is Do.KEEP and vr in ("DT", "TM") else step

    def _in_content(self, path: tuple[int, ...], tag: int, step: Step) -> Step:
        """What becomes of the value of a content item or annotation, where its tag alone does not tell."""
        if tag == UNFORMATTED_TEXT and any(
            self.profile.has(_ANNOTATIONS[at]) for at in path if at in _ANNOTATIONS
        ):
            return Step(Do.GRAPHIC_TEXT, step.why)
        do = _CONTENT_VALUES.get(tag)
        if do is None or path[-1] not in _CONTENT_ITEMS:
            return step
        if not self.profile.has(Option.CLEAN_STRUCTURED_CONTENT):
            return step
        return Step(do, step.why, step.do.name)

    def _by_rule(self, rule: Rule, tag: int) -> Step:
        do = _RULES[rule.action]
        if vr_of(tag) == "SQ" and do in (Do.KEEP, Do.REPLACE, Do.HASH):
            do = Do.ITEMS if do is Do.KEEP else Do.EMPTY
        return Step(do, f"rule: {rule.action}", rule.value)

    def _by_table(self, tag: int, vr: str, letters: str, kind: str) -> Step:
        why = f"E.1-1 {letters}"
        letter = resolved(letters, kind)
        if tag == ENCAPSULATED_DOCUMENT:
            return Step(Do.DOCUMENT, why)
        if letter in "XZD" and tag in _SPECIAL and letter != "X":
            return Step(_SPECIAL[tag], why)
        if vr == "SQ" and letters == "X/Z/U*":
            return Step(Do.ITEMS, why)  # references stay: their UIDs are new, and those of the objects too
        if letter == "X":
            return Step(Do.REMOVE, why)
        if vr == "SQ":
            return Step(self._sequence(tag, letter), why)
        if letter == "Z":
            return Step(Do.EMPTY, why)
        if letter == "D":
            return Step(Do.UID if vr == "UI" else Do.DUMMY, why)
        if letter == "U":  # of content items too, where the table forgets that what they refer to is retained
            return Step(Do.KEEP if self.profile.has(Option.RETAIN_UIDS) else Do.UID, why)
        return Step(self._kept(vr) if letter == "K" else self._cleaned(vr), why)

    def _sequence(self, tag: int, letter: str) -> Do:
        if tag == CONTENT_SEQUENCE:
            return Do.CONTENT if letter == "C" else Do.CONTENT_DUMMY
        return Do.EMPTY if letter == "Z" else Do.ITEMS

    def _kept(self, vr: str) -> Do:
        return Do.AGE if vr == "AS" else Do.TEXT if vr in _TEXT_VR else Do.KEEP

    def _cleaned(self, vr: str) -> Do:
        if vr in ("DA", "DT"):
            return Do.SHIFT
        if vr in ("TM", *_NUMBERS, *_BULK):
            return Do.KEEP
        return Do.AGE if vr == "AS" else Do.DUMMY if vr in ("AE", "PN") else Do.CLEAN

    def _by_vr(self, tag: int, vr: str) -> Step:
        """What is in no row: kept where its VR or meaning cannot identify."""
        return Step(self._outside(tag, vr), f"outside the table, {vr}")

    def _outside(self, tag: int, vr: str) -> Do:
        if tag & 0xFFFF == 0 or tag >> 16 < 0x0008 or tag == LENGTH_TO_END or vr == "":
            return Do.REMOVE  # lengths, commands, file meta, media directories, and what PS3.6 does not know
        if tag == ICC_PROFILE:
            return Do.COLOURS
        if tag >> 24 == 0x60 and not self.profile.has(Option.CLEAN_GRAPHICS):
            return Do.REMOVE  # an overlay without its data is none
        if vr == "SQ":
            return Do.ITEMS
        if vr in ("DA", "DT", "TM"):
            return self._date(vr)
        if vr == "UI":
            return Do.KEEP if self.profile.has(Option.RETAIN_UIDS) else Do.UID
        if vr in ("PN", "AE"):
            return Do.DUMMY
        if vr == "AS":
            return Do.AGE
        if vr in _TEXT_VR:
            return Do.TEXT if vr == "CS" or is_technical(tag) else Do.DUMMY
        return Do.KEEP if vr in _NUMBERS or vr in _BULK else Do.REMOVE

    def _date(self, vr: str) -> Do:
        if self.profile.has(Option.RETAIN_LONG_FULL_DATES):
            return Do.KEEP
        if self.profile.has(Option.RETAIN_LONG_MODIFIED_DATES):
            return Do.KEEP if vr == "TM" else Do.SHIFT
        return Do.DUMMY


def resolved(letters: str, kind: str) -> str:
    """One letter for what the table asks, by Type (PS3.15 E.1, notes to the action codes).

    What must be there is never left out: X becomes Z or D where the IOD asks for a value.
    """
    needed = {"1": "D", "1C": "D", "2": "Z", "2C": "Z"}.get(kind, "X")
    if letters in ("X", "Z"):
        return max(letters, needed, key="XZD".index)
    if letters == "X/Z/U*":
        return {"X": "X", "Z": "Z", "D": "U"}[needed]
    if "/" not in letters:
        return letters
    allowed = letters.split("/")
    return next(
        letter for letter in allowed if "XZD".index(letter) >= "XZD".index(needed) or letter is allowed[-1]
    )


@cache
def vr_of(tag: int) -> str:
    """The VR of PS3.6 for a standard attribute; '' where it has none."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""
