"""Parting an arriving Part 10 file into what we keep, the data set, and what we write anew (PS3.10 7.1).

Senders' preambles and file meta are not kept: a preamble may hold a program, and the meta group is often
wrong about the data set behind it. Of the meta only the transfer syntax is believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.dicom._meta import look, read_meta
from isocenter.dicom.uids import is_valid_uid
from isocenter.errors import UnreadableObject

_LARGEST_META = 1024 * 1024
_SHORTEST = 132 + 8


@dataclass(frozen=True)
class Prelude:
    """What stood before the data set: its transfer syntax, and the UIDs that the meta group claims."""

    transfer_syntax: str
    sop_class: str | None
    sop_instance: str | None


class Parting:
    """Takes the beginning of a Part 10 file, or of a bare data set, until the data set begins."""

    def __init__(self) -> None:
        self.prelude: Prelude | None = None
        self._held = b""

    def take(self, pieces: list[bytes], *, last: bool = False) -> list[bytes]:
        """The part of `pieces` that is data set; the rest is held back until enough of it came.

        Args:
            pieces: what came now.
            last: whether nothing more comes.

        Raises:
            UnreadableObject: this is no DICOM object.
        """
        if self.prelude is not None:
            return pieces
        self._held = b"".join((self._held, *pieces))
        held = self._held
        if len(held) < _SHORTEST and not last:
            return []
        meta, at, whole = read_meta(held)
        if (len(held) < at + 8 or not whole) and not last:
            if len(held) > _LARGEST_META:
                raise UnreadableObject("The file meta information does not end")
            return []
        syntax = meta.get("TransferSyntaxUID") or look(held, at)
        if not syntax:
            raise UnreadableObject("This is no DICOM object", hint="neither a Part 10 file nor a data set")
        if not is_valid_uid(syntax):  # it is sent in headers of answers, and nobody could decode it
            raise UnreadableObject("The transfer syntax in the file meta information is no UID")
        claimed = (meta.get("MediaStorageSOPClassUID"), meta.get("MediaStorageSOPInstanceUID"))
        self.prelude = Prelude(syntax, *claimed)
        self._held = b""
        return [held[at:]]
