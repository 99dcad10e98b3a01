"""Which paths the proxy reaches, and what of a query goes on."""

from __future__ import annotations

import pytest

from isocenter.errors import BadRequest, NotFound
from isocenter_jupyter.paths import checked, is_polled, query_for_data_server, route_of


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/dicom-web/studies",
        "/dicom-web/studies/1.2.3/series/1.2.4/metadata",
        "/datasets/ct-lab/dicom-web/studies",
        "/api/system",
        "/wado",
        "/viewers/ohif/app.bundle.js",
        "/api/studies/a%20b",
    ],
)
def test_our_paths_are_reached_as_they_are_spelled(path: str) -> None:
    assert checked(path) == path


@pytest.mark.parametrize("path", ["/metrics", "/lab", "/apis", "/dicom-webs/x", "/proxy/80/", "/etc/passwd"])
def test_others_are_not(path: str) -> None:
    with pytest.raises(NotFound):
        checked(path)


@pytest.mark.parametrize(
    "path",
    [
        "/api/../metrics",
        "/api/%2e%2e/metrics",
        "/api/%252e%252e/metrics",
        "/api/.%2e/metrics",
        "/api/./x",
        "/api/..%2fmetrics",
        "/api/%2f%2fevil",
        "/api/a%2Fb",
        "/api/a%5cb",
        "/api/a\\b",
        "/api//x",
        "//evil.example/api",
        "/api/%00",
        "/api/a%0d%0aX:y",
        "/api/ü",
        "/api/a b",
        "http://evil.example/api",
        "@evil.example/api",
        ":80/api",
        "/api/%zz",
    ],
)
def test_what_would_mean_something_else_when_decoded_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        checked(path)


def test_what_is_meant_for_jupyter_is_taken_out_of_the_query_and_nothing_else_is_touched() -> None:
    query = "PatientName=Doe%5EJohn*&token=secret&limit=5&_xsrf=2|x&%74oken=again&tokens=2&a=b+c"
    assert query_for_data_server(query) == "PatientName=Doe%5EJohn*&limit=5&tokens=2&a=b+c"
    assert query_for_data_server("no_track_activity=1") == ""


def test_questions_asked_by_post_are_reading() -> None:
    assert route_of("POST", "/api/tables/query") == "question"
    assert route_of("POST", "/datasets/lab/api/tables/count") == "question"
    assert route_of("POST", "/api/tables/querying") == "data"
    assert route_of("GET", "/api/tables/query") == "data"
    assert route_of("POST", "/dicom-web/studies") == "data"


def test_what_pages_ask_by_themselves_is_no_activity() -> None:
    assert is_polled("GET", "/api/jobs/123")
    assert is_polled("GET", "/datasets/lab/api/changes")
    assert is_polled("GET", "/api/datasets/lab/snapshots")
    assert is_polled("GET", "/api/cohorts")
    assert not is_polled("POST", "/api/jobs/123")
    assert not is_polled("GET", "/dicom-web/studies")
