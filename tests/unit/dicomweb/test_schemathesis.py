"""Whatever is sent that our OpenAPI description allows, or does not, is answered, and never by a 5xx.

schemathesis makes the requests from the description that the server gives of itself (see `fuzzed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fuzzed import Fuzzed, fuzzed
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from live_archive import serving

from isocenter import dicomweb
from isocenter.http.route_table import operations

ROOT = "/dicom-web"
EVERY = [
    f"{one.method} {one.path.removeprefix(ROOT) or '/'}"
    for one in operations(dicomweb.routes)
    if one.path.startswith(ROOT)
]
# Six resources of non-patient instances are one handler.
SOME = [label for label in EVERY if "-" not in label.split("/")[1] or "palettes" in label]
ENOUGH = settings(
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with serving(tmp_path_factory.mktemp("archive") / "data") as start:
        yield fuzzed(start())


def answered(archive: Fuzzed, label: str, data: st.DataObject) -> None:
    """One request is answered, and a refusal in our shape, or in that of the service."""
    answer = archive.ask(label, data)
    assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text}"
    kind = answer.headers.get("Content-Type", "")
    if answer.status_code < 400:
        assert archive.is_described(label, answer), f"{answer.status_code} {kind}"
    elif "dicom" not in kind:
        told = answer.json()["error"]
        assert told["code"], told["message"]


def run(examples: int, **more: bool) -> Callable[[Fuzzed, str], None]:
    """A test of so many requests."""

    def asked(archive: Fuzzed, label: str) -> None:
        @settings(ENOUGH, max_examples=examples, **more)
        @given(st.data())
        def each(data: st.DataObject) -> None:
            answered(archive, label, data)

        each()

    return asked


@pytest.mark.parametrize("label", SOME)
def test_no_request_breaks_the_server(archive: Fuzzed, label: str) -> None:
    run(8, derandomize=True)(archive, label)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("label", EVERY)
def test_many_requests_do_not_either(archive: Fuzzed, label: str) -> None:
    run(int(__import__("os").environ.get("N", "300")))(archive, label)
