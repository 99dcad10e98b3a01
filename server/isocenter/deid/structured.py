"""Values of content items (PS3.3 10.2, C.17.3): Clean Structured Content (PS3.15 E.3.4) as steps.

A content item is a name and a value, so that its tag tells nothing: whether a text is a finding or the name
of a physician follows from the concept. Codes, numbers, references and the tree stay as they are, for an item
left out would move those that are referred to by position (PS3.3 C.17.3.2.5); what identifies gets the value
that its attribute outside the tree would get. Not here: names of people within free text, which cannot all
be known (`text`); long text that stays is told as a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.deid.concepts import Role, role_of
from isocenter.deid.dummies import TEXT, dummy
from isocenter.deid.plan import Do, Node, Step
from isocenter.deid.profile import Option
from isocenter.deid.steps import OLDEST, STEPS, Doing, Element, Unreadable, made, read, texts
from isocenter.deid.text import cleaned

if TYPE_CHECKING:
    from isocenter.deid.engine import Level

_LONG = 60
_YEARS = {"a": 1.0, "mo": 12.0, "wk": 52.18, "d": 365.25}
_KEEPING = {
    Role.DEVICE: Option.RETAIN_DEVICE_IDENTITY,
    Role.INSTITUTION: Option.RETAIN_INSTITUTION_IDENTITY,
    Role.CHARACTERISTIC: Option.RETAIN_PATIENT_CHARACTERISTICS,
    Role.AGE: Option.RETAIN_PATIENT_CHARACTERISTICS,
}
_SEX = ("121103", "DCM", "Undetermined sex")
_UNKNOWN = ("261665006", "SCT", "Unknown")
_SEX_CONCEPTS = frozenset({"121032", "263495000", "46098-0"})


def _role(node: Node, source: Dataset) -> Role:
    """What the item's concept says about its value; OTHER where an option of the profile keeps it."""
    value, scheme, meaning = _concept(source)
    role = role_of(value, scheme, meaning)
    option = _KEEPING.get(role)
    kept = option is not None and role is not Role.AGE and node.plan.profile.has(option)
    return Role.OTHER if kept else role


def _concept(source: Dataset) -> tuple[str, str, str]:
    try:
        names = source.get("ConceptNameCodeSequence") or ()
        name = names[0] if names else Dataset()
        value = name.get("CodeValue") or name.get("LongCodeValue") or name.get("URNCodeValue") or ""
        return str(value), str(name.get("CodingSchemeDesignator") or ""), str(name.get("CodeMeaning") or "")
    except Exception as error:
        raise Unreadable(f"a concept name cannot be decoded: {type(error).__name__}") from error


def _text(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    """A text: what the concept calls an identifier is replaced, anything else is cleaned."""
    old = "\\".join(texts(read(source, element, node.path).value))
    role, subject = _role(node, source), level.subject
    if not old.strip():
        return element
    if role is Role.SUBJECT:
        return made(element, subject.identifiers.pseudonym(subject.patient))
    if role is Role.ACCESSION:
        return made(element, subject.identifiers.accession(old))
    if role is not Role.OTHER:
        return made(element, TEXT)
    new = cleaned(subject.known, old) or TEXT
    if len(new) > _LONG:
        subject.tell("free-text", (*node.path, int(element.tag)), "was cleaned; a person should read it")
    return element if new == old.strip() else made(element, new)


def _name(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    """A person: the patient under the pseudonym, anybody else as nobody."""
    if _role(node, source) is Role.SUBJECT:
        return made(element, level.subject.identifiers.pseudonym(level.subject.patient))
    return made(element, dummy("PN"))


def _date(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element | None:
    """A date or a moment: as the profile says of dates (`step.value`), but never a birth date."""
    if _role(node, source) is Role.BIRTH:
        return STEPS[Do.DUMMY](level, node, step, source, element)
    return STEPS[Do[step.value]](level, node, step, source, element)


def _code(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element | None:
    """A code: kept, but for what the patient is and who somebody is."""
    role = _role(node, source)
    if role is Role.OTHER:
        return STEPS[Do.ITEMS](level, node, step, source, element)
    sex = _concept(source)[0] in _SEX_CONCEPTS
    return DataElement(element.tag, "SQ", Sequence([_coded(*(_SEX if sex else _UNKNOWN))]))


def _coded(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _measured(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element | None:
    """A number with its unit (Type 2, so it may be empty): kept, but for what the patient is."""
    role = _role(node, source)
    kept = node.plan.profile.has(Option.RETAIN_PATIENT_CHARACTERISTICS)
    if role is Role.OTHER or (role is Role.AGE and kept):
        after = STEPS[Do.ITEMS](level, node, step, source, element)
        if role is Role.AGE and after is not None:
            items: Any = after.value or ()
            for item in items:
                _cap(item)
        return after
    return DataElement(element.tag, "SQ", Sequence())


def _number(_level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    """A number of its own (PS3.3 10.2): kept, but for what the patient is."""
    return element if _role(node, source) is Role.OTHER else made(element, dummy("DS"))


def _cap(item: Dataset) -> None:
    """Ages over 89 years become 90 (45 CFR 164.514(b)(2)(i)(C))."""
    unit: Any = (item.get("MeasurementUnitsCodeSequence") or [Dataset()])[0].get("CodeValue", "a")
    number = item.get("NumericValue")
    if number is not None and float(number) / _YEARS.get(str(unit), 1.0) >= OLDEST + 1:
        item.NumericValue = str(round((OLDEST + 1) * _YEARS.get(str(unit), 1.0)))
        for extra in ("FloatingPointValue", "RationalNumeratorValue", "RationalDenominatorValue"):
            if extra in item:
                delattr(item, extra)


def _graphic_text(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    """The text of an annotation, cleaned (Clean Graphics, PS3.15 E.3.3); it may not be empty."""
    old = "\\".join(texts(read(source, element, node.path).value))
    new = cleaned(level.subject.known, old)
    return element if new == old.strip() else made(element, new or TEXT)


CONTENT_STEPS: dict[Do, Doing] = {
    Do.CONTENT_TEXT: _text,
    Do.CONTENT_NAME: _name,
    Do.CONTENT_DATE: _date,
    Do.CONTENT_CODE: _code,
    Do.CONTENT_MEASURED: _measured,
    Do.CONTENT_NUMBER: _number,
    Do.GRAPHIC_TEXT: _graphic_text,
}
