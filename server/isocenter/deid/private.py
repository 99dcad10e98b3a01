"""Private elements (PS3.5 7.8): removed, but for those that PS3.15 Table E.3.10-1 or a rule calls safe."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from isocenter.deid._private_table import ROWS
from isocenter.deid.plan import Do, Node, Step
from isocenter.deid.profile import Option, Profile
from isocenter.deid.rules import RuleAction
from isocenter.deid.subject import Subject

_SAFE: dict[tuple[int, str, int], str] = {
    (group, creator, element): vr for group, creator, element, vr in ROWS
}
_REMOVED = Step(Do.REMOVE, "private")
_CREATOR = Step(Do.KEEP, "private creator")
_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT", "CS"})


class PrivateBlock:
    """Which creator owns which block of a data set."""

    @staticmethod
    def of(source: Dataset) -> dict[tuple[int, int], str]:
        """Creators by group and block number."""
        found: dict[tuple[int, int], str] = {}
        for tag in source.keys():  # noqa: SIM118 (iterating a data set would decode it)
            if tag.is_private_creator:
                value: Any = source.get_item(tag).value
                text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
                found[tag.group, tag.element] = text.strip(" \0")
        return found

    @staticmethod
    def drop_unused(result: Dataset) -> None:
        """Remove creators whose block is empty."""
        creators: dict[tuple[int, int], BaseTag] = {}
        used: dict[tuple[int, int], int] = defaultdict(int)
        for tag in result.keys():  # noqa: SIM118
            if tag.is_private_creator:
                creators[tag.group, tag.element] = tag
            elif tag.is_private:
                used[tag.group, tag.element >> 8] += 1
        for block, tag in creators.items():
            if not used[block]:
                del result[tag]


def private_step(node: Node, blocks: dict[tuple[int, int], str], tag: BaseTag, subject: Subject) -> Step:
    """What to do with a private element."""
    if tag.is_private_creator:
        return _CREATOR  # dropped later if nothing of its block stays
    creator = blocks.get((tag.group, tag.element >> 8), "")
    if not creator:
        return _REMOVED
    rule = node.plan.rule((*node.path, int(tag)), creator)
    if rule is not None:
        return Step(Do.KEEP if rule.action is RuleAction.KEEP else Do.REMOVE, f"rule: {rule.action}")
    vr = _SAFE.get((tag.group, creator, tag.element & 0xFF))
    if vr is None or not node.plan.profile.has(Option.RETAIN_SAFE_PRIVATE):
        return _REMOVED
    return Step(_kept(vr, node.plan.profile), "safe private")


def _kept(vr: str, profile: Profile) -> Do:
    if vr == "SQ":
        return Do.ITEMS
    if vr == "UI":  # a safe one may still name a series of the archive
        return Do.KEEP if profile.has(Option.RETAIN_UIDS) else Do.UID
    return Do.TEXT if vr in _TEXT else Do.KEEP
