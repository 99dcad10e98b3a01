"""Which stored person names sound like a key: PS3.4 C.2.2.2.1.1, over the names that the index has.

The distinct names of an attribute and the sounds of their words are kept in memory and brought up to date by
what changed since; names that are gone stay, and match nothing. A key so becomes a list of names, which index
and catalog match like any other. Not here: how words sound (`dicom.phonetic`).
"""

from __future__ import annotations

import threading
from collections import defaultdict

from isocenter.dicom.attributes import INDEX, lookup
from isocenter.dicom.levels import Level
from isocenter.dicom.phonetic import sound_of, words_of
from isocenter.dicom.predicate import Path
from isocenter.index import Index

SOUNDING: frozenset[str] = frozenset(
    name
    for level in (Level.PATIENT, Level.STUDY, Level.SERIES)
    for name in INDEX[level]
    if "." not in name and lookup(name).vr == "PN"
)
"""The attributes whose names are matched by sound."""

_MOST = 2000


class _Known:
    """The names of one attribute."""

    def __init__(self) -> None:
        self.seq = 0
        self.resets = -1
        self.names_of_word: dict[str, set[str]] = defaultdict(set)
        self.words_of_sound: dict[str, set[str]] = defaultdict(set)

    def add(self, name: str) -> None:
        for word in words_of(name):
            names = self.names_of_word[word]
            if not names:
                self.words_of_sound[sound_of(word)].add(word)
            names.add(name)

    def like(self, word: str) -> set[str]:
        """The names that have a word like this one."""
        words = set(self.words_of_sound.get(sound_of(word), ()))
        words.update(one for one in self.names_of_word if one.startswith(word))
        return {name for one in words for name in self.names_of_word[one]}


class Sounding:
    """Finds names by sound in one index. Safe for threads; may read the index, so call it in one."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._mutex = threading.Lock()
        self._known: dict[str, _Known] = {}

    def like(self, path: Path, key: str) -> tuple[str, ...]:
        """The stored names that sound like `key`; none for attributes beyond `SOUNDING`.

        None either when they are too many to be listed: such a key says too little to be matched by sound.
        """
        keyword = ".".join(path)
        words = words_of(key)
        if keyword not in SOUNDING or not words:
            return ()
        with self._mutex:
            known = self._current(keyword)
            found = set.intersection(*(known.like(word) for word in words))
        return tuple(sorted(found)) if len(found) <= _MOST else ()

    def _current(self, keyword: str) -> _Known:
        known = self._known.setdefault(keyword, _Known())
        told = self._index.reader.names(keyword, known.seq)
        if told.resets != known.resets and known.resets >= 0:
            self._known[keyword] = known = _Known()  # rows came back that are older than what was read
            told = self._index.reader.names(keyword, 0)
        for text in told.found:
            for name in text.split("\\"):
                known.add(name.strip(" \0"))
        known.seq, known.resets = told.seq, told.resets
        return known
