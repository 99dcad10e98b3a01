"""How much a header may ask of its reader, so that no object can exhaust time or memory."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.errors import UnreadableObject


class UnreadableHeader(UnreadableObject):
    """The header is not DICOM, is broken beyond use, or passes a limit."""

    code = "unreadable-header"


@dataclass(frozen=True)
class Limits:
    """Bounds of one header; beyond them it is `UnreadableHeader`.

    Attributes:
        depth: sequences within sequences.
        elements: data elements at all depths (small sequences count as if full).
        header: bytes kept of a header, large values not counted.
        inflate_ratio: inflated bytes for each deflated byte, after the first `inflate_free`.
        inflate_free: inflated bytes that need no ratio.
    """

    depth: int = 64
    elements: int = 8_000_000
    header: int = 512 * 1024 * 1024
    inflate_ratio: int = 200
    inflate_free: int = 64 * 1024 * 1024


DEFAULT = Limits()
