"""What the service says of itself, made from its routes: WADL (PS3.18 Annex H) and OpenAPI 3.1.

Query parameters and media types are told here by resource; what a route has that is not told here is
described by its path and methods alone. Matching keys of searches are any attribute, so they are not listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from isocenter.dicom.non_patient import RESOURCES
from isocenter.http.route_table import Operation

DICOM, JSON, OCTETS = "application/dicom", "application/dicom+json", "application/octet-stream"
XML = 'multipart/related; type="application/dicom+xml"'
WADL = "application/vnd.sun.wadl+xml"
Json = dict[str, Any]


@dataclass(frozen=True)
class Traits:
    """Query parameters (name to JSON schema type), media types that come and go, statuses of success."""

    query: tuple[tuple[str, str], ...] = ()
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    status: tuple[int, ...] = (200,)


_SEARCH = (
    ("limit", "integer"),
    ("offset", "integer"),
    ("includefield", "string"),
    ("fuzzymatching", "boolean"),
    ("emptyvaluematching", "boolean"),
    ("multiplevaluematching", "boolean"),
)
_BOTH = (JSON, XML)
_MULTIPART = f'multipart/related; type="{DICOM}"'
_FILES = (_MULTIPART, DICOM)
_NON_PATIENT = rf"/({'|'.join(RESOURCES)})"

# By method and the end of the path, the first that fits.
_TRAITS: tuple[tuple[str, str, Traits], ...] = (
    ("GET", r"/(studies|series|instances)", Traits(_SEARCH, gives=_BOTH)),
    ("GET", r"/workitems", Traits(_SEARCH, gives=_BOTH)),
    ("POST", r"/workitems", Traits((("workitem", "string"),), _BOTH, status=(201,))),
    ("POST", r"/workitems/\{workitem\}", Traits((("transaction", "string"),), _BOTH)),
    ("GET", r"/workitems/\{workitem\}", Traits(gives=_BOTH)),
    ("PUT", r"/state(/\{aetitle\})?", Traits(takes=_BOTH)),
    ("POST", r"/cancelrequest(/\{aetitle\})?", Traits(takes=_BOTH, status=(202,))),
    (
        "POST",
        r"/subscribers/\{aetitle\}",
        Traits((("deletionlock", "boolean"), ("filter", "string")), status=(201,)),
    ),
    ("GET", r"/subscribers/\{aetitle\}", Traits(status=(101,))),
    ("POST", r"/studies(/\{study\})?", Traits(takes=_FILES, gives=_BOTH, status=(200, 202))),
    ("GET", r"/metadata", Traits((("includefield", "string"),), gives=_BOTH, status=(200, 304))),
    (
        "GET",
        r"/(rendered|thumbnail)",
        Traits(
            tuple((name, "string") for name in ("viewport", "window", "quality", "annotation", "iccprofile")),
            gives=("image/jpeg", "image/png", "image/gif"),
        ),
    ),
    ("GET", r"/(frames/\{frames\}|pixeldata)", Traits(gives=(f'multipart/related; type="{OCTETS}"', OCTETS))),
    (
        "GET",
        r"/bulkdata(/\{element\})?",
        Traits((("offset", "integer"), ("length", "integer")), gives=(OCTETS,), status=(200, 206)),
    ),
    ("DELETE", r"(/\{study\}|/\{series\}|/\{instance\})", Traits(status=(204,))),
    (
        "GET",
        r"(/\{study\}|/\{series\}|/\{instance\})",
        Traits(
            (("names", "string"), ("dicomdir", "boolean")),
            gives=(*_FILES, "application/zip"),
            status=(200, 206, 304),
        ),
    ),
    ("GET", _NON_PATIENT, Traits(_SEARCH, gives=_BOTH)),
    ("POST", _NON_PATIENT + r"(/\{uid\})?", Traits(takes=_FILES, gives=(JSON,))),
    ("DELETE", _NON_PATIENT + r"/\{uid\}", Traits(status=(204,))),
    ("GET", _NON_PATIENT + r"/\{uid\}", Traits(gives=(JSON, XML, *_FILES))),
    ("GET", r"/openapi\.json", Traits(gives=("application/json",))),
)


def traits_of(one: Operation) -> Traits:
    """What is known of an operation besides its path."""
    for method, ending, traits in _TRAITS:
        if method == one.method and re.search(ending + "$", one.path):
            return traits
    return Traits()


# -- WADL ----------------------------------------------------------------------------------------------


def tree_of(found: Iterable[Operation], root: str) -> Json:
    """The tree of resources: `{"path", "methods", "resources"}`, each below the one that its path extends."""
    top: Json = {"path": "", "methods": [], "resources": []}
    for one in found:
        here = top
        for segment in one.path.removeprefix(root).strip("/").split("/"):
            here = _child(here, segment) if segment else here
        traits = traits_of(one)
        here["methods"].append(
            {
                "name": one.method,
                "says": one.does or one.says,
                "query": [name for name, _ in traits.query],
                "takes": list(traits.takes),
                "gives": list(traits.gives),
                "status": list(traits.status),
            }
        )
    return top


def _child(of: Json, segment: str) -> Json:
    for below in of["resources"]:
        if below["path"] == segment:
            known: Json = below
            return known
    made: Json = {"path": segment, "methods": [], "resources": []}
    of["resources"].append(made)
    return made


def wadl(tree: Json, base: str) -> str:
    """The tree as a WADL document."""
    out = ['<?xml version="1.0" encoding="UTF-8"?>', '<application xmlns="http://wadl.dev.java.net/2009/02">']
    out.append(f"<resources base={quoteattr(base + '/')}>")
    for below in tree["resources"]:
        _write_resource(below, out)
    out.append("</resources></application>")
    return "\n".join(out)


def _write_resource(resource: Json, out: list[str]) -> None:
    path = resource["path"]
    out.append(f"<resource path={quoteattr(path)}>")
    out += [
        f'<param name={quoteattr(name)} style="template" required="true"/>'
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    for method in resource["methods"]:
        _write_method(method, out)
    for below in resource["resources"]:
        _write_resource(below, out)
    out.append("</resource>")


def _write_method(method: Json, out: list[str]) -> None:
    out.append(f"<method name={quoteattr(method['name'])}><doc>{escape(method['says'])}</doc>")
    out.append("<request>")
    out += [f'<param name={quoteattr(name)} style="query"/>' for name in method["query"]]
    out += [f"<representation mediaType={quoteattr(kind)}/>" for kind in method["takes"]]
    statuses = " ".join(map(str, method["status"]))
    out.append(f'</request><response status="{statuses}">')
    out += [f"<representation mediaType={quoteattr(kind)}/>" for kind in method["gives"]]
    out.append("</response></method>")


# -- OpenAPI -------------------------------------------------------------------------------------------


def openapi(found: Sequence[Operation], base: str, root: str, version: str) -> Json:
    """The service in OpenAPI 3.1.

    Args:
        found: what it offers.
        base: absolute URL of the root.
        root: path of the root in the operations' paths.
        version: of this server.
    """
    paths: Json = {}
    for one in found:
        path = one.path.removeprefix(root) or "/"
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, path)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DICOMweb of Isocenter", "version": version},
        "servers": [{"url": base}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR},
        },
    }


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")} | {"detail": {}},
        }
    },
}
_DATA_SETS = {"type": "array", "items": {"type": "object"}}


def _operation(one: Operation, path: str) -> Json:
    traits = traits_of(one)
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in one.parameters
    ]
    parameters += [{"name": name, "in": "query", "schema": {"type": kind}} for name, kind in traits.query]
    made: Json = {
        "operationId": one.method.lower() + re.sub(r"\W+", "_", path).rstrip("_"),
        "summary": one.does or one.says,
        "parameters": parameters,
        "responses": {
            **{str(status): _answer(traits, status) for status in traits.status},
            "default": {
                "description": "An error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if traits.takes:
        made["requestBody"] = {"content": {kind: {"schema": _schema(kind, {})} for kind in traits.takes}}
    return made


def _answer(traits: Traits, status: int) -> Json:
    made: Json = {"description": {304: "Not modified", 204: "Done"}.get(status, "Success")}
    if traits.gives and status not in (204, 304):
        made["content"] = {kind: {"schema": _schema(kind, _DATA_SETS)} for kind in traits.gives}
    return made


def _schema(kind: str, of_json: Json) -> Json:
    """JSON has a shape; everything else is bytes, which 3.1 says by an empty schema."""
    return (of_json or {"type": "object"}) if kind == JSON else {}
