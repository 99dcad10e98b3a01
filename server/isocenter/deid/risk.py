"""Whether the pixels of an object may leave: the protocol, and a careful judge of attributes alone.

A judge clears or gives a reason. What nobody cleared is quarantined, or leaves by policy without Patient
Identity Removed being YES (PS3.15 E.1). Not here: finding text in pixels, masking it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pydicom.dataset import Dataset

from isocenter.dicom import uids


class Verdict(NamedTuple):
    """What a judge says of an object's pixels; `reason` carries nothing of its values."""

    cleared: bool
    reason: str = ""


class Judge(Protocol):
    """Judges pixels by the data set as it was, Pixel Data left out."""

    def judge(self, dataset: Dataset) -> Verdict:
        """Whether they may leave."""
        ...


_MODALITIES = {
    "US": "ultrasound devices write names into the picture",
    "IVUS": "ultrasound devices write names into the picture",
    "XC": "it is a photograph",
    "GM": "it is a photograph or video",
    "ES": "endoscopes write names into the picture",
    "DOC": "it is a document",
    "OT": "nothing tells what it shows",
    "HC": "it is a hard copy",
    "DG": "it is a digitised film",
    "ECG": "it may be a picture of a report",
    "SC": "it is a secondary capture",
}
_CLASSES = {
    "SecondaryCapture": "it is a secondary capture",
    "Encapsulated": "it holds a document",
    "Ultrasound": "ultrasound devices write names into the picture",
    "Hardcopy": "it is a hard copy",
    "VLEndoscopic": "endoscopes write names into the picture",
    "VLPhotographic": "it is a photograph",
    "VideoPhotographic": "it is a photograph or video",
    "VideoEndoscopic": "endoscopes write names into the picture",
    "VideoMicroscopic": "it is a photograph or video",
    "VLWholeSlide": "slides bear labels",
}
_TYPES = ("SCREEN SAVE", "DOSE", "SCREENSHOT", "CAPTURE", "LABEL", "OVERVIEW", "DOSE_INFO", "REPORT")
HEADS = frozenset({"HEAD", "BRAIN", "SKULL", "FACE", "HEADNECK", "NECK", "ORBIT", "SINUS", "JAW"})


class Attributes:
    """Judges by attributes, and clears only what nothing speaks against.

    Args:
        trust_burned_in: believe Burned In Annotation NO where modality or class are risky.
        faces: also keep back volumes of the head, from which a face can be made.
    """

    def __init__(self, *, trust_burned_in: bool = True, faces: bool = False) -> None:
        self.trust_burned_in = trust_burned_in
        self.faces = faces

    def judge(self, dataset: Dataset) -> Verdict:
        """See `Judge`."""
        burned_in = _text(dataset, "BurnedInAnnotation")
        if burned_in == "YES":
            return Verdict(False, "Burned In Annotation is YES")
        if _overlay_in_pixels(dataset):
            return Verdict(False, "an overlay lies in the unused bits of the pixels")
        if self.faces and is_head(dataset):
            return Verdict(False, "a face can be made from it")
        reason = _risky(dataset)
        if not reason or (burned_in == "NO" and self.trust_burned_in):
            return Verdict(True)
        return Verdict(False, reason)


def is_head(dataset: Dataset) -> bool:
    """Whether it is a slice or volume of a head, as far as the attributes tell."""
    part = _text(dataset, "BodyPartExamined").replace(" ", "")
    return _text(dataset, "Modality") in ("CT", "MR", "PT") and any(head in part for head in HEADS)


def _risky(dataset: Dataset) -> str:
    keyword = uids.keyword_of(str(dataset.get("SOPClassUID", "")))
    for word, reason in _CLASSES.items():
        if word in keyword:
            return reason
    modality = _text(dataset, "Modality")
    if modality in _MODALITIES:
        return _MODALITIES[modality]
    if not modality:
        return "no modality is told"
    kind = _text(dataset, "ImageType")
    found = next((word for word in _TYPES if word in kind), "")
    return f"its Image Type says {found}" if found else ""


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword, "")
    several = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return "\\".join(str(one or "") for one in several).strip().upper()


def _overlay_in_pixels(dataset: Dataset) -> bool:
    """An overlay of ACR-NEMA kind: described in group 60xx, its bits in Pixel Data (PS3.5 8.1.2)."""
    groups = {tag.group for tag in dataset.keys() if tag >> 24 == 0x60}  # noqa: SIM118
    return any(
        (group << 16 | 0x0010) in dataset and (group << 16 | 0x3000) not in dataset for group in groups
    )
