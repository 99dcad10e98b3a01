"""How slices stack: which belong together, in which order, and whether they are evenly spaced.

Slices are ordered along the normal of their plane (rows x columns). A stack is regular when each slice lies
within a tenth of the slice spacing of where the affine puts it, and no place has two. Units are mm, LPS.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from isocenter.client.slices import Slice
from isocenter.errors import BadRequest

Irregular = Literal["error", "keep", "largest"]

_SAME_PLACE = 0.01
_SAME_DIRECTION = 1e-3
_WITHIN = 0.1
_TILT = 0.5
# What may tell volumes of one series apart, the most telling first.
_TELLING = (
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "DiffusionBValue",
    "EchoTime",
    "EffectiveEchoTime",
    "EchoNumbers",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "NominalPercentageOfCardiacPhase",
    "InversionTime",
    "StackID",
    "ComplexImageComponent",
    "ImageType",
    "FrameType",
    "AcquisitionNumber",
    "PhaseNumber",
    "TimeSliceVector",
    "FrameReferenceTime",
    "AcquisitionDateTime",
    "AcquisitionTime",
    "ContentTime",
    "TemporalPositionTimeOffset",
)


@dataclass(frozen=True)
class Stack:
    """Slices in order, and the affine that places them.

    Attributes:
        slices: along the normal of their plane.
        affine: 4x4: (slice, row, column, 1) to (x, y, z, 1) in mm, LPS.
        problems: what is irregular, in words.
    """

    slices: tuple[Slice, ...]
    affine: np.ndarray[Any, Any] = field(repr=False)
    problems: tuple[str, ...] = ()


def stack(slices: Sequence[Slice], irregular: Irregular = "error") -> Stack:
    """One stack of slices.

    Args:
        slices: of one series.
        irregular: what to do when they are no even stack: `error`; `keep` the slices, at even distances (the
            affine is then a mean); `largest`: take the largest even stack among them.

    Raises:
        BadRequest: they are none, saying why and what can be done.
    """
    if irregular not in ("error", "keep", "largest"):
        raise BadRequest(f"There is no way {irregular!r}", hint="irregular='error', 'keep' or 'largest'")
    left_out: list[str] = []
    chosen = _one_plane(_placed(slices), irregular, left_out)
    chosen = _one_a_place(_sorted(chosen), irregular, left_out)
    if irregular == "largest":
        chosen = _longest_even(chosen, left_out)
    found = Stack(tuple(chosen), affine_of(chosen), (*left_out, *_unevenness(chosen)))
    if irregular != "keep" and (uneven := _unevenness(chosen)):
        tilted = "tilt" in uneven[0]
        hint = "volume(irregular='keep') has it in the affine" if tilted else _WAYS
        raise BadRequest(f"The slices are no even stack: {'; '.join(uneven)}", hint=hint)
    return found


_WAYS = "volume(irregular='largest') takes the largest even part, 'keep' all at a mean spacing"


def affine_of(slices: Sequence[Slice]) -> np.ndarray[Any, Any]:
    """The affine of slices in order: (slice, row, column, 1) to (x, y, z, 1) in mm, LPS."""
    first, last = slices[0], slices[-1]
    along_row, along_column = (np.asarray(part) for part in (first.orientation[:3], first.orientation[3:]))
    origin = np.asarray(first.position)
    if len(slices) > 1:
        step = (np.asarray(last.position) - origin) / (len(slices) - 1)
    else:
        step = normal_of(first) * (first.thickness or 1.0)
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = along_column * first.spacing[0]  # the next row is one down a column
    affine[:3, 2] = along_row * first.spacing[1]
    affine[:3, 3] = origin
    return affine


def normal_of(one: Slice) -> np.ndarray[Any, Any]:
    """The unit vector on which slices are ordered: rows x columns."""
    across = np.cross(one.orientation[:3], one.orientation[3:])
    made: np.ndarray[Any, Any] = across / np.linalg.norm(across)
    return made


def _placed(slices: Sequence[Slice]) -> list[Slice]:
    found = [one for one in slices if one.position and one.orientation and one.spacing]
    if not found:
        hint = "read its pixels: instance.dataset().pixel_array"
        raise BadRequest("The images do not say where they lie in the patient", hint=hint)
    for one in found:
        rows, columns = np.asarray(one.orientation[:3]), np.asarray(one.orientation[3:])
        unit = abs(np.linalg.norm(rows) - 1) < 0.01 and abs(np.linalg.norm(columns) - 1) < 0.01
        if not unit or abs(rows @ columns) > 0.01 or min(one.spacing) <= 0:
            hint = "its Image Orientation or Pixel Spacing is wrong: read its pixels by instance.dataset()"
            raise BadRequest(f"Instance {one.uid} has no valid place in space", hint=hint)
    return found


def _one_plane(slices: list[Slice], irregular: Irregular, left_out: list[str]) -> list[Slice]:
    """The slices of one size, spacing and direction."""
    groups: list[list[Slice]] = []
    for one in slices:
        group = next((group for group in groups if _alike(group[0], one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    groups.sort(key=len, reverse=True)
    if len(groups) > 1:
        told = f"{_difference(groups)}: {' and '.join(str(len(group)) for group in groups)} slices"
        if irregular != "largest":
            hint = "volume(irregular='largest') takes the largest group, such as all but a localizer"
            raise BadRequest(f"The series mixes {told}", hint=hint)
        left_out.append(f"{told}; the {len(groups[0])} are taken")
    return groups[0]


def _alike(one: Slice, other: Slice) -> bool:
    return (
        (one.stored.rows, one.stored.columns) == (other.stored.rows, other.stored.columns)
        and one.reference == other.reference
        and np.allclose(one.orientation, other.orientation, rtol=0, atol=_SAME_DIRECTION)
        and np.allclose(one.spacing, other.spacing, rtol=1e-3, atol=0)
    )


def _difference(groups: list[list[Slice]]) -> str:
    one, other = groups[0][0], groups[1][0]
    if not np.allclose(one.orientation, other.orientation, rtol=0, atol=_SAME_DIRECTION):
        return "orientations"
    if (one.stored.rows, one.stored.columns) != (other.stored.rows, other.stored.columns):
        return "image sizes"
    return "pixel spacings" if one.reference == other.reference else "frames of reference"


def _sorted(slices: list[Slice]) -> list[Slice]:
    along = normal_of(slices[0])
    return sorted(slices, key=lambda one: (_place(one, along), one.number, one.frame))


def _place(one: Slice, along: np.ndarray[Any, Any]) -> float:
    """Where it lies along the normal, to a hundredth of a millimetre, so that equals stay together."""
    return round(float(np.dot(one.position, along)) / _SAME_PLACE) * _SAME_PLACE


def _one_a_place(slices: list[Slice], irregular: Irregular, left_out: list[str]) -> list[Slice]:
    """One slice a place; an error when there are several volumes, or with `error` a doubled slice."""
    along = normal_of(slices[0])
    places: list[list[Slice]] = []
    for one in slices:
        if places and abs(np.dot(one.position, along) - np.dot(places[-1][0].position, along)) < _SAME_PLACE:
            places[-1].append(one)
        else:
            places.append([one])
    counts = {len(place) for place in places}
    if counts == {1}:
        return slices
    if len(counts) == 1 and (telling := _telling(places)):
        name, values = telling
        shown = ", ".join(str(value) for value in values[:6]) + (", …" if len(values) > 6 else "")
        hint = f"choose one: volume({name}={values[0]!r}); there are {shown}"
        told = f"The series is of {len(values)} volumes, told apart by {name}"
        raise BadRequest(told, hint=hint, detail={name: list(values)})
    doubled = [place for place in places if len(place) > 1]
    first = " and ".join(str(one.number) for one in doubled[0][:3])
    count = f"{len(doubled)} place{'s' if len(doubled) > 1 else ''}"
    told = f"several slices at {count}, the first instances number {first}"
    if irregular == "error":
        hint = (
            f"{_choices(doubled[0])}volume(irregular='largest') takes the one of lowest number at each place"
        )
        raise BadRequest(f"The slices are no even stack: {told}", hint=hint)
    left_out.append(f"{told}; the one of lowest number is taken")
    return [place[0] for place in places]


def _telling(places: list[list[Slice]]) -> tuple[str, list[Any]] | None:
    """The attribute that has the same set of distinct values at each place, and these values."""
    for name in _TELLING:
        sets = [[one.value(name) for one in place] for place in places]
        distinct = {value for value in sets[0] if value is not None}
        if len(distinct) == len(sets[0]) and all(set(values) == distinct for values in sets):
            return name, sorted(distinct, key=lambda value: (str(type(value)), value))
    return None


def _choices(place: list[Slice]) -> str:
    """What slices at one place differ in, as a hint; empty when nothing is known."""
    for name in _TELLING:
        values = {one.value(name) for one in place}
        if len(values) > 1 and None not in values:
            told = sorted(values, key=lambda value: (str(type(value)), value))
            shown = ", ".join(map(str, told[:6]))
            return f"choose by volume({name}={told[0]!r}), there are {shown}; or "
    return ""


def choose(slices: Sequence[Slice], chosen: dict[str, Any]) -> list[Slice]:
    """The slices whose attributes have these values.

    Raises:
        BadRequest: none has; the values that there are are told.
    """
    left = list(slices)
    for name, wanted in chosen.items():
        found = [one for one in left if _same(one.value(name), wanted)]
        if not found:
            by_value: dict[str, int] = defaultdict(int)
            for one in left:
                by_value[str(one.value(name))] += 1
            there = ", ".join(f"{value} ({count})" for value, count in list(by_value.items())[:10])
            raise BadRequest(f"No slice has {name} {wanted!r}", hint=f"there are {there}")
        left = found
    return left


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, (int, float)) and isinstance(wanted, (int, float)):
        return bool(np.isclose(value, wanted, rtol=1e-6, atol=1e-9))
    if isinstance(value, tuple) and isinstance(wanted, (list, tuple)):
        return list(value) == list(wanted)
    return str(value) == str(wanted)


def _unevenness(slices: Sequence[Slice]) -> list[str]:
    """What is uneven in slices of distinct places, in order; nothing for less than two."""
    if len(slices) < 2:
        return []
    positions = np.asarray([one.position for one in slices])
    along = normal_of(slices[0])
    places = positions @ along
    gaps = np.diff(places)
    usual = float(np.median(gaps))
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    fitted = positions[0] + np.arange(len(slices))[:, None] * step
    off = np.linalg.norm(positions - fitted, axis=1)
    told = []
    if off.max() > _WITHIN * usual:
        told.append(_gap(slices, gaps, usual))
    tilt = float(np.degrees(np.arccos(np.clip(step @ along / np.linalg.norm(step), -1, 1))))
    shift = float(np.linalg.norm(step - (step @ along) * along)) * (len(slices) - 1)
    if not told and tilt > _TILT and shift > min(slices[0].spacing) / 2:
        told.append(f"they are shifted sideways, a gantry tilt of {tilt:.1f} degrees")
    return told


def _gap(slices: Sequence[Slice], gaps: np.ndarray[Any, Any], usual: float) -> str:
    wide = np.flatnonzero(gaps > 1.5 * usual)
    if len(wide):
        at = int(wide[0])
        more = f", and {len(wide) - 1} more gaps" if len(wide) > 1 else ""
        between = f"instances number {slices[at].number} and {slices[at + 1].number}"
        return f"{gaps[at]:.4g} mm between {between}, {usual:.4g} mm elsewhere{more}"
    return f"their distances are {gaps.min():.4g} to {gaps.max():.4g} mm"


def _longest_even(slices: list[Slice], left_out: list[str]) -> list[Slice]:
    """The longest run of slices at the usual distance."""
    if len(slices) < 3 or not _unevenness(slices):
        return slices
    places = np.asarray([one.position for one in slices]) @ normal_of(slices[0])
    best, start = (0, 1), 0
    while start < len(slices) - 1:
        stop = start + 2
        while stop < len(slices) and not _gap_after(places, start, stop):
            stop += 1
        if stop - start > best[1] - best[0]:
            best = (start, stop)
        start = max(stop - 1, start + 1)
    chosen = slices[best[0] : best[1]]
    left_out.append(f"{len(slices) - len(chosen)} slices beyond a change of spacing are left out")
    return chosen


def _gap_after(places: np.ndarray[Any, Any], start: int, stop: int) -> bool:
    step = (places[stop - 1] - places[start]) / (stop - 1 - start)
    return bool(abs(places[stop] - places[stop - 1] - step) > _WITHIN * step)
