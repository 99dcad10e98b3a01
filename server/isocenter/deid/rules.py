"""Rules of the user, on top of a profile: a readable TOML file, checked when it is read.

::

    version = 1
    name = "our trial"
    options = ["modified-dates", "clean-descriptors"]

    [[rule]]
    match = "StudyDescription"          # keyword, tag, path, or private creator
    action = "keep"                     # keep, replace, empty, remove, hash

    [[rule]]
    match = "RequestAttributesSequence.ScheduledProcedureStepDescription"
    action = "replace"
    value = "TRIAL"

    [[rule]]
    match = "private:SIEMENS CSA HEADER"
    action = "remove"

    [[rule]]
    match = "/PatientComments"          # outside of sequences only; replace adds it where it is missing
    action = "replace"
    value = "of the trial"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from isocenter.dicom.attributes import lookup
from isocenter.errors import BadRequest, NotFound, UnknownAttribute

VERSION = 1


class RuleAction(StrEnum):
    """What a rule does with a value."""

    KEEP = "keep"
    REPLACE = "replace"
    EMPTY = "empty"
    REMOVE = "remove"
    HASH = "hash"


@dataclass(frozen=True)
class Rule:
    """What happens to one attribute, wherever it is or on one path, or to the elements of a private creator.

    Attributes:
        action: what happens.
        path: tags from the outermost sequence to the attribute; a single one fits at every depth. Empty for a
            private creator.
        creator: of private elements; '' for a standard attribute.
        value: what `replace` puts in its place.
        top: a single tag fits outside of sequences only, and `replace` adds what is missing there.
    """

    action: RuleAction
    path: tuple[int, ...] = ()
    creator: str = ""
    value: str = ""
    top: bool = False

    def fits(self, path: tuple[int, ...], creator: str) -> bool:
        """Whether it speaks of the element on this path."""
        if self.creator:
            return self.creator == creator
        anywhere = len(self.path) == 1 and not self.top
        return self.path == path or (anywhere and self.path[0] == path[-1])


@dataclass(frozen=True)
class RuleFile:
    """A profile as a file tells it."""

    name: str
    options: tuple[str, ...]
    rules: tuple[Rule, ...]


def read_rules(path: Path) -> RuleFile:
    """Read a file of rules. Raises as `load_rules`, and BadRequest that names the rule not understood."""
    return parse_rules(load_rules(path))


def load_rules(path: Path) -> dict[str, Any]:
    """What a file of rules says, not yet checked.

    Raises:
        NotFound: there is none.
        BadRequest: it is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"There is no profile file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequest(f"{path} cannot be read as TOML", hint=str(error)) from None


def parse_rules(told: dict[str, Any]) -> RuleFile:
    """Rules from what TOML (or JSON) says. Raises BadRequest."""
    if told.get("version") != VERSION:
        raise BadRequest(
            f"The profile says version {told.get('version')!r}", hint=f"write version = {VERSION}"
        )
    _only(told, {"version", "name", "options", "rule"}, "the profile")
    rules = told.get("rule", [])
    if not isinstance(rules, list):
        raise BadRequest("Rules are written as [[rule]]")
    options = told.get("options", [])
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise BadRequest("options is a list of names", hint='options = ["modified-dates"]')
    made = tuple(_rule(rule, number) for number, rule in enumerate(rules, 1))
    return RuleFile(str(told.get("name", "")), tuple(options), made)


def _rule(told: Any, number: int) -> Rule:
    where = f"rule {number}"
    if not isinstance(told, dict):
        raise BadRequest(f"In {where}: a rule is a table of match, action and value")
    _only(told, {"match", "action", "value"}, where)
    match = told.get("match")
    if not isinstance(match, str) or not match.strip():
        raise BadRequest(f"In {where}: match is missing", hint='match = "StudyDescription"')
    try:
        action = RuleAction(told.get("action", ""))
    except ValueError:
        hint = "one of " + ", ".join(RuleAction)
        raise BadRequest(f"In {where}: there is no action {told.get('action')!r}", hint=hint) from None
    value = told.get("value", "")
    if (action is RuleAction.REPLACE) != bool(value) or not isinstance(value, str):
        raise BadRequest(f"In {where}: value, a text, goes with replace, and with nothing else")
    if match.startswith("private:"):
        return Rule(action, creator=match.removeprefix("private:").strip(), value=value)
    top = match.startswith("/")
    path = _path(match.removeprefix("/"), where)
    if top and len(path) > 1:
        raise BadRequest(f"In {where}: a path begins outside of sequences anyway", hint="without the slash")
    return Rule(action, path=path, value=value, top=top)


def _path(match: str, where: str) -> tuple[int, ...]:
    try:
        return tuple(lookup(part.strip()).tag for part in match.split("."))
    except UnknownAttribute as error:
        raise BadRequest(f"In {where}: {error.message}", hint=error.hint) from None


def _only(told: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(told) - known):
        raise BadRequest(
            f"In {where}: {unknown[0]!r} is not known", hint="known: " + ", ".join(sorted(known))
        )
