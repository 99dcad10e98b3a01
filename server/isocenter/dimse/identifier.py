"""The identifier of a Query/Retrieve request: its keys as Unicode, its level, its unique keys (PS3.4 C.4).

Not here: matching (:mod:`isocenter.dicom.matching`), answering (:mod:`isocenter.network.identifiers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isocenter.dicom import charset
from isocenter.dicom._limits import Limits
from isocenter.dicom.attributes import lookup
from isocenter.dicom.header import Element, read_header, text_of_value
from isocenter.dicom.levels import Level
from isocenter.dicom.matching import KeyValue
from isocenter.dicom.predicate import Equal, OneOf, Predicate, all_of
from isocenter.dimse import status
from isocenter.dimse.models import Root
from isocenter.errors import BadRequest, UnreadableObject
from isocenter.network.identifiers import Key

_CHARACTER_SET = lookup("SpecificCharacterSet").tag
_GROUP_LENGTH = 0x0000FFFF  # element number 0000 of any group
_NOT_MATCHED = ("TimezoneOffsetFromUTC",)
_LIMITS = Limits(depth=16, elements=4096)
"""Of an identifier: many times what any requester asks for, read in a fraction of a second."""


class Unfit(BadRequest):
    """An identifier that cannot be answered; carries the status to refuse it with."""

    code = "unfit-identifier"

    def __init__(self, code: int, comment: str) -> None:
        super().__init__(comment)
        self.dimse_status = code

    def __reduce__(self) -> tuple[type[Unfit], tuple[int, str]]:
        return type(self), (self.dimse_status, self.message)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A request's identifier, decoded.

    `keys` maps keyword (or `GGGGEEEE`) to text, multiple values joined by backslash, or for a sequence to
    its items; the Query/Retrieve level, character set and time zone of the request are not among them. `said`
    names those of them that answers show nevertheless.
    """

    level: Level
    keys: dict[str, KeyValue]
    character_set: str
    said: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """The text of a key, empty when it is absent or a sequence."""
        value = self.keys.get(name, "")
        return value.strip(" \0") if isinstance(value, str) else ""

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a list of UIDs."""
        return tuple(part for part in (each.strip(" \0") for each in self.text(name).split("\\")) if part)

    def requested(self) -> tuple[Key, ...]:
        """The keys to be written in answers."""
        keys = [_requested(name, value) for name, value in self.keys.items()]
        return (*keys, *map(Key, self.said))

    def missing_above(self, root: Root) -> tuple[str, ...]:
        """Unique keys of the levels above that have not one value: a hierarchical request needs them."""
        above = [level for level in root.levels if level in self.level.above]
        return tuple(each.unique_key for each in above if not _is_single(self.text(each.unique_key)))


def parse(data: bytes | None, transfer_syntax: str, root: Root, assume_charset: str | None) -> Identifier:
    """The identifier in these bytes.

    Raises:
        Unfit: C000 when it cannot be read, A900 when its level is missing or not one of the model's.
    """
    if not data:
        raise Unfit(status.CANNOT_UNDERSTAND, "there is no identifier")
    try:
        elements = read_header(data, transfer_syntax=transfer_syntax, limits=_LIMITS).tree()
    except UnreadableObject as error:
        raise Unfit(status.CANNOT_UNDERSTAND, "the identifier cannot be read") from error
    terms = next((element.value for element in elements if element.tag == _CHARACTER_SET), None)
    keys = dict(_texts(elements, data, charset.of_bytes(terms, assume_charset, charset.ignore)))
    character_set = str(keys.pop("SpecificCharacterSet", ""))
    told = keys.pop("QueryRetrieveLevel", "")
    try:
        level = Level.from_query_retrieve(told if isinstance(told, str) else "")
    except ValueError:
        raise Unfit(status.DOES_NOT_MATCH_SOP_CLASS, "QueryRetrieveLevel is missing or unknown") from None
    if level not in root.levels:
        raise Unfit(status.DOES_NOT_MATCH_SOP_CLASS, "this model has no such QueryRetrieveLevel")
    said = tuple(name for name in _NOT_MATCHED if keys.pop(name, None) is not None)
    return Identifier(level, keys, character_set, said)


def selection(identifier: Identifier, root: Root, *, relational: bool) -> Predicate:
    """What a C-MOVE or C-GET asks for: exact unique keys, lists of UIDs, no wild cards (PS3.4 C.4.2.1.4).

    Raises:
        Unfit: the unique key of its level is missing, or one above it where the request is hierarchical.
    """
    own = identifier.level.unique_key
    if not identifier.values(own):
        raise Unfit(status.DOES_NOT_MATCH_SOP_CLASS, f"{own} is needed at this level")
    missing = identifier.missing_above(root)
    if missing and not relational:
        raise Unfit(status.DOES_NOT_MATCH_SOP_CLASS, f"{missing[0]} is needed at this level")
    terms: list[Predicate] = []
    for level in identifier.level.and_above:
        name = level.unique_key
        values = identifier.values(name) if level is not Level.PATIENT else (identifier.text(name),)
        if any(values):
            terms.append(Equal((name,), values[0]) if len(values) == 1 else OneOf((name,), values))
    return all_of(terms)


def _texts(
    elements: list[Element], data: bytes, characters: charset.CharacterSet
) -> Iterator[tuple[str, KeyValue]]:
    for element in elements:
        if element.tag & _GROUP_LENGTH == 0:
            continue
        name = _name(element.tag)
        if element.items is not None:
            yield name, [dict(_texts(item, data, _own(item, characters))) for item in element.items]
        else:
            if element.value is None:  # over 1 KiB, e.g. a long list of UIDs
                element = element._replace(value=data[element.offset : element.offset + element.length])
            yield name, text_of_value(element, characters, charset.ignore) or ""


def _own(item: list[Element], outer: charset.CharacterSet) -> charset.CharacterSet:
    """An item may name its own character set (PS3.3 C.12.1.1.2)."""
    for element in item:
        if element.tag == _CHARACTER_SET:
            return charset.of_bytes(element.value, outer.assume, charset.ignore)
    return outer


def _name(tag: int) -> str:
    return lookup(f"{tag:08X}").name


def _requested(name: str, value: KeyValue) -> Key:
    if isinstance(value, str):
        return Key(name)
    inside = {child: None for item in value for child in item}
    nested = {child: each for item in value for child, each in item.items()}
    return Key(name, tuple(_requested(child, nested[child]) for child in inside))


def _is_single(text: str) -> bool:
    return bool(text) and not set(text) & set("\\*?")
