"""Whether a result is the one that is there already: byte by byte, save what is sealed anew each time.

Not here: whether what was sealed is the same, which only its holders can tell.
"""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Sequence
from pathlib import Path

from isocenter.deid.encrypted import is_sealed_for
from isocenter.dicom.header import Element, read_header

_ENCRYPTED, _CONTENT = 0x04000500, 0x04000520


def is_same(one: Path, other: Path, certificates: Sequence[bytes] = ()) -> bool:
    """Whether two results say the same.

    Args:
        one: a result.
        other: another of the same SOP Instance UID.
        certificates: for whom originals are sealed in them: sealed content differs each time, so that it is
            compared by its length and by whom it is for. Deflated results are compared byte by byte alone.
    """
    if filecmp.cmp(one, other, shallow=False):
        return True
    if not certificates or one.stat().st_size != other.stat().st_size:
        return False
    bare = [_without_sealed(path.read_bytes(), certificates) for path in (one, other)]
    return bare[0] is not None and bare[0] == bare[1]


def _without_sealed(data: bytes, certificates: Sequence[bytes]) -> bytearray | None:
    """The file with zeros for what is sealed; None where nothing is, or for others."""
    header = read_header(data)
    if header.deflated:
        return None
    made, found = bytearray(data), False
    for element in _sealed(header.tree()):
        end = element.offset + element.length
        if not is_sealed_for(data[element.offset : end], certificates):
            return None
        made[element.offset : end], found = bytes(element.length), True
    return made if found else None


def _sealed(tree: list[Element]) -> Iterator[Element]:
    for element in tree:
        if element.tag == _ENCRYPTED and element.items is not None:
            yield from (inner for item in element.items for inner in item if inner.tag == _CONTENT)
