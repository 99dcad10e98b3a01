"""annotation=patient,technique burned into a picture (PS3.18 8.3.5.1.1): who is shown, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw
from pydicom import Dataset

from isocenter.dicom.rendering import graphics

_TECHNIQUE = (
    ("", "SeriesDescription", ""), ("Slice", "SliceThickness", "mm"), ("", "KVP", "kV"),
    ("", "XRayTubeCurrent", "mA"), ("", "ExposureTime", "ms"), ("TR", "RepetitionTime", "ms"),
    ("TE", "EchoTime", "ms"), ("Kernel", "ConvolutionKernel", ""),
)  # fmt: skip


def burn(picture: Image.Image, data_set: Dataset, number: int, wanted: Sequence[str]) -> None:
    """Write what is `wanted` into the picture on the left: `patient` above, `technique` below."""
    pen = ImageDraw.Draw(picture)
    size = graphics.text_size(picture)
    if "patient" in wanted:
        graphics.write(pen, (size / 2, size / 2), "\n".join(_patient(data_set)), size, "la")
    if "technique" in wanted:
        lines = "\n".join(_technique(data_set, number))
        graphics.write(pen, (size / 2, picture.height - size / 2), lines, size, "ld")


def _patient(data_set: Dataset) -> list[str]:
    name = str(data_set.get("PatientName") or "").partition("=")[0]
    family, _, given = name.partition("^")
    full = ", ".join(part for part in (family.strip(), given.replace("^", " ").strip()) if part)
    born = [_text(data_set, "PatientBirthDate"), _text(data_set, "PatientSex")]
    study = [_text(data_set, "StudyDate"), _text(data_set, "AccessionNumber")]
    lines = [full, _text(data_set, "PatientID"), *(" ".join(filter(None, pair)) for pair in (born, study))]
    return [_shown(line) for line in lines if line]


def _technique(data_set: Dataset, number: int) -> list[str]:
    lines = [" ".join(filter(None, (_text(data_set, "Modality"), _text(data_set, "ManufacturerModelName"))))]
    frames = _text(data_set, "NumberOfFrames")
    places = [("Image", _text(data_set, "InstanceNumber")), ("Frame", str(number) if frames > "1" else "")]
    lines.append("  ".join(f"{word} {value}" for word, value in places if value))
    told = [(label, _text(data_set, keyword), unit) for label, keyword, unit in _TECHNIQUE]
    lines += [" ".join(filter(None, one)) for one in told if one[1]]
    return [_shown(line) for line in lines if line]


def _text(data_set: Dataset, keyword: str) -> str:
    value: Any = data_set.get(keyword)
    return "" if value is None else str(value)[:64].strip()


def _shown(line: str) -> str:
    """What the font can draw: Pillow's own has Latin letters only."""
    return "".join(letter if letter.isprintable() and ord(letter) < 0x250 else "?" for letter in line)
