"""`Recipe`: how to de-identify, as JSON: what a client sends, what a job keeps, what a view is made by.

It names its key and does not hold it. What it does not name has the default that cannot leak. Two recipes
that are equal, with keys of the same fingerprint, give the same bytes. Not here: doing it (`deidentifier`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from isocenter.deid.deidentifier import PROFILES, Deidentifier
from isocenter.deid.identifiers import DEFAULT_PATTERN, DEFAULT_WINDOW, Window
from isocenter.deid.key import Key
from isocenter.deid.key_ring import KeyRing
from isocenter.deid.pixels import Pixels
from isocenter.deid.policies import BirthDate, Documents, Policies, Residual, Times, Uncleared
from isocenter.deid.regions import RegionRule, parse_regions
from isocenter.deid.rules import RuleFile, parse_rules
from isocenter.errors import BadRequest, Conflict

DEFAULT_KEY = "default"
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class Recipe:
    """How to de-identify. All of it is checked when it is made.

    Attributes:
        key: name of the key in the server's key ring.
        profile: `basic`.
        options: names of options, such as `modified-dates`.
        rules: what a TOML file of rules says (`deid.rules`), as JSON; empty for none.
        pixel_rules: what a TOML file of pixel rules says (`deid.regions`), as JSON; empty for none.
        birth_date: `empty`, `year` or `shift`.
        times: of day, where dates stay or move: `keep` or `drop` (midnight).
        documents: of encapsulated documents: `refuse`, `drop` or `keep`.
        pixels: what becomes of risky ones that nobody cleared: `quarantine` or `keep`.
        residual: of results in which the second reader found a value of the original: `quarantine` or `keep`.
        trial: Clinical Trial attributes to write, by keyword.
        pattern: of patient pseudonyms.
        weeks: move dates by whole weeks.
        faces: keep volumes of the head back.
        trust_burned_in: believe Burned In Annotation NO.
        ocr: keep back where Tesseract sees text in pixels that would leave.

    Raises:
        BadRequest: something of it is not known or contradicts itself.
    """

    key: str = DEFAULT_KEY
    profile: str = PROFILES[0]
    options: tuple[str, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)
    pixel_rules: Mapping[str, Any] = field(default_factory=dict)
    birth_date: str = BirthDate.EMPTY.value
    times: str = Times.KEEP.value
    documents: str = Documents.REFUSE.value
    pixels: str = Uncleared.QUARANTINE.value
    residual: str = Residual.QUARANTINE.value
    trial: Mapping[str, str] = field(default_factory=dict)
    pattern: str = DEFAULT_PATTERN
    weeks: bool = False
    faces: bool = False
    trust_burned_in: bool = False
    ocr: bool = False

    def __post_init__(self) -> None:
        self.deidentifier(Key(bytes(32)))

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Recipe:
        """A recipe from JSON. Raises BadRequest and names the field."""
        known = {one.name: one for one in fields(cls)}
        for name, value in told.items():
            if name not in known:
                hint = "there are: " + ", ".join(known)
                raise BadRequest(f"A recipe of de-identification has no {name!r}", hint=hint)
            if not _fits(known[name].type, value):
                raise BadRequest(f"{name} of a recipe is {_WORDS[str(known[name].type)]}")
        given: dict[str, Any] = {**told}
        if "options" in given:
            given["options"] = tuple(given["options"])
        return cls(**given)

    def to_json(self) -> dict[str, Any]:
        """As JSON, every field told."""
        return {**asdict(self), "options": list(self.options)}

    @property
    def policies(self) -> Policies:
        """What the profile leaves open. Raises BadRequest."""
        return Policies(
            birth_date=_choice(BirthDate, "birth_date", self.birth_date),
            times=_choice(Times, "times", self.times),
            documents=_choice(Documents, "documents", self.documents),
            uncleared=_choice(Uncleared, "pixels", self.pixels),
            residual=_choice(Residual, "residual", self.residual),
            trial=tuple(self.trial.items()),
        )

    @property
    def window(self) -> Window:
        """By how much dates move."""
        return DEFAULT_WINDOW._replace(least=7, step=7) if self.weeks else DEFAULT_WINDOW

    def deidentifier(self, key: Key, *, regions: Iterable[RegionRule] = (), **more: Any) -> Deidentifier:
        """What does it, by a key.

        Args:
            key: the key that it names.
            regions: pixel rules, asked before its own.
            more: further arguments of `Deidentifier`.
        """
        own = parse_regions(dict(self.pixel_rules)) if self.pixel_rules else ()
        judge = Pixels((*regions, *own), faces=self.faces, trust_burned_in=self.trust_burned_in, ocr=self.ocr)
        told = parse_rules(dict(self.rules)) if self.rules else RuleFile("", (), ())
        return Deidentifier(
            key,
            profile=self.profile,
            options=(*self.options, *told.options),
            rules=told.rules,
            policies=self.policies,
            pattern=self.pattern,
            window=self.window,
            judge=judge,
            **more,
        )


def key_of(data: Path, recipe: Recipe) -> Key:
    """The key that a recipe names; the default one is made when it is first needed. Raises NotFound."""
    ring = KeyRing.of(data)
    if recipe.key == DEFAULT_KEY and DEFAULT_KEY not in ring.names():
        with contextlib.suppress(Conflict, BadRequest):  # somebody else just made it
            ring.make(DEFAULT_KEY)
    return ring.get(recipe.key)


_WORDS = {
    "str": "a text",
    "bool": "true or false",
    "tuple[str, ...]": "a list of names",
    "Mapping[str, Any]": "an object",
    "Mapping[str, str]": "an object of texts",
}


def _fits(kind: Any, value: Any) -> bool:
    match str(kind):
        case "str":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "tuple[str, ...]":
            return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        case "Mapping[str, str]":
            return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    return isinstance(value, dict)


def _choice(choices: type[Choice], name: str, told: str) -> Choice:
    try:
        return choices(told)
    except ValueError:
        hint = "one of " + ", ".join(choices)
        raise BadRequest(f"{name} has no choice {told!r}", hint=hint) from None
