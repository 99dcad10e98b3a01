"""Which objects of a run show a face, and what is cut away of each: looked at before a file is written.

A face is found in a whole volume, so the files of a series are read together first, coarsely. What comes of
it is a few numbers a volume (`defacing.Cut`), or the reason why the volume is kept back; both go to every
worker. Volumes that may be of a head are judged, and whatever shares a series with one; nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from isocenter.deid import heads, stacks
from isocenter.deid.defacing import Cut, check, plan
from isocenter.deid.masking import CannotMask, Cover, Cutting
from isocenter.deid.part10 import opened
from isocenter.deid.pixels import is_head, is_volume, may_be_head, text_of
from isocenter.deid.stacks import File, NoVolume, Placed, Slice
from isocenter.dicom.pixels import Image
from isocenter.errors import IsocenterError

Faces = Mapping[str, Cut | str]
"""By SOP Instance UID: what is cut away, or why the object is kept back."""
ALONE = "a face can be made from it: faces are cut away of whole series, in a folder"
_TWICE = "a face can be made from it: its SOP Instance UID is that of another object too"


@dataclass(frozen=True)
class _Seen:
    """A volume's file: where its frames are, or why that is not known."""

    slices: tuple[Slice, ...]
    reason: str
    series: tuple[str, str]
    head: bool
    ct: bool


def find_faces(paths: Iterable[File]) -> dict[str, Cut | str]:
    """Judge the volumes among files.

    Args:
        paths: all files of a run, in any order; what cannot be read is passed over.
    """
    series: dict[tuple[str, str], dict[str, _Seen]] = defaultdict(dict)
    home: dict[str, tuple[str, str]] = {}
    twice: set[str] = set()
    for path in paths:
        for uid, seen in _look(path):
            known = series[seen.series].setdefault(uid, seen)
            same = [each[2:] for each in known.slices] == [each[2:] for each in seen.slices]
            if not same or home.setdefault(uid, seen.series) != seen.series:
                twice.add(uid)
    judged: dict[str, Cut | str] = {}
    for objects in series.values():
        if any(seen.head for seen in objects.values()):
            judged |= _judge(objects)
    return judged | dict.fromkeys(twice & judged.keys(), _TWICE)


def cutting(cut: Cut, dataset: Dataset) -> Cutting | None:
    """What is cut away of each frame of an object; None where nothing is."""
    places = stacks.placed(dataset)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if not any(cut.area(placed, rows, columns).any() for placed in places):
        return None

    def of(number: int, image: Image) -> Cover:
        if number > len(places):
            raise CannotMask("Nothing tells where a frame is")
        return _cover(cut, places[number - 1], image)

    return of


def shows_outline(dataset: Dataset) -> bool:
    """Whether it is a structure set that holds the outline of a body, which may have a face."""
    observed = dataset.get("RTROIObservationsSequence", None) or ()
    return any(text_of(one, "RTROIInterpretedType") == "EXTERNAL" for one in observed) and may_be_head(
        dataset
    )


def _cover(cut: Cut, placed: Placed, image: Image) -> Cover:
    return Cover(cut.area(placed, image.rows, image.columns), cut.stored(placed, image))


def _look(path: File) -> Iterable[tuple[str, _Seen]]:
    """The volume in a file, if it is one."""
    try:
        with opened(path) as file:
            dataset = file.dataset
            uid = str(dataset.get("SOPInstanceUID", ""))
            if file.pixels is None or not uid or not is_volume(dataset):
                return
            yield uid, _seen(path, uid, dataset)
    except Exception:  # noqa: BLE001 (told when its turn comes to be written)
        return


def _seen(path: File, uid: str, dataset: Dataset) -> _Seen:
    slices: tuple[Slice, ...] = ()
    reason = ""
    try:
        shape = (int(dataset.Rows), int(dataset.Columns))
        places = stacks.placed(dataset)
        slices = tuple(Slice(path, uid, number, shape, place) for number, place in enumerate(places, start=1))
    except NoVolume as error:
        reason = error.message
    except (AttributeError, TypeError, ValueError):
        reason = "nothing tells where its frames are"
    series = (str(dataset.get("StudyInstanceUID", "")), str(dataset.get("SeriesInstanceUID", "")))
    return _Seen(slices, reason, series, is_head(dataset), text_of(dataset, "Modality") == "CT")


def _judge(objects: Mapping[str, _Seen]) -> dict[str, Cut | str]:
    """All objects of a series."""
    judged: dict[str, Cut | str] = {
        uid: _kept(seen.reason) for uid, seen in objects.items() if not seen.slices
    }
    ct = all(seen.ct for seen in objects.values())
    for slices in stacks.apart(each for seen in objects.values() for each in seen.slices):
        told = _cut(slices, ct=ct)
        for uid in {each.uid for each in slices}:
            if uid in judged and judged[uid] != told:
                told = _kept("its frames have several orientations")
            judged[uid] = told
    return judged


def _cut(slices: list[Slice], *, ct: bool) -> Cut | str:
    """What is cut away of slices of one orientation, once it is sure that this takes their face."""
    try:
        stack = stacks.stacked(slices)
        head = heads.find(stacks.read_coarse(stack), ct=ct)
        cut = plan(head)

        def changed(one: Slice, array: NDArray[Any], image: Image) -> NDArray[Any]:
            cover = _cover(cut, one.placed, image)
            return np.where(cover.area, array.dtype.type(cover.value), array)

        check(head, cut, stacks.read_coarse(stack, changed))
        return cut
    except NoVolume as error:
        return _kept(error.message)
    except IsocenterError:
        return _kept("its pixels cannot be read")
    except Exception as error:  # noqa: BLE001 (whatever broken pixels make of a method: kept back)
        return _kept(f"it cannot be processed: {type(error).__name__}")


def _kept(reason: str) -> str:
    return f"a face can be made from it, and {reason}"
