"""What a de-identified data set says of itself (PS3.15 E.1, E.3; PS3.3 C.7.1.1, C.12.1).

Patient Identity Removed is not written here: it is true only once the pixels are cleared as well (`clear`).
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from isocenter.deid._profile_table import EDITION
from isocenter.deid.policies import TRIAL_EMPTY, Policies, Times
from isocenter.deid.profile import CODES, Option, Profile

DEFACED = "Face cut away by geometry, not validated"


def stamp(result: Dataset, profile: Profile, policies: Policies) -> None:
    """Write method, codes and what became of dates."""
    words = [f"Isocenter, PS3.15 {EDITION} E.1-1", *([policies.method[:64]] if policies.method else [])]
    result.PatientIdentityRemoved = "NO"
    result.DeidentificationMethod = words if len(words) > 1 else words[0]
    result.DeidentificationMethodCodeSequence = Sequence([_code(*code) for code in profile.codes()])
    result.LongitudinalTemporalInformationModified = temporal(profile, policies)
    if policies.trial:
        _trial(result, policies)


def clear(result: Dataset, profile: Profile) -> None:
    """The pixels are cleared too: say that nobody can be identified."""
    result.PatientIdentityRemoved = "YES"
    if profile.has(Option.CLEAN_PIXEL_DATA):
        result.BurnedInAnnotation = "NO"


def unrecognizable(result: Dataset, *, cut: bool) -> None:
    """No face can be made from it (PS3.15 E.3.2): none was there, or it was cut away."""
    result.RecognizableVisualFeatures = "NO"
    if cut:
        said = result.DeidentificationMethod
        said = [said] if isinstance(said, str) else list(said)
        result.DeidentificationMethod = [*said, DEFACED]


def unclear(result: Dataset, *, faceless: bool) -> None:
    """The pixels leave as they are: claim no option that would have cleaned them.

    Args:
        result: the data set.
        faceless: whether no face can be made from them.
    """
    claimed = {CODES[Option.CLEAN_PIXEL_DATA][0]}
    if not faceless:
        claimed.add(CODES[Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES][0])
    codes = result.DeidentificationMethodCodeSequence
    result.DeidentificationMethodCodeSequence = Sequence(
        [code for code in codes if code.CodeValue not in claimed]
    )


def temporal(profile: Profile, policies: Policies) -> str:
    """Longitudinal Temporal Information Modified (0028,0303)."""
    if profile.has(Option.RETAIN_LONG_FULL_DATES):
        return "UNMODIFIED" if policies.times is Times.KEEP else "MODIFIED"
    return "MODIFIED" if profile.has(Option.RETAIN_LONG_MODIFIED_DATES) else "REMOVED"


def _trial(result: Dataset, policies: Policies) -> None:
    """Which trial it is part of; what must be there and was not told is empty."""
    patient = str(result.get("PatientID", "") or "")
    for keyword in TRIAL_EMPTY:
        setattr(result, keyword, "")
    for keyword, value in policies.trial:
        setattr(result, keyword, value.replace("{patient}", patient))


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
