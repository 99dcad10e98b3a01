"""The service in OpenAPI 3.1, made from its routes (PS3.18 8.9 knows WADL and JSON; programs know this).

Not here: WADO-URI, which is beside the root, and the capabilities of the standard (`wadl`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from isocenter.dicomweb.schemas import DATA_SET, ERROR, content, parameter, request_body
from isocenter.dicomweb.traits import Traits, traits_of
from isocenter.http.route_table import Operation

Json = dict[str, Any]


def openapi(found: Sequence[Operation], base: str, root: str, version: str) -> Json:
    """The description.

    Args:
        found: what the service offers.
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
            "schemas": {"Error": ERROR, "DataSet": DATA_SET},
        },
    }


def _operation(one: Operation, path: str) -> Json:
    traits = traits_of(one)
    query = (*traits.query, "accept") if traits.gives else traits.query
    made: Json = {
        "operationId": one.method.lower() + re.sub(r"\W+", "_", path).rstrip("_"),
        "summary": one.does or one.says,
        "parameters": [
            *(parameter(name, "path") for name in one.parameters),
            *(parameter(name, "query") for name in query),
            *(parameter(name, "header") for name in traits.headers),
        ],
        "responses": {
            **{str(status): _answer(traits, status) for status in traits.status},
            "default": {
                "description": "An error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if traits.takes:
        made["requestBody"] = request_body(traits.takes)
    return made


def _answer(traits: Traits, status: int) -> Json:
    made: Json = {"description": {304: "Not modified", 204: "Done"}.get(status, "Success")}
    if traits.gives and status not in (204, 304):
        made["content"] = content(traits.gives)
    return made
