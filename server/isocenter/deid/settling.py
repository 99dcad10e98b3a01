"""Whether a result may leave with its pixels, what is done to them before, and what it then says of itself.

By what the judge says of text (`risk`), what was found of faces (`faces`), overlays, documents and policies.
Not here: doing it (`files`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pydicom.dataset import Dataset

from isocenter.deid.defacing import Cut
from isocenter.deid.faces import ALONE, shows_outline
from isocenter.deid.outcome import Finding, Outcome
from isocenter.deid.pixels import is_head, keeps_overlay
from isocenter.deid.policies import Documents, Uncleared
from isocenter.deid.profile import Option
from isocenter.deid.regions import Mask
from isocenter.deid.stamps import clear, unclear, unrecognizable

if TYPE_CHECKING:
    from isocenter.deid.files import Files

DOCUMENT = 0x00420011


class Settled(NamedTuple):
    """Why a result may not leave ('' when it may), and what happens to its pixels before it does.

    Attributes:
        reason: why it may not.
        mask: what is blacked out.
        cut: what is cut away.
    """

    reason: str
    mask: Mask | None = None
    cut: Cut | None = None


def settle(files: Files, source: Dataset, outcome: Outcome, *, pictured: bool, hidden: str = "") -> Settled:
    """Whether a result may leave with its pixels: says so in it, or why not.

    Args:
        files: with its judge and policies.
        source: the data set as it was.
        outcome: with the result as it is to leave.
        pictured: whether it has Pixel Data.
        hidden: what else is in its Pixel Data than the image.
    """
    policies, result = files.engine.policies, outcome.dataset
    if result is None:
        return Settled(outcome.quarantined)
    document = DOCUMENT in source and policies.documents is not Documents.DROP
    reason, mask, face = "", None, _face(files, source, pictured=pictured)
    if pictured or document:
        verdict = files.judge.judge(source)
        reason = hidden if verdict.cleared else verdict.reason
        mask = verdict.mask if not reason else None
    if not reason and keeps_overlay(result):
        reason = "an overlay plane that is kept may hold text"
    cut = face if isinstance(face, Cut) else None
    if isinstance(face, str):
        reason = reason or face
    elif files.engine.profile.has(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES):
        unrecognizable(result, cut=cut is not None)
    if not reason and not document:
        if files.engine.profile.keeps_identity:
            outcome.findings.append(Finding("identity-kept", (), "a rule keeps who the patient is"))
            return Settled("", mask, cut)
        clear(result, files.engine.profile)
        return Settled("", mask, cut)
    if document or policies.uncleared is Uncleared.KEEP:
        words = f"left uncleared by policy: {reason or 'it holds a document'}"
        unclear(result, faceless=not isinstance(face, str))
        outcome.findings.append(Finding("uncleared", (DOCUMENT if document else 0x7FE00010,), words))
        return Settled("", mask, cut)
    return Settled(f"its pixels are not cleared: {reason}")


def _face(files: Files, source: Dataset, *, pictured: bool) -> Cut | str | None:
    """What is cut away of an object, or why it keeps a face; None where there is none, or nobody asked."""
    if not files.engine.profile.has(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES):
        return None
    if not pictured:
        return "an outline of the body may show a face" if shows_outline(source) else None
    told = files.faces.get(str(source.get("SOPInstanceUID", "")))
    return ALONE if told is None and is_head(source) else told
