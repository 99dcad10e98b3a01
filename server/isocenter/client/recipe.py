"""How to de-identify, as the server takes it: names checked here, so that a slip is told at once.

What is not given is left to the server, whose defaults are those that cannot leak. Not here: what a name
means.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from isocenter.client.suggesting import did_you_mean
from isocenter.errors import BadRequest, NotFound

PROFILES = ("basic",)
OPTIONS = (
    "uids",
    "device-identity",
    "institution-identity",
    "patient-characteristics",
    "full-dates",
    "modified-dates",
    "safe-private",
    "clean-descriptors",
    "clean-structured-content",
    "clean-graphics",
    "clean-pixel-data",
    "clean-recognizable-visual-features",
)
"""Options of the profile (PS3.15 E.3), by the short names; those that retain may be said with `retain-`."""
CHOICES = {
    "birth_date": ("empty", "year", "shift"),
    "times": ("keep", "drop"),
    "documents": ("refuse", "drop", "keep"),
    "pixels": ("quarantine", "keep"),
    "residual": ("quarantine", "keep"),
}
Rules = str | os.PathLike[str] | Mapping[str, Any]


class Choices(TypedDict, total=False):
    """What else may be said."""

    pixel_rules: Rules
    birth_date: str
    times: str
    documents: str
    pixels: str
    residual: str
    trial: Mapping[str, str]
    pattern: str
    weeks: bool
    faces: bool
    trust_burned_in: bool
    ocr: bool


FIELDS = tuple(Choices.__annotations__)


def recipe(
    profile: str = "basic",
    options: str | Iterable[str] = (),
    key: str = "default",
    *,
    rules: Rules | None = None,
    **further: Any,
) -> dict[str, Any]:
    """The JSON of a recipe. See `Contents.deidentify`.

    Raises:
        BadRequest: no such profile, option or choice; the nearest is named.
        NotFound: there is no such file of rules.
    """
    _check("profile", profile, PROFILES)
    named = [options] if isinstance(options, str) else list(options)
    told: dict[str, Any] = {"key": key, "profile": profile, "options": [_option(one) for one in named]}
    if rules is not None:
        told["rules"] = _toml("rules", rules)
    for name, value in further.items():
        if name not in FIELDS:
            hint = did_you_mean(name, ("options", "key", "rules", *FIELDS))
            raise BadRequest(
                f"De-identification has no {name!r}", hint=hint or "there are: " + ", ".join(FIELDS)
            )
        if name in CHOICES and value is not None:
            _check(name, value, CHOICES[name])
        if value is not None:
            told[name] = _toml(name, value) if name == "pixel_rules" else _plain(value)
    return told


def recipe_text(told: Mapping[str, Any]) -> str:
    """A recipe in a few words: `basic, modified-dates; key study-42`."""
    extra = [name.replace("_", " ") for name in ("rules", "pixel_rules") if told.get(name)]
    return ", ".join([str(told["profile"]), *told["options"], *extra]) + f"; key {told['key']}"


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _option(name: object) -> str:
    if not isinstance(name, str):
        raise BadRequest(f"{name!r} is no name of an option", hint='options=["modified-dates"]')
    short = name.strip().lower().replace("_", "-").replace(" ", "-")
    short = short.removeprefix("retain-").removeprefix("long-")
    if short not in OPTIONS:
        hint = did_you_mean(short, OPTIONS) or "there are: " + ", ".join(OPTIONS)
        raise BadRequest(f"De-identification has no option {name!r}", hint=hint)
    return short


def _check(what: str, given: object, among: tuple[str, ...]) -> None:
    if given not in among:
        near = did_you_mean(str(given), among) or "there " + (
            f"is only {among[0]!r}" if len(among) == 1 else f"are {', '.join(map(repr, among))}"
        )
        raise BadRequest(f"De-identification has no {what} {given!r}", hint=near)


def _toml(name: str, given: Rules) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    path = Path(os.fspath(given)).expanduser()
    if not path.is_file():
        raise NotFound(f"There is no file of rules {path}", hint=f"{name}= takes a TOML file or a dictionary")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = f"{error}; it is TOML, as `isocenter deid --config` takes"
        raise BadRequest(f"{path} cannot be read as rules", hint=hint) from None
