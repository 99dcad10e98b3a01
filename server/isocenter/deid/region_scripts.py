"""Pixel rules of other tools, read as ours: CTP's DICOM Pixel Anonymizer scripts, pydicom's deid recipes.

What cannot be read as it was meant is an error, never left out: a rule that is missing is a name that leaves.
Of a recipe, the groups graylist (boxes) and blacklist (kept back) are taken, the first that fits wins;
whitelists clear nothing here, and what it says of headers is not for pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from isocenter.deid.regions import (
    Both,
    Box,
    Condition,
    Either,
    Mask,
    Not,
    RegionRule,
    Test,
    box_of,
    read_regions,
    tag_of,
)
from isocenter.errors import BadRequest, NotFound

_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[()!*+])|(?P<word>true|false)\.?(?![\w.\[])"
    r"|(?P<name>\[[0-9A-Fa-f]{4},\s*[0-9A-Fa-f]{4}\]|\w+)\.(?P<method>\w+)\(\s*(?:\"(?P<value>[^\"]*)\")?\s*\))"
)
_PIECE = re.compile(r"\{(?P<condition>[^{}]*)\}|\((?P<box>\s*\d+\s*(?:,\s*\d+\s*){3})\)")
_METHODS: dict[str, Callable[[str], str]] = {
    "equals": lambda value: rf"\A{re.escape(value)}\Z",
    "contains": re.escape,
    "startsWith": lambda value: rf"\A{re.escape(value)}",
    "endsWith": lambda value: rf"{re.escape(value)}\Z",
    "matches": lambda value: rf"\A(?:{value})\Z",
}
ALWAYS: Condition = Both(())
_DEEPEST = 50


def read_scripts(path: Path) -> tuple[RegionRule, ...]:
    """Rules of a file: TOML by its name, a recipe by `FORMAT dicom`, a CTP script otherwise.

    Raises:
        NotFound: there is none.
        BadRequest: it cannot be understood.
    """
    if path.suffix == ".toml":
        return read_regions(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file of pixel rules {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read", hint=str(error)) from None
    return parse_recipe(text) if re.search(r"^\s*FORMAT\s+dicom", text, re.MULTILINE) else parse_ctp(text)


def parse_ctp(text: str) -> tuple[RegionRule, ...]:
    """Rules of a CTP script: a title, a condition in braces, and boxes (left, top, width, height)."""
    text = re.sub(r"(?m)(?:^|(?<=\s))//.*$", "", text)
    rules: list[RegionRule] = []
    at = 0
    for piece in _PIECE.finditer(text):
        title = _title(text[at : piece.start()])
        at = piece.end()
        if piece["condition"] is not None:
            name = title or f"CTP rule {len(rules) + 1}"
            rules.append(RegionRule(name, _Ctp(piece["condition"], name).whole()))
        elif not rules or title:
            raise BadRequest(f"In the script: the box behind {title!r} belongs to no condition")
        else:
            box = box_of([int(number) for number in piece["box"].split(",")], rules[-1].name)
            rules[-1] = _with(rules[-1], Mask((*rules[-1].mask.boxes, box)))
    _title(text[at:])
    if not rules:
        raise BadRequest(
            "This is no script of the CTP DICOM Pixel Anonymizer", hint="{ condition } (0,0,9,9)"
        )
    return tuple(rules)


def _title(text: str) -> str:
    """What stands between conditions and boxes; what looks like either could not be read."""
    if found := re.search(r"[{}]|\(\s*-?\d+\s*,", text):
        near = text[found.start() : found.start() + 30]
        raise BadRequest(f"In the script: {near!r} cannot be read", hint="{ condition } (0,0,640,50)")
    return " ".join(text.split())


def _with(rule: RegionRule, mask: Mask, *, ultrasound: bool = False) -> RegionRule:
    return RegionRule(rule.name, rule.condition, mask, rule.ultrasound or ultrasound)


class _Ctp:
    """A condition of CTP: `*` is and, `+` is or, `!` is not; and binds closer."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self._tokens = list(self._scan(text.strip()))
        self._at = 0
        self._depth = 0

    def _scan(self, text: str) -> Iterator[re.Match[str]]:
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise self._error(text[at : at + 30].split("\n")[0])
            yield token
            at = token.end()

    def _error(self, near: str) -> BadRequest:
        return BadRequest(f"In {self.where}: the condition cannot be read near {near!r}")

    def whole(self) -> Condition:
        condition = self._or()
        if self._at < len(self._tokens):
            raise self._error(self._tokens[self._at].group().strip())
        return condition

    def _take(self, mark: str) -> bool:
        taken = self._at < len(self._tokens) and self._tokens[self._at]["mark"] == mark
        self._at += taken
        return taken

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._take("+"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _and(self) -> Condition:
        parts = [self._one()]
        while self._take("*"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST * 20:
            raise self._error("its end: it is too long")
        if self._take("!"):
            return Not(self._one())
        if self._take("("):
            inner = self._or()
            if not self._take(")"):
                raise self._error("its end: a bracket is open")
            return inner
        if self._at == len(self._tokens) or self._tokens[self._at]["mark"]:
            raise self._error("its end" if self._at == len(self._tokens) else "a mark")
        token = self._tokens[self._at]
        self._at += 1
        if token["word"]:
            return ALWAYS if token["word"] == "true" else Not(ALWAYS)
        return self._test(token["name"], token["method"], token["value"] or "")

    def _test(self, name: str, method: str, value: str) -> Condition:
        tag = tag_of(name, self.where)
        if method in ("isGreaterThan", "isLessThan"):
            try:
                number = float(value)
            except ValueError:
                raise self._error(value) from None
            infinite = float("inf")
            within = (number, infinite) if method == "isGreaterThan" else (-infinite, number)
            return Test(tag, within=within)
        plain = method.removesuffix("IgnoreCase")
        if plain not in _METHODS:
            raise self._error(f"{name}.{method}")
        flags = re.IGNORECASE if plain != method else re.NOFLAG
        return Test(tag, _compiled(_METHODS[plain](value), self.where, flags))


def parse_recipe(text: str) -> tuple[RegionRule, ...]:
    """Rules of a recipe: its filters graylist and blacklist."""
    rules: list[RegionRule] = []
    group, within = "", False
    for line in text.splitlines():
        line = re.sub(r"(?:^|\s)#.*$", "", line).strip()
        if line.startswith("%"):
            kind, _, group = line.lower().partition(" ")
            group, within = (group.strip() if kind == "%filter" else ""), False
        elif group in ("graylist", "greylist", "blacklist") and line:
            word, _, rest = line.partition(" ")
            if word.upper() == "LABEL":
                rules.append(RegionRule(rest.strip() or "a rule", ALWAYS))
                within = True
            elif not within:
                raise BadRequest(f"In the recipe: {word!r} stands before a LABEL")
            else:
                rules[-1] = _line(rules[-1], line)
    if not rules or any(rule.condition is ALWAYS for rule in rules):
        raise BadRequest("In the recipe: a rule has no condition", hint="LABEL, then contains Modality US")
    return tuple(rules)


def _line(rule: RegionRule, line: str) -> RegionRule:
    word, _, rest = line.partition(" ")
    if word.endswith("coordinates"):
        return _coordinates(rule, word, rest.strip())
    if rule.condition is ALWAYS and line.startswith("+"):
        line = line.removeprefix("+").strip()
    joined = line.startswith(("+", "||", "and ", "or "))
    if joined == (rule.condition is ALWAYS):
        raise BadRequest(f"In {rule.name}: a condition after the first begins with + or ||")
    mark, rest = ("", line) if not joined else _mark(line)
    condition = _chain(rest, rule.name)
    if joined:
        condition = (Both if mark == "+" else Either)((rule.condition, condition))
    return RegionRule(rule.name, condition, rule.mask, rule.ultrasound)


def _mark(line: str) -> tuple[str, str]:
    for mark, written in (("+", "+"), ("+", "and "), ("||", "||"), ("||", "or ")):
        if line.startswith(written):
            return mark, line.removeprefix(written).strip()
    return "", line


def _chain(text: str, where: str) -> Condition:
    """Conditions of one line, from left to right."""
    parts = re.split(r"\s*(\|\||(?<=\s)\+(?=\s))\s*", text)
    condition = _predicate(parts[0], where)
    for mark, part in zip(parts[1::2], parts[2::2], strict=True):
        condition = (Both if mark == "+" else Either)((condition, _predicate(part, where)))
    return condition


def _predicate(text: str, where: str) -> Condition:
    word, _, rest = text.strip().partition(" ")
    name, _, value = rest.strip().partition(" ")
    value = value.strip()
    if word not in ("contains", "notcontains", "equals", "notequals", "missing", "present", "empty"):
        raise BadRequest(f"In {where}: {word!r} is not known")
    tag = tag_of(name, where)
    if word in ("missing", "present"):
        return Not(Test(tag)) if word == "missing" else Test(tag)
    if word == "empty":
        return Both((Test(tag), Test(tag, re.compile(r"\A\s*\Z"))))
    pattern = value if word.endswith("contains") else rf"\A(?:{re.escape(value)})\Z"
    test = Test(tag, _compiled(pattern, where, re.IGNORECASE))
    return Not(test) if word.startswith("not") else test


def _compiled(pattern: str, where: str, flags: re.RegexFlag) -> re.Pattern[str]:
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise BadRequest(f"In {where}: {pattern!r} is no regular expression", hint=str(error)) from None


def _coordinates(rule: RegionRule, word: str, told: str) -> RegionRule:
    keeping = "keep" in word
    if told == "from:SequenceOfUltrasoundRegions" and keeping:
        return _with(rule, rule.mask, ultrasound=True)
    if told == "all" and not keeping:
        return _with(rule, Mask(rule.mask.boxes, ()))
    try:
        left, top, third, fourth = (int(number) for number in told.split(","))
    except ValueError:
        raise BadRequest(f"In {rule.name}: {told!r} is no box") from None
    # deid writes the far corner, CTP the size; whether that corner is part of the box: the safe way.
    more = 0 if keeping else 1
    size = (third, fourth) if word.startswith("ctp") else (third - left + more, fourth - top + more)
    box: Box = box_of((left, top, *size), rule.name)
    boxes, keep = rule.mask.boxes, rule.mask.keep
    return _with(rule, Mask(boxes, (*(keep or ()), box)) if keeping else Mask((*boxes, box), keep))
