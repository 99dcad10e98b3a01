"""`/api/openapi.json`: the automation API in OpenAPI 3.1, made from its routes and what they tell.

A route's text names its parameters (`?dataset=&level=`) and the fields of its body (`{"name", "level"}`);
types are not told. Not here: DICOMweb, which describes itself (PS3.18 8.9).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from isocenter import __version__
from isocenter.http.route_table import Operation, operations
from isocenter.rest.handler import ApiHandler

Json = dict[str, Any]

_QUERY = re.compile(r"`\?([^`]*)`")
_BODY = re.compile(r"`(\{.*?\})`", re.DOTALL)
_WORD = re.compile(r'"(\w+)"')
_TAKES_BODY = ("POST", "PUT")


def openapi(routes: Iterable[Sequence[Any]], base: str) -> Json:
    """The description.

    Args:
        routes: of the API.
        base: URL of the server as the client sees it.
    """
    paths: Json = {}
    for one in operations(routes):
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Isocenter", "version": __version__},
        "servers": [{"url": base}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR},
        },
    }


def _operation(one: Operation) -> Json:
    told = inspect.getdoc(getattr(one.handler, one.method.lower())) or ""
    query = [name for found in _QUERY.findall(told) for name in _parameters(found)]
    made: Json = {
        "operationId": one.method.lower() + re.sub(r"\W+", "_", one.path.removeprefix("/api")).rstrip("_"),
        "summary": one.says,
        "description": told,
        "tags": [one.handler.face],
        "parameters": [
            *(_parameter(name, "path") for name in one.parameters),
            *(_parameter(name, "query") for name in dict.fromkeys(query)),
        ],
        "responses": {
            "2XX": {"description": "Done"},
            "default": {
                "description": "An error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    bodies = _BODY.findall(told) if one.method in _TAKES_BODY else []
    if bodies:  # where a short answer is told as well, the body is the longest
        fields: Json = {name: {} for name in _WORD.findall(_outer(max(bodies, key=len)))}
        schema = {"type": "object", "properties": fields}
        made["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return made


def _parameters(text: str) -> list[str]:
    """The names in `dataset=&level=` or `expand`."""
    return [part.partition("=")[0] for part in text.split("&") if part]


def _parameter(name: str, place: str) -> Json:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


def _outer(text: str) -> str:
    """The text of an object without what is in objects and lists within."""
    depth, kept = 0, []
    for character in text:
        depth -= character in "]}"
        if depth == 1:
            kept.append(character)
        depth += character in "[{"
    return "".join(kept)


_ERROR: Json = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "hint": {"type": "string"},
                "detail": {},
            },
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}


class OpenApi(ApiHandler):
    """What this API offers, for programs."""

    def get(self) -> None:
        """OpenAPI 3.1."""
        from isocenter.rest import routes

        self.write_json(openapi(routes, self.base_url))


routes = [(r"/api/openapi\.json", OpenApi)]
