"""Text in the character sets of Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1), to Unicode and back.

Tolerant: misspelt terms, text beyond ASCII where no set is named, sets that do not hold what was written.
What had to be guessed or replaced is told to `note`. Values are decoded before they are split, since the
second byte of a character may be a backslash (GB18030, GBK, ISO 2022 IR 87).

Not here: where delimiters end code extensions (`_iso2022`), nor the VRs of attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from isocenter.dicom._iso2022 import ASCII, BY_TERM, CodeSet
from isocenter.dicom._iso2022 import decode as _decode_extended
from isocenter.dicom._iso2022 import encode as _encode_extended
from isocenter.errors import InvalidValue

Note = Callable[[str], None]

WITH_CHARSET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose text is in Specific Character Set (PS3.5 6.1.2.2); that of all others is ASCII."""

UNICODE = "ISO_IR 192"

_WHOLE = {UNICODE: "utf_8", "GB18030": "gb18030", "GBK": "gbk"}
_REGISTERED = re.compile(r"ISO[ _-]*(2022)?[ _-]*(?:IR)?[ _-]*([0-9]+)").fullmatch
_LATIN = re.compile(r"(?:ISO[ _-]*)?8859[ _-]*([0-9]+)|LATIN[ _-]*([0-9]+)").fullmatch
_BY_LATIN = {1: 100, 2: 101, 3: 109, 4: 110, 5: 144, 6: 127, 7: 126, 8: 138, 9: 148, 11: 166, 15: 203}
_NICKNAMES = {
    "UTF8": UNICODE, "UTF-8": UNICODE, "UNICODE": UNICODE, "ISO_IR192": UNICODE, "GB2312": "GBK",
    "GB 18030": "GB18030", "GB-18030": "GB18030", "GB_18030": "GB18030",
    "ASCII": "ISO_IR 6", "US-ASCII": "ISO_IR 6",
}  # fmt: skip


def ignore(problem: str) -> None:
    """A `note` for callers who do not keep problems."""


@dataclass(frozen=True)
class CharacterSet:
    """What one Specific Character Set stands for.

    Attributes:
        terms: its defined terms, spelt right; empty for the default repertoire.
        codec: Python's codec of a set without code extensions; empty otherwise, and when none is named.
        first: the set of the first term.
        assume: the term to read bytes beyond ASCII by, where no set is named.
        problems: what was wrong with the terms themselves.
        spare: the set of bytes beyond ASCII that no escape sequence and no first term explains.
    """

    terms: tuple[str, ...]
    codec: str
    first: CodeSet
    assume: str | None = None
    problems: tuple[str, ...] = ()
    spare: CodeSet | None = None

    def decode(self, value: bytes, note: Note = ignore, vr: str = "LO") -> str:
        """The text of a value, delimiters and padding included."""
        if b"\x1b" in value and self.codec not in _UNEXTENDED:
            return _decode_extended(value, self.first, self.spare, vr, note)
        if value.isascii():
            return value.decode("ascii")
        if self.codec:
            return self._by_codec(value, note)
        if self.spare is not None:
            if not self.first.high:
                note("text beyond ASCII lacks its escape sequence")
            return _decode_extended(value, self.first, self.spare, vr, note)
        return self._assumed(value, note, vr)

    def _by_codec(self, value: bytes, note: Note) -> str:
        try:
            return value.decode(self.codec)
        except UnicodeDecodeError:
            if self.codec == "gbk":
                # GB18030 holds all of GBK, and writers do not always know which of them they use.
                return value.decode("gb18030", "replace")
            note("text does not fit its character set")
            return value.decode(self.codec, "replace")

    def _assumed(self, value: bytes, note: Note, vr: str) -> str:
        """Text beyond ASCII that no set is named for."""
        if self.assume:
            note(f"text beyond ASCII without its character set was read as {self.assume}")
            return parse(self.assume).decode(value, note, vr)
        try:
            text = value.decode("utf_8")
        except UnicodeDecodeError:
            note("text beyond ASCII without its character set was read as ISO_IR 100")
            return value.decode("latin_1")
        note("text beyond ASCII without its character set was read as ISO_IR 192")
        return text


_UNEXTENDED = frozenset(_WHOLE.values())
DEFAULT = CharacterSet((), "", ASCII)


def of_bytes(value: bytes | None, assume: str | None = None, note: Note = ignore) -> CharacterSet:
    """The set that the value of (0008,0005) names."""
    found = DEFAULT if value is None and assume is None else _of_bytes(value or b"", assume)
    for problem in found.problems:
        note(problem)
    return found


@lru_cache(maxsize=1024)
def _of_bytes(value: bytes, assume: str | None) -> CharacterSet:
    return parse(value.decode("latin-1").strip(" \0"), assume)


@lru_cache(maxsize=1024)
def parse(terms: str | None, assume: str | None = None) -> CharacterSet:
    """The set that terms joined by backslashes name, misspelt ones included."""
    told = [term.strip(" \0") for term in (terms or "").split("\\")]
    problems: list[str] = []
    spelt = [_spell(term, problems) for term in told]
    first = spelt[0]
    if first in _WHOLE:
        return CharacterSet((first,), _WHOLE[first], ASCII, assume, tuple(problems))
    if len(spelt) == 1 and not first:
        return CharacterSet((), "", ASCII, assume, tuple(problems))
    known = [_number(term) for term in spelt]
    code = BY_TERM[known[0] or 6]
    terms_kept = tuple(term for i, term in enumerate(spelt) if term or i == 0)
    codec = code.codec if len(terms_kept) == 1 and code.high and not code.pairs else ""
    spare = next((BY_TERM[n] for n in known if n and BY_TERM[n].high), None)
    return CharacterSet(terms_kept, codec, code, assume, tuple(problems), spare)


def _spell(term: str, problems: list[str]) -> str:
    """The defined term that is meant; empty for none."""
    if not term or term in _WHOLE:
        return term
    upper = " ".join(term.upper().split())
    meant = _NICKNAMES.get(upper) or _registered(upper)
    if meant is None:
        problems.append("Specific Character Set has a term that is not defined")
        return ""
    if meant != term:
        problems.append(f"Specific Character Set has a misspelt term, taken for {meant}")
    return meant


def _registered(upper: str) -> str | None:
    found = _LATIN(upper)
    if found:
        number = _BY_LATIN.get(int(found[1] or found[2]))
        return f"ISO_IR {number}" if number else None
    if upper in _WHOLE:
        return upper
    found = _REGISTERED(upper)
    if found is None:
        return None
    number = int(found[2])
    if number == 192:
        return UNICODE
    if number not in BY_TERM:
        return None
    return f"ISO 2022 IR {number}" if found[1] else f"ISO_IR {number}"


def _number(term: str) -> int | None:
    return int(term.rpartition(" ")[2]) if term and term not in _WHOLE else None


def decode(value: bytes, terms: str | None, *, vr: str = "LO", assume: str | None = None) -> str:
    """The text of a value, padding included.

    Args:
        value: as encoded.
        terms: Specific Character Set, its values joined by backslashes; None or empty: none is named.
        vr: decides which characters are delimiters (PS3.5 6.1.2.5.3).
        assume: the set of bytes beyond ASCII where none is named; else UTF-8 if it is, or ISO_IR 100.
    """
    return parse(terms, assume).decode(value, ignore, vr)


def encode(text: str, terms: str | None, *, vr: str = "LO") -> bytes:
    """The bytes of a text in a Specific Character Set, without padding.

    Raises:
        InvalidValue: the set does not hold every character.
    """
    data = _encode(text, parse(terms), vr)
    if data is None:
        raise InvalidValue("The text does not fit the character set", detail={"charset": terms or ""})
    return data


def _encode(text: str, characters: CharacterSet, vr: str) -> bytes | None:
    if text.isascii():
        return text.encode("ascii")
    if characters.codec and characters.codec != "shift_jis":
        try:
            return text.encode(characters.codec)
        except UnicodeEncodeError:
            return None
    if not characters.terms:
        return None
    return _encode_extended(text, [BY_TERM[_number(term) or 6] for term in characters.terms], vr)


def choose(values: Iterable[str], requested: str | None = None, configured: str | None = None) -> str | None:
    """The Specific Character Set to answer in: None (not sent) when every value is ASCII.

    Otherwise the first that holds every value of: the one of the request, the one configured for the peer,
    ISO_IR 192.
    """
    beyond = [value for value in values if not value.isascii()]
    if not beyond:
        return None
    for terms in (requested, configured):
        characters = parse(terms)
        # Delimiters of names are delimiters of the other text too as far as fitting goes.
        if characters.terms and all(_encode(value, characters, "PN") is not None for value in beyond):
            return "\\".join(characters.terms)
    return UNICODE
