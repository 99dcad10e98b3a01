"""The base of the `/api` handlers: checked JSON bodies. Not here: DICOMweb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from isocenter.dicom.attributes import suggestion
from isocenter.dicom.levels import Level
from isocenter.errors import BadRequest
from isocenter.http.handler import Handler
from isocenter.security import Action


class ApiHandler(Handler):
    """What the routes of `/api` share. Queries are posted, so POST reads unless a handler says otherwise."""

    face = "api"
    actions: ClassVar[Mapping[str, Action]] = {
        "GET": Action.READ,
        "HEAD": Action.READ,
        "POST": Action.READ,
    }

    def fields(self, **known: type | tuple[type, ...]) -> dict[str, Any]:
        """The JSON object of the body, its fields checked against `known` (name=type); absent ones are None.

        Raises:
            BadRequest: not an object, an unknown field (the nearest is named), or a value of another type.
        """
        return known_fields(self.json_body(), **known)

    def count_argument(self, name: str, default: int, most: int) -> int:
        """A whole number of the query string, `most` at most."""
        text = self.get_query_argument(name, str(default)).strip()
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise BadRequest(f"{name} is a whole number, not {text[:20]!r}")
        return min(int(text), most)


def known_fields(body: Any, **known: type | tuple[type, ...]) -> dict[str, Any]:
    """A JSON object's fields checked against `known`, see `ApiHandler.fields`."""
    if not isinstance(body, dict):
        raise BadRequest("The body, and each thing listed in it, is a JSON object")
    for name, value in body.items():
        if name not in known:
            hint = suggestion(name, tuple(known)) or f"known are {', '.join(known)}"
            raise BadRequest(f"There is no field {name!r}", hint=hint)
        kinds = known[name]
        wrong_bool = isinstance(value, bool) and kinds is int
        if value is not None and (wrong_bool or not isinstance(value, kinds)):
            raise BadRequest(f"The field {name!r} is of another type than it should be")
    return {name: body.get(name) for name in known}


def level_of(text: str | None) -> Level:
    """The level that a field or parameter names.

    Raises:
        BadRequest: none of patient, study, series and instance.
    """
    try:
        return Level((text or "instance").lower())
    except ValueError:
        raise BadRequest(f"There is no level {text!r}", hint="patient, study, series or instance") from None
