"""Where burned-in text lies, by device: rules that tell which boxes of an image to black out.

A rule fits by attributes of the data set, and tells boxes to black out, boxes outside of which everything is,
or the Sequence of Ultrasound Regions in their place (PS3.3 C.8.5.5). One that tells no boxes keeps back what
it fits. Rules are a TOML file::

    version = 1

    [[rule]]
    name = "Ultrasound of room 3, 1024 x 768"
    match = { Modality = "US", ManufacturerModelName = ["iU22", "EPIQ*"], Rows = 768, Columns = 1024 }
    mask = [[0, 0, 1024, 60]]           # left, top, width, height, in pixels from the top left corner

Rules of CTP and of pydicom's deid are read by `region_scripts`. Not here: blacking out (`masking`), text that
no rule knows of (`ocr`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset

from isocenter.dicom.attributes import lookup
from isocenter.errors import BadRequest, NotFound, UnknownAttribute

VERSION = 1
ULTRASOUND = "ultrasound-regions"
WHOLE = 0.98
"""Ultrasound regions that leave less than the rest of this share of the image outside tell nothing."""


class Box(NamedTuple):
    """A rectangle of an image, in pixels from its top left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Mask:
    """What to black out in every frame: the boxes, and what lies outside of `keep` unless that is None."""

    boxes: tuple[Box, ...] = ()
    keep: tuple[Box, ...] | None = None


@dataclass(frozen=True)
class Test:
    """Whether the text of an attribute, its values joined by a backslash, is found by a regular expression.

    Attributes:
        tag: of the attribute, at the top of the data set.
        pattern: searched for; None asks whether the attribute is there at all.
        within: fits when the number is between these, both left out; None where it is no matter of numbers.
    """

    tag: int
    pattern: re.Pattern[str] | None = None
    within: tuple[float, float] | None = None

    def fits(self, dataset: Dataset) -> bool:
        """Whether it is so."""
        if self.pattern is None and self.within is None:
            return self.tag in dataset
        text = text_of(dataset, self.tag)
        if self.within is not None:
            try:
                return self.within[0] < float(text) < self.within[1]
            except ValueError:
                return False
        return self.pattern is not None and self.pattern.search(text) is not None


@dataclass(frozen=True)
class Both:
    """All of them."""

    parts: tuple[Condition, ...]

    def fits(self, dataset: Dataset) -> bool:
        """Whether it is so."""
        return all(part.fits(dataset) for part in self.parts)


@dataclass(frozen=True)
class Either:
    """One of them at least."""

    parts: tuple[Condition, ...]

    def fits(self, dataset: Dataset) -> bool:
        """Whether it is so."""
        return any(part.fits(dataset) for part in self.parts)


@dataclass(frozen=True)
class Not:
    """The contrary."""

    part: Condition

    def fits(self, dataset: Dataset) -> bool:
        """Whether it is so."""
        return not self.part.fits(dataset)


Condition = Test | Both | Either | Not


@dataclass(frozen=True)
class RegionRule:
    """What is blacked out where a condition fits.

    Attributes:
        name: of the device or kind of image.
        condition: which objects it is for.
        mask: what is blacked out; one of no boxes keeps the object back.
        ultrasound: keep nothing but the ultrasound regions of the data set.
    """

    name: str
    condition: Condition
    mask: Mask = Mask()
    ultrasound: bool = False

    def resolve(self, dataset: Dataset) -> Mask | None:
        """The mask for a data set that it fits; None when the object is to be kept back."""
        if not self.ultrasound:
            return self.mask if self.mask.boxes or self.mask.keep is not None else None
        regions = ultrasound_regions(dataset)
        return Mask(self.mask.boxes, regions) if regions else None


def find(rules: Iterable[RegionRule], dataset: Dataset) -> RegionRule | None:
    """The first rule that fits."""
    return next((rule for rule in rules if rule.condition.fits(dataset)), None)


def lies_within(mask: Mask, rows: int, columns: int) -> bool:
    """Whether every box has a part in the image: a rule whose boxes have none was made for another."""
    return all(box.left < columns and box.top < rows for box in (*mask.boxes, *(mask.keep or ())))


def ultrasound_regions(dataset: Dataset) -> tuple[Box, ...]:
    """The ultrasound regions; none when they are not told, wrong, or leave nothing outside.

    A region that begins in the uppermost row may hold the banner with the name, so then too.
    """
    boxes, rows, columns = [], _whole(dataset, "Rows"), _whole(dataset, "Columns")
    for item in dataset.get("SequenceOfUltrasoundRegions", None) or ():
        left, top = _whole(item, "RegionLocationMinX0"), _whole(item, "RegionLocationMinY0")
        right, bottom = _whole(item, "RegionLocationMaxX1"), _whole(item, "RegionLocationMaxY1")
        if not (0 <= left < right < columns and 0 < top < bottom < rows):
            return ()
        boxes.append(Box(left, top, right - left + 1, bottom - top + 1))
    area = sum(box.width * box.height for box in boxes)
    return tuple(boxes) if area < WHOLE * rows * columns else ()


def text_of(dataset: Dataset, tag: int) -> str:
    """The value of an attribute as text; several are joined by a backslash."""
    element = dataset.get(tag)
    if element is None or element.value is None or element.VR in ("SQ", "OB", "OW"):
        return ""
    value = element.value
    if isinstance(value, bytes):
        return value.decode("ascii", "replace").strip("\0 ")
    return "\\".join(map(str, value)) if element.VM > 1 else str(value).strip()


def read_regions(path: Path) -> tuple[RegionRule, ...]:
    """Read a TOML file of rules.

    Raises:
        NotFound: there is none.
        BadRequest: it cannot be understood; the message names the rule.
    """
    try:
        return parse_regions(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFound(f"There is no file of pixel rules {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequest(f"{path} cannot be read as TOML", hint=str(error)) from None


@cache
def own_regions() -> tuple[RegionRule, ...]:
    """The rules that come with Isocenter: those the standard itself gives, none by hearsay of a device."""
    text = resources.files("isocenter.deid").joinpath("regions.toml").read_text(encoding="utf-8")
    return parse_regions(tomllib.loads(text))


def parse_regions(told: dict[str, Any]) -> tuple[RegionRule, ...]:
    """Rules from what TOML says. Raises BadRequest."""
    if told.get("version") != VERSION:
        raise BadRequest(f"The pixel rules say version {told.get('version')!r}", hint=f"version = {VERSION}")
    rules = told.get("rule", [])
    if not isinstance(rules, list) or set(told) - {"version", "rule"}:
        raise BadRequest("Pixel rules are written as [[rule]], and nothing else")
    return tuple(_rule(rule, f"pixel rule {number}") for number, rule in enumerate(rules, 1))


def _rule(told: Any, where: str) -> RegionRule:
    if not isinstance(told, dict) or not isinstance(told.get("match"), dict) or not told["match"]:
        raise BadRequest(f"In {where}: match is missing", hint='match = { Modality = "US" }')
    if unknown := sorted(set(told) - {"name", "match", "mask", "keep"}):
        raise BadRequest(f"In {where}: {unknown[0]!r} is not known", hint="name, match, mask, keep")
    condition = Both(tuple(_match(name, value, where) for name, value in told["match"].items()))
    ultrasound = told.get("keep") == ULTRASOUND
    keep = None if ultrasound or "keep" not in told else _boxes(told["keep"], where)
    return RegionRule(
        str(told.get("name", where)), condition, Mask(_boxes(told.get("mask", []), where), keep), ultrasound
    )


def _match(name: str, value: Any, where: str) -> Test:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, (str, int)) for one in values):
        raise BadRequest(f"In {where}: {name} is compared with texts and whole numbers")
    pattern = "|".join(translate(str(one)) for one in values)
    return Test(tag_of(name, where), re.compile(rf"\A(?:{pattern})", re.IGNORECASE))


def tag_of(name: str, where: str) -> int:
    """The tag of a keyword or of (gggg,eeee), private ones too. Raises BadRequest."""
    if found := re.fullmatch(r"[\[(]?(?:0x)?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})[\])]?", name.strip()):
        return int(found[1] + found[2], 16)
    try:
        return lookup(name.strip()).tag
    except UnknownAttribute as error:
        raise BadRequest(f"In {where}: {error.message}", hint=error.hint) from None


def _boxes(told: Any, where: str) -> tuple[Box, ...]:
    if not isinstance(told, list):
        raise BadRequest(f"In {where}: boxes are [[left, top, width, height]]")
    return tuple(box_of(box, where) for box in told)


def box_of(told: Any, where: str) -> Box:
    """A box from four numbers. Raises BadRequest."""
    if not isinstance(told, (list, tuple)) or [type(number) for number in told] != [int] * 4:
        raise BadRequest(f"In {where}: a box is [left, top, width, height]")
    box = Box(*told)
    if min(box.left, box.top) < 0 or min(box.width, box.height) < 1:
        raise BadRequest(f"In {where}: a box lies in the image and has a size")
    return box


def _whole(dataset: Dataset, keyword: str) -> int:
    try:
        return int(dataset.get(keyword, -1))
    except (TypeError, ValueError):
        return -1
