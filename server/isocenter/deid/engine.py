"""De-identifying one data set by a profile: data set in; data set, changes and findings out.

Elements are looked at undecoded and copied as they are unless their step has to read them. Not here: files
(`files`), pixels (`pixels`), and what becomes of a cohort.

What may not be, it refuses: a data set whose SOP class is unknown, or whose text cannot be decoded, is
quarantined with the reason, never let through half done.
"""

from __future__ import annotations

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset

from isocenter.deid.identifiers import Identifiers, Patient
from isocenter.deid.iod import is_known
from isocenter.deid.known import known_identifiers
from isocenter.deid.outcome import Change, Finding, Outcome
from isocenter.deid.plan import Node, Plan, Step, vr_of
from isocenter.deid.policies import Policies
from isocenter.deid.private import PrivateBlock, private_step
from isocenter.deid.profile import Profile
from isocenter.deid.rules import RuleAction
from isocenter.deid.stamps import stamp
from isocenter.deid.steps import STEPS, Unreadable
from isocenter.deid.structured import CONTENT_STEPS
from isocenter.deid.subject import Subject

DEFAULT = Policies()
DEEPEST = 64
_DOING = STEPS | CONTENT_STEPS


class Engine:
    """De-identifies data sets. Safe to use from several threads.

    Args:
        profile: what is asked for.
        identifiers: of the project.
        policies: what the profile leaves open.
    """

    def __init__(self, profile: Profile, identifiers: Identifiers, policies: Policies = DEFAULT) -> None:
        self.profile = profile
        self.identifiers = identifiers
        self.policies = policies
        self._plans: dict[str, Plan] = {}

    def plan(self, sop_class: str) -> Plan:
        """The plan of a SOP class, made when it is first asked for."""
        plan = self._plans.get(sop_class)
        if plan is None:
            plan = self._plans[sop_class] = Plan(self.profile, sop_class)
        return plan

    def apply(self, source: Dataset) -> Outcome:
        """De-identify a data set, which stays as it is.

        Its Pixel Data, if there, are taken over as they are: whether they may be is decided by `pixels`.
        """
        outcome = Outcome(None)
        try:
            sop_class = str(source.get("SOPClassUID", ""))
            if not is_known(sop_class):
                outcome.quarantined = "the SOP class is not known, so nothing tells which attributes it needs"
                return outcome
            subject = Subject(
                patient=_patient(source),
                identifiers=self.identifiers,
                policies=self.policies,
                known=known_identifiers(source),
                findings=outcome.findings,
            )
            result = _like(source)
            plan = self.plan(sop_class)
            Level(subject, outcome.changes).run(plan.root, source, result)
            _add_missing(plan, result, outcome.changes)
            stamp(result, self.profile, self.policies)
            outcome.dataset = result
        except Unreadable as error:
            outcome.quarantined = str(error)
        except RecursionError:
            outcome.quarantined = f"sequences are nested deeper than {DEEPEST} levels"
        return outcome


class Level:
    """The elements of one data set or item, and of the items inside.

    Args:
        subject: whom the data set is about.
        changes: where changes are told.
    """

    def __init__(self, subject: Subject, changes: list[Change]) -> None:
        self.subject = subject
        self.changes = changes

    def run(self, node: Node, source: Dataset, result: Dataset) -> None:
        """Fill `result` with what may stay of `source`."""
        if len(node.path) > DEEPEST:
            raise RecursionError
        blocks = PrivateBlock.of(source)
        for tag in list(source.keys()):
            element = source.get_item(tag)
            if tag.is_private:
                step = private_step(node, blocks, tag, self.subject)
            else:
                step = node.step(int(tag))
            after = _DOING[step.do](self, node, step, source, element)
            if after is not None:
                result[tag] = after
            if after is not element:
                self.changes.append(Change((*node.path, int(tag)), step, element, after))
        PrivateBlock.drop_unused(result)


def _add_missing(plan: Plan, result: Dataset, changes: list[Change]) -> None:
    """What rules put outside of sequences is there, whether the object had it or not."""
    for rule in plan.profile.rules:
        if not rule.top or rule.action is not RuleAction.REPLACE or rule.path[0] in result:
            continue
        if plan.rule(rule.path) is rule:
            tag = rule.path[0]
            result.add_new(tag, vr_of(tag), rule.value)
            changes.append(Change((tag,), plan.root.step(tag), None, result[tag]))


def _patient(source: Dataset) -> Patient:
    return Patient(
        str(source.get("IssuerOfPatientID", "") or ""),
        str(source.get("PatientID", "") or ""),
        str(source.get("StudyInstanceUID", "") or ""),
    )


def _like(source: Dataset) -> Dataset:
    """An empty data set that is encoded as `source` is."""
    made = Dataset()
    implicit, little = source.original_encoding
    made.set_original_encoding(implicit, little, source.original_character_set)
    return made


Element = DataElement | RawDataElement
__all__ = ["DEFAULT", "Engine", "Finding", "Level", "Step"]
