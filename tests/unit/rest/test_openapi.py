"""`/api/openapi.json` tells of every route of the API what the route tells of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from live_archive import LiveArchive, serving

from isocenter import rest
from isocenter.http.route_table import operations


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    with serving(tmp_path_factory.mktemp("openapi") / "data") as start:
        yield start()


@pytest.fixture
def told(web: LiveArchive) -> Any:
    return web.get("/api/openapi.json").json()


def test_it_has_every_route(told: Any) -> None:
    assert told["openapi"] == "3.1.0"
    offered = {(one.path, one.method.lower()) for one in operations(rest.routes)}
    assert {(path, method) for path, methods in told["paths"].items() for method in methods} == offered


def test_every_operation_has_a_name_of_its_own_and_says_what_it_is(told: Any) -> None:
    every = [(path, one) for path, methods in told["paths"].items() for one in methods.values()]
    assert len({one["operationId"] for _, one in every}) == len(every)
    for path, one in every:
        assert one["summary"]
        assert one["description"]
        inside = [each["name"] for each in one["parameters"] if each["in"] == "path"]
        assert inside == re.findall(r"\{(\w+)\}", path)


def test_parameters_and_fields_are_those_that_the_routes_name(told: Any) -> None:
    def fields(path: str) -> set[str]:
        content = told["paths"][path]["post"]["requestBody"]["content"]
        return set(content["application/json"]["schema"]["properties"])

    members = told["paths"]["/api/cohorts/{cohort}/members"]["get"]
    assert [(one["name"], one["in"]) for one in members["parameters"]] == [
        ("cohort", "path"),
        ("dataset", "query"),
        ("level", "query"),
    ]
    assert fields("/api/jobs") == {"Type", "Parameters", "Dataset", "Priority"}
    assert fields("/api/tables/facets") == {"dataset", "level", "where", "cohort", "facets"}


def test_an_error_is_as_it_says(web: LiveArchive, told: Any) -> None:
    jsonschema.validate(web.get("/api/cohorts/none").json(), told["components"]["schemas"]["Error"])
