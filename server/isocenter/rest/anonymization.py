"""The body of Orthanc's `anonymize` routes as a recipe: `Keep`, `Remove` and `Replace` become its rules.

What a recipe cannot say is refused with the reason, never passed over: `Keep` of private elements, of pixels,
of one item of a sequence. Not here: the routes (`anonymize`), doing it (`deid`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydicom import config
from pydicom.valuerep import validate_value

from isocenter.deid._profile_table import EDITION
from isocenter.deid.profile import Option
from isocenter.deid.recipe import Recipe
from isocenter.deid.rules import VERSION, RuleAction
from isocenter.dicom.attributes import Attribute, lookup
from isocenter.errors import BadRequest

FIELDS: dict[str, type] = {
    "Replace": dict,
    "Keep": list,
    "Remove": list,
    "KeepPrivateTags": bool,
    "KeepSource": bool,
    "DicomVersion": str,
    "Force": bool,
    "Permissive": bool,
    "PrivateCreator": str,
    "Asynchronous": bool,
    "Synchronous": bool,
    "Priority": int,
    "Recipe": dict,
    "Into": str,
}
"""What a body may have, with types; `Recipe` and `Into` are ours."""

_STEP = re.compile(r"(?P<name>[^\[\]]+)\[(?P<item>\*|\d*)\]")
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4})[,-]?([0-9A-Fa-f]{4})\)?")
_NEED_FORCE = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_UNIQUE = _NEED_FORCE[1:]
_ENCODING = frozenset({"SOPClassUID", "SpecificCharacterSet"})
_STAMPS = frozenset(
    {
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
        "LongitudinalTemporalInformationModified",
    }
)
_TEXT = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_SOP_INSTANCE = 0x00080018


def recipe_told(asked: dict[str, Any]) -> dict[str, Any]:
    """The recipe, as JSON and not yet checked, that a body asks for.

    Args:
        asked: the body; `FIELDS` were checked, absent ones are None.

    Raises:
        BadRequest: something of it cannot be had here.
    """
    _refuse_what_is_not_here(asked)
    recipe = dict(asked["Recipe"] or {})
    rules = list(_rules(asked))
    if rules:
        told = dict(recipe.get("rules") or {"version": VERSION})
        told["rule"] = [*(told.get("rule") or []), *rules]
        recipe["rules"] = told
    return recipe


def keeps_instance_uids(recipe: Recipe) -> bool:
    """Whether results have the SOP Instance UIDs of their originals, and cannot be stored beside them."""
    if any(
        name.removeprefix("retain-") == Option.RETAIN_UIDS.removeprefix("retain-") for name in recipe.options
    ):
        return True
    rules = recipe.rules.get("rule", []) if recipe.rules else []
    kept = (one["match"].removeprefix("/") for one in rules if one.get("action") == RuleAction.KEEP)
    return any(not match.startswith("private:") and _last(match) == _SOP_INSTANCE for match in kept)


def _last(match: str) -> int:
    return lookup(match.split(".")[-1].strip()).tag


def _refuse_what_is_not_here(asked: dict[str, Any]) -> None:
    if asked["KeepPrivateTags"]:
        raise BadRequest(
            "Private elements are not kept as a whole: nobody knows what is in them",
            hint='`"Recipe": {"options": ["safe-private"]}` keeps those that PS3.15 knows to be safe, '
            "a rule `private:CREATOR` those of one creator",
        )
    if asked["PrivateCreator"] is not None:
        raise BadRequest(
            "PrivateCreator has no use here: private elements are not named one by one",
            hint="a rule `private:CREATOR` of a Recipe keeps or removes those of one creator",
        )
    if asked["KeepSource"] is False:
        raise BadRequest(
            "Originals are not deleted by an anonymization: some of them may be kept back",
            hint="look at the result, then DELETE them",
        )
    version = asked["DicomVersion"]
    if version is not None and version.lower() != EDITION.lower():
        raise BadRequest(
            f"Table E.1-1 is that of PS3.15 {EDITION} here, not {version!r}", hint="leave DicomVersion out"
        )


def _rules(asked: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Rules in the order in which they win: what is replaced wins over what is kept or removed."""
    force = bool(asked["Force"])
    named: dict[str, str] = {}
    for name in _names(asked["Remove"], "Remove"):
        match = _match(name, "Remove", force)
        named[match] = "Remove"
        yield {"match": match, "action": RuleAction.REMOVE}
    for name in _names(asked["Keep"], "Keep"):
        match = _match(name, "Keep", force)
        if match in named:
            raise BadRequest(f"{name!r} is in Keep and in Remove", hint="leave one out")
        yield from _kept(match)
    for name, value in (asked["Replace"] or {}).items():
        yield _replaced(name, value, force)


def _names(told: list[Any] | None, field: str) -> list[str]:
    if not all(isinstance(name, str) for name in told or []):
        raise BadRequest(f"{field} is a list of names of attributes")
    return list(told or [])


def _kept(match: str) -> Iterator[dict[str, str]]:
    """Keeping what is in a sequence keeps the sequence."""
    parts = match.split(".")
    for depth in range(1, len(parts)):
        above = ".".join(parts[:depth])
        yield {"match": above if depth > 1 else f"/{above}", "action": RuleAction.KEEP}
    yield {"match": match, "action": RuleAction.KEEP}


def _replaced(name: str, value: Any, force: bool) -> dict[str, str]:
    match = _match(name, "Replace", force)
    attribute = lookup(match.removeprefix("/").split(".")[-1])
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRequest(f"What replaces {name!r} is a text", hint="items of sequences cannot be made here")
    if attribute.vr not in _TEXT:
        raise BadRequest(f"{name!r} is of VR {attribute.vr}, which is not replaced here")
    text = str(value)
    if not text:
        return {"match": match, "action": RuleAction.EMPTY}
    _check_value(name, attribute, text)
    return {"match": match, "action": RuleAction.REPLACE, "value": text}


def _check_value(name: str, attribute: Attribute, text: str) -> None:
    if not text.isascii() or not text.isprintable():
        raise BadRequest(f"What replaces {name!r} is not ASCII", hint="the character sets of objects differ")
    try:
        for one in text.split("\\") if attribute.vr not in ("LT", "ST", "UR", "UT") else [text]:
            validate_value(attribute.vr, one, config.RAISE)
    except ValueError:
        raise BadRequest(f"{text!r} is no value of {name} ({attribute.vr})") from None


def _match(name: str, field: str, force: bool) -> str:
    """What a rule matches by: `/Keyword` outside of sequences, `Sequence.Keyword` in all of their items."""
    steps = name.split(".")
    parts = [_sequence(step, name) for step in steps[:-1]]
    attribute = _attribute(steps[-1], name)
    keyword = attribute.keyword
    if not parts:
        _refuse_by_name(keyword, attribute.tag, field, force)
    if attribute.vr == "SQ" and field != "Remove":
        raise BadRequest(f"{name!r} is a sequence", hint=f"name what is in it: {keyword}[*].Attribute")
    return ".".join([*parts, keyword]) if parts else f"/{keyword}"


def _refuse_by_name(keyword: str, tag: int, field: str, force: bool) -> None:
    if keyword in _NEED_FORCE and not force:
        raise BadRequest(f'{field} of {keyword} needs `"Force": true`')
    if keyword in _STAMPS:
        raise BadRequest(f"{keyword} says what was done here, and is always written anew")
    if tag >> 16 in (0x0002, 0x7FE0) or tag >> 16 < 0x0008:
        raise BadRequest(
            f"{keyword} goes by rules of its own", hint="`Recipe` has `pixels` and `pixel_rules`"
        )
    if field == "Keep":
        return
    if keyword in _ENCODING or (keyword in _UNIQUE and field == "Remove"):
        raise BadRequest(f"Without its own {keyword} it would be no such object")


def _sequence(step: str, name: str) -> str:
    found = _STEP.fullmatch(step.strip())
    if found is None:
        raise BadRequest(f"In {name!r} a sequence lacks its items", hint="Sequence[*].Attribute")
    if found["item"] not in ("", "*"):
        raise BadRequest(
            f"{name!r} names one item of a sequence, and rules hold for all", hint="Sequence[*].Attribute"
        )
    attribute = _attribute(found["name"], name)
    if attribute.vr != "SQ":
        raise BadRequest(f"In {name!r} {attribute.keyword} is no sequence")
    return attribute.keyword


def _attribute(text: str, name: str) -> Attribute:
    found = _TAG.fullmatch(text.strip())
    if found and int(found[1], 16) % 2:
        raise BadRequest(
            f"{name!r} is private, and private elements are not named one by one",
            hint="a rule `private:CREATOR` of a Recipe keeps or removes those of one creator",
        )
    attribute = lookup(found[1] + found[2] if found else text.strip())
    if not attribute.keyword or attribute.tag >> 16 & 1:
        raise BadRequest(f"{name!r} is none of the attributes of PS3.6")
    return attribute
