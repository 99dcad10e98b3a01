"""Index keys from the DICOM JSON of an instance: what `Header.index_keys` gives, when only the catalog is
left.

The character set that an object was sent in is not in its JSON, which is Unicode, and numbers may have lost
zeros that say nothing; everything else is the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from isocenter.dicom.attributes import INDEX, lookup, path_of

_NAMES = (
    *dict.fromkeys(name for names in INDEX.values() for name in names),
    "SOPClassUID",
    "SOPInstanceUID",
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
)
_PATHS = {name: [lookup(word).tag_text for word in path_of(name)] for name in dict.fromkeys(_NAMES)}
_PERSON = ("Alphabetic", "Ideographic", "Phonetic")


def keys_of(document: str) -> dict[str, str]:
    """Keyword to text, several values joined by a backslash; empty elements are empty text.

    Args:
        document: DICOM JSON (PS3.18 F.2) of one instance. Numbers keep the digits they are written with.
    """
    told: dict[str, Any] = json.loads(document, parse_float=str, parse_int=str)
    keys: dict[str, str] = {}
    for name, tags in _PATHS.items():
        if len(tags) == 1:
            element = told.get(tags[0])
            if element is not None and "BulkDataURI" not in element and "InlineBinary" not in element:
                keys[name] = "\\".join(_text(value) for value in element.get("Value", ()))
        elif texts := list(_inside(told, tags)):
            keys[name] = "\\".join(texts)
    return keys


def _inside(item: dict[str, Any], tags: list[str]) -> Iterator[str]:
    """The texts at a path in all items of its sequences."""
    values = item.get(tags[0], {}).get("Value", ())
    if len(tags) > 1:
        for inner in values:
            yield from _inside(inner, tags[1:])
    elif text := "\\".join(_text(value) for value in values):
        yield text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in _PERSON).rstrip("=")
    return str(value)
