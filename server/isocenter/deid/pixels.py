"""Whether the pixels of an object may show who the patient is, and what is done about it.

Judged by attributes: what kind of image it is, how it came to be, what its device says. What is risky is
cleared only by a rule that knows where its text lies (`regions`), under Clean Pixel Data, or is kept back.
Burned In Annotation YES is believed, NO only if asked: devices write it without looking.

Not here: looking at pixels (`ocr`), blacking out (`masking`), faces taken away (`faces`). No attribute tells
of a name written on an X-ray marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydicom.dataset import Dataset

from isocenter.deid.ocr import require_engine
from isocenter.deid.profile import Option, Profile
from isocenter.deid.regions import RegionRule, find, lies_within, own_regions
from isocenter.deid.risk import Verdict
from isocenter.dicom import uids

_ULTRASOUND = "ultrasound devices write names into the picture"
_PHOTOGRAPH = "it is a photograph or video"
_CLASSES = {
    "SecondaryCapture": "it is a secondary capture",
    "Encapsulated": "it holds a document",
    "Ultrasound": _ULTRASOUND,
    "Hardcopy": "it is a hard copy",
    "Endoscopic": "endoscopes write names into the picture",
    "Photographic": _PHOTOGRAPH,
    "VideoMicroscopic": _PHOTOGRAPH,
    "WholeSlide": "slides bear labels",
}
_MODALITIES = {
    "US": _ULTRASOUND,
    "IVUS": _ULTRASOUND,
    "BDUS": _ULTRASOUND,
    "XC": _PHOTOGRAPH,
    "GM": _PHOTOGRAPH,
    "DMS": _PHOTOGRAPH,
    "ES": "endoscopes write names into the picture",
    "DOC": "it is a document",
    "OT": "nothing tells what it shows",
    "HC": "it is a hard copy",
    "DG": "it is a digitised film",
    "FILM": "it is a digitised film",
    "ECG": "it may be a picture of a report",
    "SC": "it is a secondary capture",
    "BMD": "densitometers write names into the picture",
    "SMR": "it may be a picture of a report",
    "SR": "it may be a picture of a report",
}
_CONVERSIONS = {
    "DV": "it is digitised video",
    "DI": "it was made from a video signal",
    "DF": "it is a digitised film",
    "WSD": "it was made at a workstation",
    "SD": "it is a scanned document",
    "SI": "it is a scanned image",
    "DRW": "it is a drawing",
    "SYN": "it was made at a workstation",
}
"""Conversion Type (PS3.3 C.8.6.1)."""
_SCREENS = re.compile(
    r"SCREEN|\bSAVE\b|DOSE[ _]?(INFO|REPORT|SHEET|RECORD)|CAPTURE|\bREPORT\b|\bLABEL\b|\bOVERVIEW\b"
    r"|PATIENT PROTOCOL|EXAM PROTOCOL|\bSNAPSHOT\b|\bSCAN(NED)? DOC|\bFILM(ED|ING)?\b|\bPRINT\b"
)
_TOLD_BY = ("ImageType", "SeriesDescription", "ProtocolName", "ImageComments", "DerivationDescription")
_SLICES = frozenset({"CT", "MR", "PT", "NM"})
_COLOURED = frozenset({"CT", "MR", "CR", "DX", "MG", "RG", "PX", "IO", "XA", "RF"})
HEADS = re.compile(
    r"HEAD|BRAIN|SKULL|\bFACE|FACIAL|CRANI|CEREBR|ORBIT|SINUS|\bJAW\b|MANDIB|MAXILL|DENT(AL|AIRE)|\bNECK\b"
    r"|CEPHAL|NEURO|PITUIT|TEMPORAL|\bIAC\b|\bEYE|NASAL|NOSE|\bWHOLE ?BODY\b|\bTEETH|KOPF"
    r"|SCH(Ä|AE)DEL|\bT[EÊ]TE\b"
)
ELSEWHERE = re.compile(
    r"CHEST|THORA|\bLUNG|\bHEART\b|CARDIA|CORONAR|BREAST|MAMM|ABDOM|PELVI|LIVER|HEPA|PANCREA|KIDNEY|RENAL"
    r"|PROSTAT|UTER|BOWEL|COLON|ENTERO|LUMB|SACR|\b[TL]-?SPINE|\b[TL]SP|COCCYX|HIP\b|KNEE|THIGH|FEMUR|\bLEG\b"
    r"|\bCALF\b|ANKLE|FOOT|\bTOE|TIBIA|SHOULDER|HUMERUS|\bARM\b|ELBOW|FOREARM|WRIST|HAND\b|FINGER|EXTREMIT"
    r"|PHANTOM|BLADDER|RECTUM|SPLEEN|AORTA|\bRIB"
)
"""Places from which no face can be made, unless a head is told too."""
_PLACES = (
    "BodyPartExamined",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "RequestedProcedureDescription",
)
_VOLUMES = ("CT", "MR", "PT")
_VOLUME_CLASSES = ("CTImage", "MRImage", "PETImage", "XRay3D")
_CODES = ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")


class Pixels:
    """Judges pixels by attributes and by rules that tell where text lies.

    Args:
        rules: of the site, asked before our own.
        clean: the Clean Pixel Data Option: black out what rules tell.
        trust_burned_in: believe Burned In Annotation NO where the kind of image is risky.
        faces: also keep back volumes of the head, from which a face can be made.
        ocr: look for text in what would leave as cleared, by Tesseract, and keep it back where there is some.

    Raises:
        NoTesseract: it is asked for and not installed.
    """

    def __init__(
        self,
        rules: Iterable[RegionRule] = (),
        *,
        clean: bool = False,
        trust_burned_in: bool = False,
        faces: bool = False,
        ocr: bool = False,
    ) -> None:
        if ocr:
            require_engine()
        self.rules = (*rules, *own_regions())
        self.clean = clean
        self.trust_burned_in = trust_burned_in
        self.faces = faces
        self.ocr = ocr

    def __repr__(self) -> str:
        told = [f"{len(self.rules)} rules"]
        told += [name for name in ("clean", "trust_burned_in", "faces", "ocr") if getattr(self, name)]
        return f"Pixels({', '.join(told)})"

    def under(self, profile: Profile) -> Pixels:
        """The same judge, bound to what the options of a profile promise."""
        return Pixels(
            self.rules[: len(self.rules) - len(own_regions())],
            clean=self.clean or profile.has(Option.CLEAN_PIXEL_DATA),
            trust_burned_in=self.trust_burned_in,
            faces=self.faces,
            ocr=self.ocr,
        )

    def judge(self, dataset: Dataset) -> Verdict:
        """Whether they may leave, by the data set as it was; Pixel Data are not looked at."""
        reason = never(dataset)
        if not reason and self.faces and is_head(dataset):
            reason = "a face can be made from it"
        if reason:
            return Verdict(False, reason)
        risk = risk_of(dataset, trust_burned_in=self.trust_burned_in)
        rule = find(self.rules, dataset)
        if rule is None:
            return Verdict(not risk, risk)
        mask = rule.resolve(dataset)
        if mask is None:
            return Verdict(False, risk or "a pixel rule keeps it back")
        if not lies_within(mask, _number(dataset, "Rows"), _number(dataset, "Columns")):
            return Verdict(False, "a pixel rule tells of a box outside of the image")
        if not self.clean:
            words = risk or "a pixel rule tells of text in it"
            return Verdict(False, f"{words} (a rule knows where: ask for clean-pixel-data)")
        return Verdict(True, mask=mask)


def never(dataset: Dataset) -> str:
    """Why no rule of boxes clears it; '' where one may."""
    if "EncapsulatedDocument" in dataset or "Encapsulated" in _keyword(dataset):
        return "it holds a document"
    if _overlay_in_pixels(dataset):
        return "an overlay lies in the unused bits of the pixels"
    return ""


def risk_of(dataset: Dataset, *, trust_burned_in: bool = False) -> str:
    """Why text may be burned into an image; '' where nothing speaks for it."""
    burned_in = text_of(dataset, "BurnedInAnnotation")
    if burned_in == "YES":
        return "Burned In Annotation is YES"
    if burned_in == "NO" and trust_burned_in:
        return ""
    return _by_kind(dataset) or _by_making(dataset)


def _by_kind(dataset: Dataset) -> str:
    keyword = _keyword(dataset)
    for word, reason in _CLASSES.items():
        if word in keyword and not (word == "WholeSlide" and _is_tissue(dataset)):
            return reason
    modality = text_of(dataset, "Modality")
    if not modality:
        return "no modality is told"
    if modality in _MODALITIES and "Segmentation" not in keyword:
        return _MODALITIES[modality]
    return ""


def _is_tissue(dataset: Dataset) -> bool:
    """Whether a whole slide image says that it shows the specimen and no label (PS3.3 C.8.12.4)."""
    kind = text_of(dataset, "ImageType").split("\\")
    return text_of(dataset, "SpecimenLabelInImage") == "NO" and kind[2:3] in (["VOLUME"], ["THUMBNAIL"])


def _by_making(dataset: Dataset) -> str:
    """By how it came to be: secondary captures and screens hide in the classes of acquired images."""
    conversion = _CONVERSIONS.get(text_of(dataset, "ConversionType"))
    if conversion:
        return conversion
    if any(
        text_of(dataset, word) for word in ("DateOfSecondaryCapture", "SecondaryCaptureDeviceManufacturer")
    ):
        return "it is a secondary capture"
    if any(_SCREENS.search(text_of(dataset, word).replace("_", " ")) for word in _TOLD_BY):
        return "its attributes tell of a screen, a report or a label"
    modality = text_of(dataset, "Modality")
    if modality in _COLOURED and _number(dataset, "SamplesPerPixel") == 3:
        return "it is in colour, as screens are"
    if (
        modality in _SLICES
        and _number(dataset, "BitsAllocated") == 8
        and "DERIVED" in text_of(dataset, "ImageType")
    ):
        return "it is derived and of 8 bits, as screens are"
    return ""


def is_head(dataset: Dataset) -> bool:
    """Whether it is a slice or volume of a head (CT, CBCT, MR, PET), as far as attributes tell.

    A volume that tells no place elsewhere may be one.
    """
    return is_volume(dataset) and may_be_head(dataset)


def is_volume(dataset: Dataset) -> bool:
    """Whether it is a slice or volume of CT, CBCT, MR or PET."""
    keyword = _keyword(dataset)
    return text_of(dataset, "Modality") in _VOLUMES or any(word in keyword for word in _VOLUME_CLASSES)


def may_be_head(dataset: Dataset) -> bool:
    """Whether attributes tell of a head, or of no place elsewhere."""
    told = " ".join([*(text_of(dataset, word) for word in _PLACES), *_regions(dataset)]).replace("_", " ")
    return bool(HEADS.search(told)) or not ELSEWHERE.search(told)


def _regions(dataset: Dataset) -> Iterable[str]:
    """Meanings of anatomic regions, of the functional groups too."""
    groups = list(dataset.get("SharedFunctionalGroupsSequence", None) or ())
    for item in [dataset, *groups]:
        anatomy = list(item.get("FrameAnatomySequence", None) or ())
        for place in [item, *anatomy]:
            for keyword in _CODES:
                for code in place.get(keyword, None) or ():
                    yield text_of(code, "CodeMeaning")


def _keyword(dataset: Dataset) -> str:
    return uids.keyword_of(str(dataset.get("SOPClassUID", "")))


def text_of(dataset: Dataset, keyword: str) -> str:
    """The text of an attribute in capitals, its values joined by backslashes; '' where it has none."""
    value = dataset.get(keyword, "")
    several = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value
    return "\\".join(str(one if one is not None else "") for one in several).strip().upper()


def _number(dataset: Dataset, keyword: str) -> int:
    try:
        return int(dataset.get(keyword, 0) or 0)
    except (TypeError, ValueError):
        return 0


def _overlay_in_pixels(dataset: Dataset) -> bool:
    """An overlay of ACR-NEMA kind: described in group 60xx, its bits in Pixel Data (PS3.5 8.1.2)."""
    groups = {tag.group for tag in dataset.keys() if tag >> 24 == 0x60}  # noqa: SIM118
    return any(
        (group << 16 | 0x0010) in dataset and (group << 16 | 0x3000) not in dataset for group in groups
    )


def keeps_overlay(result: Dataset) -> bool:
    """Whether a result still has an overlay plane (Clean Graphics), a bitmap that may hold text."""
    return any(tag >> 24 == 0x60 and tag & 0xFFFF == 0x3000 for tag in result.keys())  # noqa: SIM118
