"""Person names by their sound: fuzzy semantic matching (PS3.4 C.2.2.2.1.1), which the standard leaves open.

A name is its words, in any order and of any component. A word's sound is its consonants in classes that
languages of Latin script confuse (B P; C G K Q; D T; F V W; S X Z with SCH, SH, TCH, CZ; M N apart; L; R),
doubled ones once; a vowel counts only at the start, all alike; H does not. So Meyer, Maier and Mayr sound the
same, as do Schmidt, Schmitt and Smith, Stephen and Stefan, Yusuf and Jusuf. A word without Latin letters is
its own sound. A word of a key matches a word of a name that sounds the same or begins with it.

Not here: where names are stored (`archive.sounding`). Standard library only.
"""

from __future__ import annotations

import re

from isocenter.dicom.names import fold

_BREAKS = re.compile(r"[\s^=,;.*?'’\\-]+")
_BEGINNINGS = (("kn", "n"), ("gn", "n"), ("pn", "n"), ("ps", "s"), ("wr", "r"), ("wh", "w"), ("x", "s"))
_SPELLINGS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"tsch|tch|sch|cz|sh|zh", "s"),
        (r"ph|pf", "f"),
        (r"(?<=.)gh", ""),
        (r"dt|th", "t"),
        (r"ck|ch|cq", "k"),
        (r"c(?=[eiy])", "s"),
        (r"x", "ks"),
        (r"[hʻ]", ""),
        (r"(?<=.)[jy]|^[jy](?=$)", ""),
    )
)
_CLASSES = str.maketrans("bpcgkqdtfvwszmnlrjy", "PPKKKKTTFFFSSMNLRJJ")
_VOWELS = re.compile("[aeiou]")
_REPEATED = re.compile(r"(.)\1+")


def words_of(name: str) -> list[str]:
    """The words of a PN value or a key, folded (`names.fold`), every group's."""
    return [word for word in _BREAKS.split(fold(name)) if word]


def sound_of(word: str) -> str:
    """How a folded word sounds: letters of consonant classes, `A` for a vowel at its start.

    >>> sound_of("meyer") == sound_of("mayr") == sound_of("maier")
    True
    """
    if not (word.isascii() and word.isalpha()):
        return word
    text = word
    for beginning, instead in _BEGINNINGS:
        if text.startswith(beginning):
            text = instead + text[len(beginning) :]
            break
    for pattern, sound in _SPELLINGS:
        text = pattern.sub(sound, text)
    first = "A" if _VOWELS.match(text) else ""
    code = _VOWELS.sub("", text[:1]) + text[1:]
    code = _REPEATED.sub(r"\1", code.translate(_CLASSES))
    code = _VOWELS.sub("", code)
    return first + code or word
