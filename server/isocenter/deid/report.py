"""What a run did and left, for whoever answers for it: counts, actions, findings, remaining values.

Reports of workers are merged. A report holds no value of an original. Values of results are listed, by
attribute, as curators read them; one in which the second reader found something is withheld unless the report
is unlocked. Not here: its page (`report_page`), its signatures (`signature`).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydicom.datadict import keyword_for_tag

from isocenter import __version__
from isocenter.deid import _profile_table as table
from isocenter.deid.key import Key
from isocenter.deid.outcome import Finding, Outcome
from isocenter.deid.profile import Profile
from isocenter.deid.report_page import page
from isocenter.deid.signature import Signer, check, sign
from isocenter.deid.verify import Examined
from isocenter.errors import BadRequest

FORMAT, VERSION = "isocenter-deid-report", 1
MOST_VALUES = 500
"""Distinct values of one attribute that are listed."""
MOST_EXAMPLES = 3
_LONGEST = 1000
_COUNTS = ("out", "quarantined", "skipped", "cleared", "uncleared", "verified")

Place = tuple[int, ...]


@dataclass
class Values:
    """The distinct values of one attribute: how often each, and of how many objects none is shown."""

    shown: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    withheld: int = 0

    def add(self, text: str, times: int = 1) -> None:
        """Count a value. Beyond the limit those stay that any order of adding and merging leaves."""
        self.shown[text] = self.shown.get(text, 0) + times
        if len(self.shown) > MOST_VALUES:
            del self.shown[max(self.shown, key=_rank)]

    def merge(self, other: Values) -> None:
        """Add what another has counted."""
        self.objects += other.objects
        self.withheld += other.withheld
        for text, times in other.shown.items():
            self.add(text, times)


@dataclass(frozen=True)
class Settings:
    """By what was de-identified. Reports are merged only where these are the same."""

    options: tuple[str, ...]
    rules: int
    rules_digest: str
    key: str
    tool: str = __version__
    edition: str = table.EDITION
    table_digest: str = table.DIGEST


class Report:
    """The report of a run, or of one worker's part of it.

    Args:
        profile: what was asked for.
        key: the project's, of which the fingerprint is told.
        title: of the run or cohort; told in the report.
        unlocked: also show values in which something was found. Such a report is as confidential as the data.
    """

    def __init__(self, profile: Profile, key: Key, *, title: str = "", unlocked: bool = False) -> None:
        digest = hashlib.sha256(repr(profile.rules).encode()).hexdigest()[:16] if profile.rules else ""
        options = tuple(sorted(option.value for option in profile.options))
        self.settings = Settings(options, len(profile.rules), digest, key.fingerprint)
        self.title = title
        self.unlocked = unlocked
        self.counts: Counter[str] = Counter()
        self.reasons: dict[str, Counter[str]] = {"quarantined": Counter(), "skipped": Counter()}
        self.actions: Counter[tuple[Place, str, str]] = Counter()
        self.findings: Counter[Finding] = Counter()
        self.examples: dict[Finding, set[str]] = {}
        self.values: dict[Place, Values] = {}
        self.entities: dict[str, set[int]] = {"patients": set(), "studies": set(), "series": set()}

    def add(
        self, outcome: Outcome, examined: Examined | None = None, *, cleared: bool = True, uid: str = ""
    ) -> None:
        """Count an object.

        Args:
            outcome: what the engine gave.
            examined: what the second reader saw in the result; None where it did not look.
            cleared: whether the result says that nobody can be identified (pixels included).
            uid: the new SOP Instance UID, an example of where a finding is.
        """
        if outcome.quarantined:
            self.leave("quarantined", outcome.quarantined, outcome.findings)
            return
        actions = [(change.path, change.step.do.name, change.step.why) for change in outcome.changes]
        self.count(actions, outcome.findings, examined, cleared=cleared, uid=uid)

    def count(
        self,
        actions: Iterable[tuple[Place, str, str]],
        findings: Iterable[Finding],
        examined: Examined | None = None,
        *,
        cleared: bool = True,
        uid: str = "",
    ) -> None:
        """Count an object that came out, of which only this is known: see `add`."""
        self.counts["out"] += 1
        self.counts["cleared" if cleared else "uncleared"] += 1
        if examined is not None:
            self.counts["verified"] += 1
            self._remember(examined)
        self.actions.update(actions)
        for finding in {*findings, *(examined.findings if examined else ())}:
            self.findings[finding] += 1
            self._example(finding, uid)

    def leave(self, end: str, reason: str, findings: Iterable[Finding] = ()) -> None:
        """Count a file that did not come out: `quarantined` or `skipped`, and why (no name, no value)."""
        self.counts[end] += 1
        self.reasons[end][reason] += 1
        self.findings.update(set(findings))

    def merge(self, other: Report) -> None:
        """Add what another report has counted.

        Raises:
            BadRequest: it is of another key, profile or edition.
        """
        if other.settings != self.settings or other.unlocked != self.unlocked:
            raise BadRequest("Only reports of one key, profile and edition can be merged")
        self.counts += other.counts
        for end, reasons in other.reasons.items():
            self.reasons[end] += reasons
        self.actions += other.actions
        self.findings += other.findings
        for finding, examples in other.examples.items():
            for uid in examples:
                self._example(finding, uid)
        for place, values in other.values.items():
            self.values.setdefault(place, Values()).merge(values)
        for level, seen in other.entities.items():
            self.entities[level] |= seen

    def _remember(self, examined: Examined) -> None:
        doubtful = {finding.path for finding in examined.findings}
        seen: set[Place] = set()
        for place, text in examined.values:
            values = self.values.setdefault(place, Values())
            values.objects += place not in seen
            seen.add(place)
            if place in doubtful and not self.unlocked:
                values.withheld += 1
            else:
                values.add(text[:_LONGEST])
        for level, identifier in examined.entities:
            self.entities[level].add(_number(identifier))

    def _example(self, finding: Finding, uid: str) -> None:
        examples = self.examples.setdefault(finding, set())
        if uid:
            examples.add(uid)
            if len(examples) > MOST_EXAMPLES:
                examples.remove(max(examples))

    def to_json(self) -> dict[str, Any]:
        """The report, unsigned, as JSON that says everything the page says."""
        counts = {name: self.counts[name] for name in _COUNTS}
        files = counts["out"] + counts["quarantined"] + counts["skipped"]
        return {
            "format": FORMAT,
            "version": VERSION,
            "title": self.title,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "unlocked": self.unlocked,
            "settings": asdict(self.settings) | {"options": list(self.settings.options)},
            "counts": {"files": files} | counts | {level: len(seen) for level, seen in self.entities.items()},
            "reasons": {end: dict(reasons.most_common()) for end, reasons in self.reasons.items()},
            "findings": [self._finding(finding) for finding in sorted(self.findings, key=self._weight)],
            "actions": [
                {"attribute": written(place), "action": action.lower(), "why": why, "elements": times}
                for (place, action, why), times in sorted(self.actions.items())
            ],
            "values": [self._values(place) for place in sorted(self.values)],
        }

    def _weight(self, finding: Finding) -> tuple[bool, int, Finding]:
        return finding.kind != "residual", -self.findings[finding], finding

    def _finding(self, finding: Finding) -> dict[str, Any]:
        return {
            "kind": finding.kind,
            "attribute": written(finding.path),
            "words": finding.words,
            "objects": self.findings[finding],
            "examples": sorted(self.examples.get(finding, ())),
        }

    def _values(self, place: Place) -> dict[str, Any]:
        values = self.values[place]
        return {
            "attribute": written(place),
            "objects": values.objects,
            "distinct": len(values.shown),
            "complete": len(values.shown) < MOST_VALUES,
            "withheld": values.withheld,
            "values": sorted(
                ([text, times] for text, times in values.shown.items()), key=lambda one: -int(one[1])
            ),
        }

    def sign(self, key: Key, signer: Signer | None = None) -> dict[str, Any]:
        """The report as JSON, signed by the project key, and by a person's Ed25519 key if there is one."""
        return sign(self.to_json(), key, signer)

    def to_html(self, signed: dict[str, Any] | None = None) -> str:
        """A page that needs nothing else, of the report or of what `sign` gave."""
        return page(signed or self.to_json())


def read_report(text: str | bytes, key: Key | None = None) -> dict[str, Any]:
    """A report from its JSON; with the key, only if nobody has changed it.

    Raises:
        BadRequest: it is none, or the key's signature does not fit.
    """
    try:
        told = json.loads(text)
    except ValueError as error:
        raise BadRequest("This is no report", hint=str(error)) from None
    if not isinstance(told, dict) or told.get("format") != FORMAT or told.get("version") != VERSION:
        raise BadRequest(f"This is no report of version {VERSION}")
    if key is not None:
        check(told, key)
    return told


def written(place: Iterable[int]) -> str:
    """A place as keywords, outermost first; '' for none."""
    return ".".join(keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in place)


def _rank(text: str) -> tuple[int, str]:
    return zlib.crc32(text.encode("utf-8", "surrogatepass")), text


def _number(identifier: str) -> int:
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=8).digest(), "big")
