"""What each step does with an element: one function a step, all of one shape.

A function is given the level it runs in, the node, the step, the data set and the element as it lies there
(decoded or not), and returns the element that takes its place: the same one, another, or None for none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from isocenter.deid.code_strings import is_term
from isocenter.deid.dates import midnight, shift_date, shift_datetime
from isocenter.deid.dummies import dummy
from isocenter.deid.encoded import CHARACTERS, Fault, fault, is_plain, require_readable, sequence_of
from isocenter.deid.icc import without_text
from isocenter.deid.identifiers import Identifiers
from isocenter.deid.plan import PATIENT_NAME, Do, Node, Step, vr_of
from isocenter.deid.policies import BirthDate, Documents, Times
from isocenter.deid.text import cleaned, without

if TYPE_CHECKING:
    from isocenter.deid.engine import Level

Element = DataElement | RawDataElement
Doing = Callable[["Level", Node, Step, Dataset, Element], Element | None]

OLDEST = 89
_UNITS = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


class Unreadable(Exception):
    """The value has to be read and cannot be; the words carry nothing of it."""


def read(source: Dataset, element: Element, path: tuple[int, ...]) -> DataElement:
    """The element, decoded. Raises Unreadable."""
    if isinstance(element, DataElement):
        return element
    try:
        found = sequence_of(source, element) or source[element.tag]
        if isinstance(element.value, bytes) and not is_plain(element.value) and found.VR in CHARACTERS:
            require_readable(source, element.value, found.VR)
        return found
    except Exception as error:
        where = f"({int(element.tag) >> 16:04X},{int(element.tag) & 0xFFFF:04X})"
        depth = f" in a sequence of depth {len(path)}" if path else ""
        raise Unreadable(f"{where}{depth} cannot be decoded: {type(error).__name__}") from error


def texts(value: Any) -> list[str]:
    """The values of an element as texts; none for an empty one."""
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, (MultiValue, list)) else [str(value)]


def made(element: Element, value: Any) -> DataElement:
    """An element of the same tag with this value."""
    vr = vr_for(element)
    return DataElement(element.tag, vr, value)


def vr_for(element: Element) -> str:
    """The VR in which a new value is written."""
    known = vr_of(int(element.tag))
    told = element.VR
    if known and (not told or told == "UN" or " " in known):
        return known.split(" ")[0] if " " in known and (not told or told == "UN") else told or known
    return told or known or "UN"


def _keep(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element:
    found = fault(element)
    if found is Fault.NONE:
        return element
    if found is Fault.TEXT:
        return _text(level, node, step, source, element)
    if found is Fault.SEQUENCE:
        raise Unreadable(f"({int(element.tag) >> 16:04X},{int(element.tag) & 0xFFFF:04X}) is a sequence")
    level.subject.tell("invalid-value", _path(node, element), "is not what its VR says and was emptied")
    return _empty(level, node, step, source, element)


def _remove(_level: Level, _node: Node, _step: Step, _source: Dataset, _element: Element) -> None:
    return None


def _empty(_level: Level, _node: Node, _step: Step, _source: Dataset, element: Element) -> Element:
    if _is_empty(element):
        return element
    vr = vr_for(element)
    return DataElement(element.tag, vr, Sequence() if vr == "SQ" else None)


def _dummy(_level: Level, _node: Node, _step: Step, _source: Dataset, element: Element) -> Element:
    if _is_empty(element):
        return element
    return made(element, dummy(vr_for(element)))


def _uid(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    old = texts(read(source, element, node.path).value)
    new = [level.subject.identifiers.uid(uid) for uid in old]
    return element if new == old else made(element, new if len(new) > 1 else "".join(new))


def _shift(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element:
    vr = vr_for(element)
    move = shift_datetime if vr == "DT" else shift_date
    new = []
    for text in texts(read(source, element, node.path).value):
        moved = move(text, level.subject.days)
        if moved is None:
            level.subject.tell("unreadable-date", _path(node, element), "is no date and was emptied")
            return _empty(level, node, step, source, element)
        new.append(midnight(moved, vr) if vr == "DT" and _drops_times(level) else moved)
    return made(element, new) if new else element


def _time(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element:
    if not _drops_times(level):
        return _keep(level, node, step, source, element)
    new = [midnight(text, vr_for(element)) for text in texts(read(source, element, node.path).value)]
    return made(element, new) if new else element


def _drops_times(level: Level) -> bool:
    return level.subject.policies.times is Times.DROP


def _text(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element:
    """Kept, without identifiers of the patient."""
    known = level.subject.known
    if known is None:
        return element
    raw = element.value
    if isinstance(raw, bytes) and is_plain(raw):
        if not known.search(raw.decode("ascii")):
            return element
    elif not any(known.search(text) for text in texts(read(source, element, node.path).value)):
        return element
    old = texts(read(source, element, node.path).value)
    if all(is_term(int(element.tag), text) or not known.search(text) for text in old):
        return element
    level.subject.tell("known-identifier", _path(node, element), "held an identifier of the patient")
    return _valid(element, [without(known, text) for text in old])


def _clean(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    old = texts(read(source, element, node.path).value)
    new = [cleaned(level.subject.known, text) for text in old]
    return element if new == [text.strip() for text in old] or new == old else _valid(element, new)


def _valid(element: Element, new: list[str]) -> DataElement:
    """With what is left of its text: a dummy if nothing is; a code string that was cut is no code."""
    vr = vr_for(element)
    new = [str(dummy(vr)) if vr == "CS" or not text else text for text in new]
    return made(element, new if len(new) > 1 else "".join(new))


def _age(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element | None:
    ages = texts(read(source, element, node.path).value)
    for text in ages:
        unit, number = text[-1:], text[:-1].strip()
        if unit not in _UNITS or not number.isdigit():
            level.subject.tell("invalid-value", _path(node, element), "is no age and was emptied")
            return DataElement(element.tag, "AS", None)
        if int(number) / _UNITS[unit] > OLDEST:
            return DataElement(element.tag, "AS", "090Y")
    return element


def _items(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    sequence = read(source, element, node.path)
    if sequence.VR != "SQ":
        if sequence.is_empty:
            return element
        raise Unreadable(f"({int(element.tag) >> 16:04X},{int(element.tag) & 0xFFFF:04X}) is no sequence")
    below, items = node.below(int(element.tag)), []
    for item in sequence.value:
        result = Dataset()
        implicit, little = item.original_encoding
        result.set_original_encoding(implicit, little, item.original_character_set)
        level.run(below, item, result)
        items.append(result)
    new = DataElement(element.tag, "SQ", Sequence(items))
    new.is_undefined_length = sequence.is_undefined_length
    return new


def _pseudonym(level: Level, _node: Node, _step: Step, _source: Dataset, element: Element) -> Element:
    made_up = level.subject.identifiers.pseudonym(level.subject.patient)
    return DataElement(element.tag, "PN" if int(element.tag) == PATIENT_NAME else "LO", made_up)


def _accession(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    old = "".join(texts(read(source, element, node.path).value)[:1])
    new = level.subject.identifiers.accession(old)
    return made(element, new) if old else element


def _birth_date(level: Level, node: Node, step: Step, source: Dataset, element: Element) -> Element:
    policy = level.subject.policies.birth_date
    old = "".join(texts(read(source, element, node.path).value)[:1])
    if policy is BirthDate.SHIFT:
        return _shift(level, node, step, source, element)
    if policy is BirthDate.YEAR and len(old) == 8 and old.isdigit() and not _is_old(source, old):
        return made(element, f"{old[:4]}0701")
    return _empty(level, node, step, source, element)


def _is_old(source: Dataset, birth: str) -> bool:
    """Whether the year alone would tell an age over 89."""
    study = str(source.get("StudyDate", "") or "")
    return not study[:4].isdigit() or int(study[:4]) - int(birth[:4]) > OLDEST


def _document(level: Level, _node: Node, _step: Step, _source: Dataset, element: Element) -> Element:
    policy = level.subject.policies.documents
    if policy is Documents.REFUSE:
        raise Unreadable("it holds a document, and nothing here can clean one (policy: refuse)")
    if policy is Documents.DROP:
        return DataElement(element.tag, "OB", b"\0\0")
    level.subject.tell("document", (int(element.tag),), "was kept by policy")
    return element


def _colours(level: Level, node: Node, _step: Step, _source: Dataset, element: Element) -> Element | None:
    made_of = without_text(element.value) if isinstance(element.value, bytes) else None
    if made_of is None:
        level.subject.tell("invalid-value", _path(node, element), "is no ICC profile and was removed")
        return None
    return DataElement(element.tag, "OB", made_of)


def _hash(level: Level, node: Node, _step: Step, source: Dataset, element: Element) -> Element:
    identifiers: Identifiers = level.subject.identifiers
    name = f"{int(element.tag):08X}"
    old = texts(read(source, element, node.path).value)
    if vr_for(element) == "UI":
        return made(element, [identifiers.uid(uid) for uid in old])
    return made(element, [identifiers.value(name, text) for text in old]) if old else element


def _replace(_level: Level, _node: Node, step: Step, _source: Dataset, element: Element) -> Element:
    return made(element, step.value)


def _content_dummy(_level: Level, _node: Node, _step: Step, _source: Dataset, element: Element) -> Element:
    """A tree of one comment that says why it is all there is (TID-free, of template-independent codes)."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121106", "DCM", "Comment"
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = Sequence([code])
    item.TextValue = "Removed by de-identification"
    return DataElement(element.tag, "SQ", Sequence([item]))


def _is_empty(element: Element) -> bool:
    value = element.value
    return value is None or (isinstance(value, (bytes, str, list, Sequence)) and len(value) == 0)


def _path(node: Node, element: Element) -> tuple[int, ...]:
    return (*node.path, int(element.tag))


STEPS: dict[Do, Doing] = {
    Do.KEEP: _keep,
    Do.REMOVE: _remove,
    Do.EMPTY: _empty,
    Do.DUMMY: _dummy,
    Do.UID: _uid,
    Do.SHIFT: _shift,
    Do.TIME: _time,
    Do.CLEAN: _clean,
    Do.TEXT: _text,
    Do.AGE: _age,
    Do.ITEMS: _items,
    Do.CONTENT: _items,
    Do.CONTENT_DUMMY: _content_dummy,
    Do.PSEUDONYM: _pseudonym,
    Do.ACCESSION: _accession,
    Do.BIRTH_DATE: _birth_date,
    Do.DOCUMENT: _document,
    Do.COLOURS: _colours,
    Do.HASH: _hash,
    Do.REPLACE: _replace,
}
