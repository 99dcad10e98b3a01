"""A second reader that looks for what should be gone: other code than the engine's, and another list.

It reads both files with the archive's own reader (`dicom.header`; the engine uses pydicom), takes what
identifies from the original by its own list (`suspects`), and searches every byte of the result that is no
pixel: preamble, file meta information, elements, what lies after Pixel Data. Then it reads the texts, names,
UIDs, ages and dates that are left, and measures by how many days the dates moved. Not here: text in pixels.
"""

from __future__ import annotations

import mmap
import os
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import BinaryIO, NamedTuple

from isocenter.deid.identifiers import DEFAULT_WINDOW, Window
from isocenter.deid.outcome import Finding
from isocenter.deid.part10 import reading
from isocenter.deid.profile import Option, Profile
from isocenter.deid.rules import RuleAction
from isocenter.deid.suspects import (
    BIRTH_DATE,
    LEFTOVERS,
    NUMBERS,
    OPTION_OF,
    PATTERNS,
    TEXT_VR,
    UIDS,
)
from isocenter.dicom.header import Element, Header, UnreadableHeader, read_header

RESIDUAL = "residual"
"""The kind of a finding that is certain: a value of the original is in the result."""
_REGISTERED = b"1.2.840.10008."
_PARTS = re.compile(rb"[\^=,\s\\]+|\x1b[\x20-\x2f]+[\x40-\x7e]")
_DUMMY_DATE, _DUMMIES = "19000101", frozenset({"", "Anonymized^Anonymized", "ANONYMIZED"})
_FRAGMENT = b"\xfe\xff\x00\xe0"
_SHORTEST_NAME, _SHORTEST, _SHORT_DIGITS = 3, 4, 6
_LISTED = (TEXT_VR | {"AS"}) - {"AE"}
_OURS = frozenset({0x00100010, 0x00100020, 0x00080050, 0x00120062, 0x00120063, 0x00120064, 0x00280303})
_SEALED = (0x04000500, 0x04000520)
_LEVELS = {(0x00100020,): "patients", (0x0020000D,): "studies", (0x0020000E,): "series"}
_NOBODY = frozenset(
    b"anonymized anonymous unknown none null test n/a name first last text enter doctor physician".split()
)
_PATIENT = 0x0010
_MAKERS = frozenset({(0x00080070,), (0x00081090,), (0x00181020,)})

Source = bytes | Path | BinaryIO
Path_ = tuple[int, ...]


class Leaf(NamedTuple):
    """An element that is no sequence: its tags, the items on the way, VR, bytes, where they begin."""

    path: Path_
    items: Path_
    vr: str
    value: bytes
    offset: int

    @property
    def text(self) -> str:
        """The value, ASCII being all that is looked for."""
        return self.value.decode("latin-1").strip(" \0")


class Examined(NamedTuple):
    """What the second reader saw in a result.

    Attributes:
        findings: what a person should look at.
        values: texts that are there, by their tags; no identifiers of ours, dates or numbers.
        entities: level (`patients`, `studies`, `series`) and new identifier.
    """

    findings: tuple[Finding, ...] = ()
    values: tuple[tuple[Path_, str], ...] = ()
    entities: tuple[tuple[str, str], ...] = ()


class Read:
    """One object as this reader sees it.

    Args:
        source: a Part 10 file, as bytes, open, or by its path.

    Raises:
        UnreadableHeader: it is no DICOM file.
    """

    def __init__(self, source: Source) -> None:
        data = source if isinstance(source, bytes) else _mapped(source)
        self.header: Header = read_header(data)
        start = self.header.data_set_offset
        self.front = bytes(data[:start]) if self.header.deflated else b""
        self._data = zlib.decompressobj(-15).decompress(data[start:]) if self.header.deflated else data
        self.leaves = list(self._walk(self.header.tree(), (), ()))

    def _walk(self, elements: list[Element], path: Path_, items: Path_) -> Iterator[Leaf]:
        for element in elements:
            here = (*path, element.tag)
            if element.items is not None:
                for number, item in enumerate(element.items):
                    yield from self._walk(item, here, (*items, number))
            else:
                value = element.value
                if value is None:
                    value = bytes(self._data[element.offset : element.offset + element.length])
                yield Leaf(here, items, element.vr, value, element.offset)

    def bytes(self) -> tuple[bytes, bytes]:
        """All that is no pixel: up to Pixel Data (offsets count in it), and what comes after."""
        pixels = self.header.pixel_data
        if pixels is None:
            return bytes(self._data[:]), self.front
        before = bytes(self._data[: pixels.offset])
        if pixels.length is not None:
            return before, self.front + bytes(self._data[pixels.offset + pixels.length :])
        return before, self.front + bytes(self._data[_after_fragments(self._data, pixels.offset) :])


class Verifier:
    """Compares results with their originals. Safe to use from several threads.

    Args:
        profile: what was asked for: what it retains is not searched for.
        window: by how many days dates may have moved.
    """

    def __init__(self, profile: Profile, window: Window = DEFAULT_WINDOW) -> None:
        self.profile = profile
        self.window = window
        self._kept = {rule.path[-1] for rule in profile.rules if rule.path and rule.action is RuleAction.KEEP}
        self._keeps_private = profile.has(Option.RETAIN_SAFE_PRIVATE) or any(
            rule.creator for rule in profile.rules
        )

    def examine(self, before: Source, after: Source) -> Examined:
        """Findings, and what a report lists. Raises UnreadableHeader."""
        source, result = Read(before), Read(after)
        findings = tuple(self._findings(source, result))
        values = tuple(
            (leaf.path, leaf.text)
            for leaf in result.leaves
            if leaf.vr in _LISTED and leaf.path[0] not in _OURS and leaf.text
        )
        entities = tuple((_LEVELS[leaf.path], leaf.text) for leaf in result.leaves if leaf.path in _LEVELS)
        return Examined(findings, values, entities)

    def check(self, before: Source, after: Source) -> list[Finding]:
        """What a person should look at in the result; of kind `residual` what must not leave.

        Args:
            before: the original, as bytes, open, or by its path.
            after: the result.

        Raises:
            UnreadableHeader: one of them is no DICOM file.
        """
        return self._findings(Read(before), Read(after))

    def _findings(self, source: Read, result: Read) -> list[Finding]:
        found = (*self._residual(source, result), *self.look(result), *self._moved(source, result))
        return list(dict.fromkeys(found))

    def look(self, result: Read) -> Iterator[Finding]:
        """What can be seen without the original."""
        pseudonym = next((leaf.text for leaf in result.leaves if leaf.path == (0x00100020,)), "")
        front, _ = result.bytes()
        if not result.header.deflated and front[:128].strip(b"\0") and result.header.data_set_offset >= 132:
            yield Finding("preamble", (), "the preamble is not empty")
        for leaf in result.leaves:
            yield from self._leaf(leaf, pseudonym)

    def _leaf(self, leaf: Leaf, pseudonym: str) -> Iterator[Finding]:
        tag = leaf.path[-1]
        if tag >> 16 & 1 and not self._keeps_private:
            yield Finding("private", leaf.path, "is private, and no option keeps it")
        if any(at in LEFTOVERS for at in leaf.path):
            yield Finding("leftover", leaf.path, "has no place in a result")
        text = leaf.text
        if leaf.vr == "PN":
            unnamed = not pseudonym and leaf.path == (
                0x00100010,
            )  # without an ID nothing tells the pseudonym
            if text not in _DUMMIES and text != pseudonym and not unnamed:
                yield Finding("name", leaf.path, "is the name of somebody")
        elif leaf.vr in TEXT_VR:
            if text not in _DUMMIES and text != pseudonym:
                yield from (
                    Finding(kind, leaf.path, words) for kind, words, like in PATTERNS if like.search(text)
                )
        elif leaf.vr == "AS":
            if text[-1:] == "Y" and text[:-1].isdigit() and int(text[:-1]) > 90:
                yield Finding("age", leaf.path, "is an age over 89")
        elif leaf.vr == "UI" and not self.profile.has(Option.RETAIN_UIDS):
            for uid in text.split("\\"):
                if uid and not uid.startswith(("1.2.840.10008.", "2.25.")):
                    yield Finding("uid", leaf.path, "is a UID that was not made here")

    def _old_uids(self, source: Read, result: Read) -> Iterator[Finding]:
        front, back = result.bytes()
        staying = [leaf for leaf in source.leaves if self._keeps(leaf.path)] if self.profile.rules else []
        kept = {uid for leaf in staying for uid in UIDS.findall(leaf.value)}
        old = {uid for leaf in source.leaves if leaf.vr == "UI" for uid in UIDS.findall(leaf.value)} - kept
        old = {uid for uid in old if not uid.startswith(_REGISTERED)}
        for found in UIDS.finditer(front):
            is_cut = (
                front[found.end() : found.end() + 1] == b"\0"
            )  # the low byte of the next group may be a digit
            if found[0] in old or (is_cut and found[0][:-1] in old):
                yield _told(result, found.start(), "holds a UID of the original")
        if old.intersection(UIDS.findall(back)):
            yield Finding(RESIDUAL, (), "a UID of the original lies after Pixel Data")

    def _residual(self, source: Read, result: Read) -> Iterator[Finding]:
        if not self.profile.has(Option.RETAIN_UIDS):
            yield from self._old_uids(source, result)
        front, back = result.bytes()
        looked, behind = front.lower(), back.lower()
        for word, about in sorted(self._words(source).items()):
            at = _find(looked, word, 0)
            while at >= 0:
                if not self._is_kept(result, at) and not _is_chance(result, at, word, about):
                    yield _told(result, at, "holds a value of the original that identifies")
                at = _find(looked, word, at + len(word))
            if _find(behind, word, 0) >= 0:
                yield Finding(RESIDUAL, (), "a value of the original lies after Pixel Data")

    def _is_kept(self, result: Read, offset: int) -> bool:
        """Whether a rule keeps the element in which it is."""
        leaf = _at(result, offset)
        return leaf is not None and self._keeps(leaf.path)

    def _keeps(self, path: Path_) -> bool:
        """Whether the last rule that fits an element keeps it."""
        last = next((rule for rule in reversed(self.profile.rules) if rule.fits(path, "")), None)
        return last is not None and last.action is RuleAction.KEEP

    def _words(self, source: Read) -> dict[bytes, str]:
        """What identifies in the original, in small letters: of the `patient`, of `others`, of a `place`."""
        places = {tag for tags, option in OPTION_OF.items() if not self.profile.has(option) for tag in tags}
        words: dict[bytes, str] = {}
        for leaf in source.leaves:
            tag = leaf.path[-1]
            if tag in self._kept:
                continue
            if leaf.vr == "PN":
                about = "patient" if tag >> 16 == _PATIENT else "others"
                parts = [part for part in _PARTS.split(leaf.value) if len(part.strip(b".")) >= _SHORTEST_NAME]
            elif tag in NUMBERS or tag in places:
                about, parts = ("place" if tag in places else "patient"), leaf.value.split(b"\\")
            elif tag == BIRTH_DATE:
                about, parts = "patient", [leaf.value]
            else:
                continue
            for part in parts:
                word = part.strip(b" \0").lower()
                if words.get(word) != "patient":
                    words[word] = about
        makers = b" ".join(leaf.value.lower() for leaf in source.leaves if leaf.path in _MAKERS)
        return {
            word: about
            for word, about in words.items()
            if not _is_small(word) and not (about == "place" and word in makers)
        }

    def _moved(self, source: Read, result: Read) -> Iterator[Finding]:
        """Whether the dates are where the profile wants them: gone, or all moved by one number of days."""
        if self.profile.has(Option.RETAIN_LONG_FULL_DATES):
            return
        moves = self.profile.has(Option.RETAIN_LONG_MODIFIED_DATES)
        old = {(leaf.path, leaf.items): leaf.text for leaf in source.leaves if leaf.vr in ("DA", "DT")}
        days: set[int] = set()
        for leaf in result.leaves:
            text = leaf.text[:8]
            if leaf.vr not in ("DA", "DT") or leaf.path[-1] == BIRTH_DATE or not text or text == _DUMMY_DATE:
                continue
            if not moves:
                yield Finding("date", leaf.path, "is a date, and dates were to be removed")
                continue
            before, after = _day(old.get((leaf.path, leaf.items), "")), _day(text)
            if before is None or after is None:
                continue
            days.add((after - before).days)
            if not self.window.least <= (before - after).days <= self.window.most:
                yield Finding("date", leaf.path, "did not move by days of the window")
        if len(days) > 1:
            yield Finding("date", (), "dates moved by different numbers of days")


def _after_fragments(data: bytes | mmap.mmap, offset: int) -> int:
    """Where encapsulated Pixel Data ends (PS3.5 A.4): behind its fragments and their delimiter."""
    while data[offset : offset + 4] == _FRAGMENT:
        offset += 8 + int.from_bytes(data[offset + 4 : offset + 8], "little")
    return offset + 8


def _mapped(source: Path | BinaryIO) -> mmap.mmap | bytes:
    """The bytes of a file; one that is in memory has no name there (a spooled one: not yet)."""
    with reading(source) as file:
        if getattr(file, "name", None) is None:
            return file.read()
        if not os.fstat(file.fileno()).st_size:
            raise UnreadableHeader("The file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _is_small(word: bytes) -> bool:
    """Too short to mean anybody (names have three letters, numbers four characters), or a word for nobody."""
    if word in _NOBODY or len(set(word)) < 2:
        return True
    return len(word) < (_SHORTEST_NAME if word.isalpha() or not word.isascii() else _SHORTEST)


def _find(data: bytes, word: bytes, since: int) -> int:
    """Where the word stands by itself; the byte after it may be the low one of the next group."""
    at = data.find(word, since)
    while at >= 0:
        end = at + len(word)
        left = at == 0 or not data[at - 1 : at].isalnum()
        if left and (not data[end : end + 1].isalnum() or data[end + 1 : end + 2] == b"\0"):
            return at
        at = data.find(word, at + 1)
    return -1


def _at(result: Read, offset: int) -> Leaf | None:
    number = bisect_right(result.leaves, offset, key=lambda leaf: leaf.offset) - 1
    leaf = result.leaves[number] if number >= 0 else None
    return leaf if leaf and offset < leaf.offset + len(leaf.value) else None


def _is_chance(result: Read, offset: int, word: bytes, about: str) -> bool:
    """Whether these are few digits among numbers, or somebody's name that is also a code."""
    leaf = _at(result, offset)
    if leaf is None:
        return False
    if leaf.path == _SEALED:
        return True  # random bytes
    if about == "others" and leaf.vr == "CS":
        return True
    return word.isdigit() and len(word) < _SHORT_DIGITS and leaf.vr not in TEXT_VR


def _told(result: Read, offset: int, words: str) -> Finding:
    leaf = _at(result, offset)
    return (
        Finding(RESIDUAL, leaf.path, words)
        if leaf
        else Finding(RESIDUAL, (), f"outside the elements: {words}")
    )


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
