"""Person names (PS3.5 6.2.1) and folding: text without case and accents, as the index compares it.

Not here: charsets (names are Unicode already). Standard library only.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class PersonName:
    """A PN value: up to three representations of the same name (PS3.5 6.2.1)."""

    alphabetic: str
    ideographic: str = ""
    phonetic: str = ""

    def __str__(self) -> str:
        return "=".join((self.alphabetic, self.ideographic, self.phonetic)).rstrip("=")

    @property
    def components(self) -> tuple[str, str, str, str, str]:
        """Family, given, middle, prefix, suffix of the alphabetic group, empty where absent."""
        parts = [part.strip() for part in self.alphabetic.split("^")] + [""] * 5
        return parts[0], parts[1], parts[2], parts[3], parts[4]

    @property
    def family(self) -> str:
        """The family name complex."""
        return self.components[0]


def parse_name(text: str) -> PersonName:
    """A PN value; empty trailing components are dropped, more than three groups are an error."""
    groups = [group.strip(" \0").rstrip("^ ") for group in text.split("=")]
    if len(groups) > 3:
        raise ValueError("more than three groups in a person name")
    return PersonName(*groups)


_NO_DECOMPOSITION = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ŧ": "t"}
)


def fold(text: str) -> str:
    """The text without case, accents and compatibility differences: what the index compares.

    Only the marks of European scripts go (U+0300 to U+036F): a Japanese voicing mark or a Devanagari vowel
    makes another letter. Spaces around the text go too. Folding twice changes nothing.

    >>> fold("MÜLLER^Søren ")
    'muller^soren'
    """
    text = text.strip(" \0")
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(c for c in plain if not "\u0300" <= c <= "\u036f").translate(_NO_DECOMPOSITION)
    return unicodedata.normalize("NFC", bare).strip(" \0")


def fold_name(text: str) -> str:
    """A folded PN value with every group between `=` signs, so that a search may meet any one of them.

    A key matches when `"=" + key + "="` occurs in it (wild cards included): the whole name, or one group.

    >>> fold_name("Yamada^Tarou=山田^太郎")
    '=yamada^tarou=山田^太郎='
    """
    groups = (fold(group).rstrip("^ ") for group in text.split("="))
    return f"={'='.join(groups).rstrip('=')}="
