"""Data elements written byte by byte, right or wrong, and the real files that are installed."""

from __future__ import annotations

import re
import struct
from importlib.util import find_spec
from pathlib import Path

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"

SHORT = set(re.findall("..", "AEASATCSDADSDTFLFDISLOLTPNSHSLSSSTTMUIULUS"))


def explicit(tag: int, vr: str, value: bytes = b"", length: int | None = None, order: str = "<") -> bytes:
    """One element with its VR; `length` may lie."""
    length = len(value) if length is None else length
    head = struct.pack(f"{order}HH2s", tag >> 16, tag & 0xFFFF, vr.encode("latin-1"))
    form = f"{order}H" if vr in SHORT else f"{order}xxI"
    return head + struct.pack(form, length) + value


def implicit(tag: int, value: bytes = b"", length: int | None = None) -> bytes:
    """One element without VR, and any item."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(value: bytes, length: int | None = None) -> bytes:
    """An item of known length, or of the length given."""
    return implicit(ITEM, value, length)


def open_item(value: bytes) -> bytes:
    """An item of undefined length."""
    return implicit(ITEM, value, UNDEFINED) + implicit(ITEM_END)


def sequence(tag: int, *items: bytes) -> bytes:
    """A sequence of undefined length, with VR."""
    return explicit(tag, "SQ", b"".join(items), UNDEFINED) + implicit(SEQUENCE_END)


def known_sequence(tag: int, *items: bytes) -> bytes:
    """A sequence of known length, with VR."""
    return explicit(tag, "SQ", b"".join(items))


def part10(data_set: bytes, transfer_syntax: str = EXPLICIT_LITTLE) -> bytes:
    """A file with preamble and as little File Meta Information as may be."""
    uid = transfer_syntax.encode()
    meta = explicit(0x00020010, "UI", uid + b"\0" * (len(uid) % 2))
    return bytes(128) + b"DICM" + explicit(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + data_set


def fragments(*values: bytes, table: bytes = b"") -> bytes:
    """Encapsulated Pixel Data: offset table, fragments and delimiter."""
    items = b"".join(item(value) for value in values)
    return explicit(0x7FE00010, "OB", item(table) + items, UNDEFINED) + implicit(SEQUENCE_END)


def real_files() -> list[Path]:
    """The files of pydicom and pydicom-data, without asking the network for more."""
    found = []
    for package, folder in (
        ("pydicom", "data/test_files"),
        ("pydicom", "data/charset_files"),
        ("data_store", "data"),
    ):
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            root = Path(next(iter(spec.submodule_search_locations))) / folder
            found += [path for path in sorted(root.rglob("*")) if path.is_file()]
    return found
