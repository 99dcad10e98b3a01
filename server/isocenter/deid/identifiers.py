"""New identifiers that follow from the key: UIDs, patient pseudonyms, accession numbers, date offsets.

The same key gives the same identifiers in any run and on any machine, so references between objects stay
whole without a table that runs would have to share. Not here: which elements get them (`actions`).
"""

from __future__ import annotations

import re
import uuid
from functools import lru_cache
from typing import NamedTuple

from isocenter.deid.key import Key, keyed
from isocenter.errors import BadRequest

_REGISTERED = re.compile(r"1\.2\.840\.10008(?:\.\d+)+")
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: none is mistaken for another
_PLACE = re.compile(r"\{id(?::(\d+))?\}")
_KEPT = 65_536
DEFAULT_PATTERN = "{id:12}"
LONGEST = 64


class Patient(NamedTuple):
    """Who a data set is about, as far as its identifiers say.

    A patient is the issuer and the ID (PS3.3 C.2.1); an empty ID never joins two studies.
    """

    issuer: str
    patient_id: str
    study: str

    def parts(self) -> tuple[str, ...]:
        """What makes it one patient."""
        patient_id = self.patient_id.strip(" \0")
        if patient_id:
            return "patient", self.issuer.strip(" \0"), patient_id
        return "study", self.study.strip(" \0")


class Window(NamedTuple):
    """By how many days dates move back: from `least` to `most`, in steps of `step` (7: weekdays stay)."""

    least: int = 1
    most: int = 3650
    step: int = 1

    def days(self, number: int) -> int:
        """The offset, negative, that a uniform 256-bit number chooses.

        Raises:
            BadRequest: no step lies between the bounds.
        """
        first, last = -(-self.least // self.step), self.most // self.step
        if self.step < 1 or self.least < 1 or first > last:
            raise BadRequest(
                f"No offset lies between {self.least} and {self.most} days in steps of {self.step}",
                hint="at least 1 day, and at most more than a step above it",
            )
        return -self.step * (first + number % (last - first + 1))


DEFAULT_WINDOW = Window()


class Identifiers:
    """The identifiers of one project.

    Args:
        key: the project's.
        pattern: of pseudonyms; `{id:12}` stands for twelve letters and digits (5 bits each).
        window: of date offsets.

    Raises:
        BadRequest: the pattern has no `{id}`, or makes identifiers that collide or are too long for a LO.
    """

    def __init__(self, key: Key, *, pattern: str = DEFAULT_PATTERN, window: Window = DEFAULT_WINDOW) -> None:
        self.key = key
        self.pattern = pattern
        self.window = window
        self._uids = key.derive("uid")
        self._patients = key.derive("patient")
        self._accessions = key.derive("accession")
        self._offsets = key.derive("offset")
        self._values = key.derive("value")
        _fill(pattern, bytes(32))
        window.days(0)
        self.uid = lru_cache(_KEPT)(self._uid)
        self.offset = lru_cache(_KEPT)(self._offset)

    def _uid(self, uid: str) -> str:
        """The new UID of an old one; those that the standard registers stay.

        A version 8 UUID (RFC 9562 5.8) of 122 keyed bits below `2.25` (PS3.5 B.2). An empty value stays so.
        """
        old = uid.strip(" \0")
        if not old or _REGISTERED.fullmatch(old):
            return old
        made = bytearray(keyed(self._uids, old)[:16])
        made[6] = 0x80 | made[6] & 0x0F
        made[8] = 0x80 | made[8] & 0x3F
        return f"2.25.{uuid.UUID(bytes=bytes(made)).int}"

    def pseudonym(self, patient: Patient) -> str:
        """The new patient ID."""
        return _fill(self.pattern, keyed(self._patients, *patient.parts()))

    def accession(self, number: str) -> str:
        """The new accession number: sixteen characters (SH), or none for none."""
        old = number.strip(" \0")
        return _letters(keyed(self._accessions, old), 16) if old else ""

    def value(self, name: str, text: str) -> str:
        """What stands for a value that must stay distinguishable: sixteen characters, by attribute."""
        return _letters(keyed(self._values, name, text.strip(" \0")), 16)

    def _offset(self, patient: Patient) -> int:
        """By how many days the dates of this patient move: one number for all of them."""
        return self.window.days(int.from_bytes(keyed(self._offsets, *patient.parts()), "big"))


def _fill(pattern: str, digest: bytes) -> str:
    found = _PLACE.search(pattern)
    if found is None or len(_PLACE.findall(pattern)) > 1:
        raise BadRequest(f"The pattern {pattern!r} needs {{id}} once", hint='such as "SITE1-{id:10}"')
    length = int(found[1] or 12)
    if not 8 <= length <= 32:
        hint = "with fewer than 8 characters two patients become one"
        raise BadRequest(f"{{id:{length}}} is no length of an identifier: 8 to 32", hint=hint)
    made = pattern[: found.start()] + _letters(digest, length) + pattern[found.end() :]
    if len(made) > LONGEST or "\\" in made or not made.isprintable():
        raise BadRequest(f"The pattern {pattern!r} makes no patient ID (LO: 64 characters, no backslash)")
    return made


def _letters(digest: bytes, length: int) -> str:
    number = int.from_bytes(digest, "big")
    return "".join(_LETTERS[number >> 5 * place & 31] for place in range(length))
