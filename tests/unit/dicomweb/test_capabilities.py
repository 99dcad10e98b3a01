"""The service describes itself: WADL and JSON capabilities, and OpenAPI, of what it really serves."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from isocenter import dicomweb
from isocenter.http.route_table import Operation, operations

WADL = "{http://wadl.dev.java.net/2009/02}"
ROOT = "/dicom-web"


def below_the_root() -> list[Operation]:
    """What is served below the root; WADO-URI is beside it."""
    return [one for one in operations(dicomweb.routes) if one.path.startswith(ROOT)]


def paths(resource: ElementTree.Element, above: str = "") -> dict[str, set[str]]:
    """Path of every resource to its methods."""
    found: dict[str, set[str]] = {}
    for below in resource.findall(f"{WADL}resource"):
        path = f"{above}/{below.get('path')}"
        methods = {str(method.get("name")) for method in below.findall(f"{WADL}method")}
        found |= ({path: methods} if methods else {}) | paths(below, path)
    return found


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
@pytest.mark.parametrize("path", [ROOT, ROOT + "/"])
def test_wadl_names_every_route_and_method(web: Any, method: str, path: str) -> None:
    answer = web.web.request(method, web.url + path, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/vnd.sun.wadl+xml"
    (resources,) = ElementTree.fromstring(answer.content)
    assert resources.get("base") == f"{web.url}{ROOT}/"
    told = paths(resources)
    served: dict[str, set[str]] = {}
    for one in below_the_root():
        served.setdefault(one.path.removeprefix(ROOT), set()).add(one.method)
    served.pop("", None)
    assert told == served
    assert told["/studies/{study}"] >= {"GET", "POST", "DELETE"}


def test_json_has_the_same_tree(web: Any) -> None:
    answer = web.get(ROOT, headers={"Accept": "application/json"})
    tree = answer.json()
    assert tree["base"] == web.url + ROOT
    assert {"studies", "workitems", "subscribers"} <= {below["path"] for below in tree["resources"]}


def test_another_type_is_not_acceptable(web: Any) -> None:
    assert web.get(ROOT, headers={"Accept": "image/png"}).status_code == 406


def test_openapi_describes_every_route(web: Any) -> None:
    document = web.get(ROOT + "/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": web.url + ROOT}]
    told = {(path, method.upper()) for path, of in document["paths"].items() for method in of}
    served = {(one.path.removeprefix(ROOT) or "/", one.method) for one in below_the_root()}
    assert told == served


def test_openapi_is_well_formed(web: Any) -> None:
    document = web.get(ROOT + "/openapi.json").json()
    identities = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            identities.append(operation["operationId"])
            inside = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
            assert inside == re.findall(r"\{(\w+)\}", path)
            for parameter in operation["parameters"]:
                jsonschema.Draft202012Validator.check_schema(parameter["schema"])
            assert "default" in operation["responses"]
    assert len(identities) == len(set(identities))


def test_an_error_is_as_openapi_says(web: Any) -> None:
    document = web.get(ROOT + "/openapi.json").json()
    jsonschema.validate(web.get(ROOT + "/studies/1.2.3").json(), document["components"]["schemas"]["Error"])
