"""Slices: every frame of a series with where it lies and what its values mean, read from DICOM JSON.

Single-frame images say it in Image Plane and Modality LUT (PS3.3 C.7.6.2, C.11.1), enhanced ones in
functional groups (C.7.6.16), RT Dose by its Grid Frame Offset Vector (C.8.8.3). Not here: how they stack
(`stacking`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isocenter.dicom.attributes import lookup
from isocenter.errors import BadRequest

Module = Mapping[str, Any]
Vector = tuple[float, ...]


@dataclass(frozen=True)
class Stored:
    """How pixels are stored (PS3.3 C.7.6.3).

    Attributes:
        rows, columns: of a frame.
        kind: NumPy type of one value as sent, little endian.
        bits: that are used of it; 0: all.
        shift: bits below them.
    """

    rows: int
    columns: int
    kind: str
    bits: int = 0
    shift: int = 0

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.rows * self.columns * np.dtype(self.kind).itemsize


@dataclass(frozen=True)
class Meaning:
    """What stored values mean: `slope * value + intercept`, or a table; in `units` as DICOM calls them."""

    slope: float = 1.0
    intercept: float = 0.0
    units: str = ""
    table: tuple[float, ...] = ()
    first: int = 0


@dataclass(frozen=True)
class Slice:
    """One frame.

    Attributes:
        uid: of its instance.
        number: Instance Number, 0 when it has none.
        frame: its number in the instance, from 1.
        stored: how its pixels are stored.
        meaning: what they mean.
        position: of the centre of its first pixel, mm (LPS); empty when it says none.
        orientation: direction of its rows and of its columns; empty when it says none.
        spacing: mm between rows and between columns.
        thickness: mm between slices as it says, for a volume of one slice.
        reference: Frame of Reference UID.
        module: the instance, to look further attributes up.
    """

    uid: str
    number: int
    frame: int
    stored: Stored
    meaning: Meaning
    position: Vector = ()
    orientation: Vector = ()
    spacing: Vector = ()
    thickness: float = 0.0
    reference: str = ""
    module: Module = field(default_factory=dict, repr=False)

    def value(self, keyword: str) -> Any:
        """The value of an attribute for this frame: in its functional groups, else in the instance."""
        found = _in_groups(self.module, self.frame, lookup(keyword).tag_text)
        return found[0] if len(found) == 1 else tuple(found) or None


def slices_of(module: Module, values: str = "modality") -> Iterator[Slice]:
    """The frames of an instance.

    Args:
        module: the instance in the DICOM JSON model.
        values: `modality`, `stored` or `real_world`.

    Raises:
        BadRequest: its pixels are none that a volume can have.
    """
    uid = str(one(module, "00080018"))
    stored = _stored(module, uid)
    count = int(one(module, "00280008") or 1)
    offsets = [float(value) for value in every(module, "3004000C")]
    for frame in range(1, count + 1):
        position = _vector(module, frame, "00200032", 3)
        orientation = _vector(module, frame, "00200037", 6)
        if len(offsets) == count and position and orientation:
            along = np.cross(orientation[:3], orientation[3:]) * (offsets[frame - 1] - offsets[0])
            position = tuple(float(p) for p in np.asarray(position) + along)
        elif count > 1 and not _per_frame(module, frame):
            position = ()
        yield Slice(
            uid=uid,
            number=int(one(module, "00200013") or 0),
            frame=frame,
            stored=stored,
            meaning=_meaning(module, frame, values),
            position=position,
            orientation=orientation,
            spacing=_vector(module, frame, "00280030", 2) or _vector(module, frame, "00181164", 2),
            thickness=_thickness(module, frame),
            reference=str(one(module, "00200052") or ""),
            module=module,
        )


def one(item: Module, tag: str) -> Any:
    """The first value of an element; None when it has none."""
    values = every(item, tag)
    return values[0] if values else None


def every(item: Module, tag: str) -> list[Any]:
    """The values of an element."""
    found = item.get(tag)
    return list(found.get("Value") or ()) if isinstance(found, Mapping) else []


def _per_frame(module: Module, frame: int) -> Module:
    groups = every(module, "52009230")
    return groups[frame - 1] if frame <= len(groups) else {}


def _in_groups(module: Module, frame: int, tag: str) -> list[Any]:
    """The values of an element for a frame: per frame, shared, or of the whole instance, in this order."""
    for groups in (_per_frame(module, frame), one(module, "52009229") or {}):
        for group in groups.values():
            for item in group.get("Value") or ():
                if isinstance(item, Mapping) and tag in item:
                    return every(item, tag)
    return every(module, tag)


def _vector(module: Module, frame: int, tag: str, length: int) -> Vector:
    found = [float(value) for value in _in_groups(module, frame, tag) if value is not None]
    return tuple(found) if len(found) == length and all(map(np.isfinite, found)) else ()


def _thickness(module: Module, frame: int) -> float:
    for tag in ("00180088", "00180050"):  # Spacing Between Slices, Slice Thickness
        found = _in_groups(module, frame, tag)
        if found and found[0]:
            return abs(float(found[0]))
    return 0.0


def _stored(module: Module, uid: str) -> Stored:
    rows, columns = int(one(module, "00280010") or 0), int(one(module, "00280011") or 0)
    bits_allocated, samples = int(one(module, "00280100") or 0), int(one(module, "00280002") or 1)
    if not rows or not columns or not bits_allocated:
        hint = "choose a series of images: archive.series.where(Modality='CT')"
        raise BadRequest(f"Instance {uid} has no pixels", hint=hint)
    if samples != 1 or one(module, "00280004") == "PALETTE COLOR":
        raise BadRequest(f"Instance {uid} is a colour image", hint="read it: instance.dataset().pixel_array")
    if "7FE00008" in module or "7FE00009" in module:
        return Stored(rows, columns, "<f4" if "7FE00008" in module else "<f8")
    if bits_allocated not in (8, 16, 32, 64):
        hint = "a segmentation is read by highdicom: highdicom.seg.segread(instance.open())"
        raise BadRequest(f"The pixels of instance {uid} are of {bits_allocated} bit", hint=hint)
    bits = int(one(module, "00280101") or bits_allocated)
    high = int(one(module, "00280102") or bits - 1)
    kind = f"<{'i' if one(module, '00280103') else 'u'}{bits_allocated // 8}"
    return Stored(rows, columns, kind, bits if bits < bits_allocated else 0, max(high + 1 - bits, 0))


def _meaning(module: Module, frame: int, values: str) -> Meaning:
    if values == "stored":
        return Meaning()
    if values == "real_world":
        return _real_world(module, frame)
    if (scaling := one(module, "3004000E")) is not None:  # Dose Grid Scaling
        return Meaning(float(scaling), 0.0, str(one(module, "30040002") or "GY"))
    if table := one(module, "00283000"):  # Modality LUT Sequence
        return _table(table, str(one(table, "00283004") or ""))
    slope, intercept = (_in_groups(module, frame, tag) for tag in ("00281053", "00281052"))
    kind = _in_groups(module, frame, "00281054") or every(module, "00541001")
    units = str(kind[0] if kind else "")
    if not units and slope and one(module, "00080060") == "CT":
        units = "HU"  # PS3.3 C.8.2.1.1.5: what Rescale Type is when a CT image does not say it
    return Meaning(
        float(slope[0]) if slope else 1.0, float(intercept[0]) if intercept else 0.0, _plain(units)
    )


def _real_world(module: Module, frame: int) -> Meaning:
    """The first Real World Value Mapping (PS3.3 C.7.6.16.2.11)."""
    tag = "00409096"
    found = every(_per_frame(module, frame), tag) or every(one(module, "52009229") or {}, tag)
    item = next(iter(found or every(module, tag)), None)
    if item is None:
        hint = "leave out values='real_world'"
        raise BadRequest("The images say no real world values", hint=hint)
    units = str(one(one(item, "004008EA") or {}, "00080100") or "")
    if table := every(item, "00409212"):
        return Meaning(units=units, table=tuple(map(float, table)), first=int(one(item, "00409216") or 0))
    if (slope := one(item, "00409225")) is None:
        raise BadRequest("The table of real world values is not to be had", hint="volume(values='stored')")
    return Meaning(float(slope), float(one(item, "00409224") or 0.0), units)


def _table(item: Module, units: str) -> Meaning:
    """A modality look-up table; its descriptor says how many entries and the first value mapped."""
    descriptor = every(item, "00283002")
    data = every(item, "00283006")
    if len(descriptor) != 3 or not data:
        raise BadRequest("The modality look-up table is not to be had", hint="volume(values='stored')")
    return Meaning(units=_plain(units), table=tuple(map(float, data)), first=int(descriptor[1]))


def _plain(units: str) -> str:
    return "" if units in ("US", "NONE") else units  # unspecified
