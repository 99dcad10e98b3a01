"""What a widget's browser side may ask over its comm, and what is shown where there is no browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import nbconvert
import nbformat
import pytest
from live_archive import LiveArchive

from isocenter.client.archive import Archive
from isocenter.errors import NotFound
from isocenter_jupyter.widgets.answering import check
from isocenter_jupyter.widgets.base import ArchiveWidget

Browse = Callable[[Any], Any]


class Plain(ArchiveWidget):
    """Nothing to show, something to ask."""

    largest_answer: ClassVar[int] = 800

    def answers(self) -> dict[str, Any]:
        return {"double": lambda content: content * 2, "fail": self.fail}

    def fail(self, content: object) -> None:
        raise NotFound("There is no such thing", hint="look elsewhere")


@pytest.fixture
def widget(archive: Archive) -> Iterator[Plain]:
    made = Plain(archive)
    yield made
    made.close()


def test_a_widget_reads_from_its_server(widget: Plain, browse: Browse) -> None:
    browser = browse(widget)
    status, system = browser.ask("GET", "/api/system")
    assert (status, system["Name"]) == (200, "Isocenter")
    assert browser.ask("POST", "/api/tables/count", {"level": "instance"}) == (200, {"count": 2})


def test_an_error_of_the_server_comes_as_the_server_told_it(widget: Plain, browse: Browse) -> None:
    status, told = browse(widget).ask("POST", "/api/tables/count", {"level": "galaxy"})
    assert (status, told["error"]["code"]) == (400, "bad-request")


def test_a_server_that_is_gone_is_an_error_that_can_be_read(
    widget: Plain, browse: Browse, web: LiveArchive
) -> None:
    widget.archive.transport._port = 1
    widget.archive.close()
    status, told = browse(widget).ask("GET", "/api/system")
    assert status == 503
    assert "No answer from" in told["error"]["message"]


def test_an_answer_that_is_too_large_says_so(widget: Plain, browse: Browse) -> None:
    answers = [
        browse(widget).ask("GET", path) for path in ("/dicom-web/studies/1.2.3/metadata", "/api/system")
    ]
    assert [status for status, _ in answers] == [413, 200]
    assert "do not pass through the kernel" in answers[0][1]["error"]["message"]


def test_a_widget_answers_by_name(widget: Plain, browse: Browse) -> None:
    browser = browse(widget)
    assert browser.ask("ASK", "double", 21) == (200, 42)
    status, told = browser.ask("ASK", "fail")
    assert (status, told["error"]["hint"]) == (404, "look elsewhere")
    assert browser.ask("ASK", "close")[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/dicom-web/studies/1.2.3"),
        ("POST", "/dicom-web/studies"),
        ("POST", "/api/tables/sql"),
        ("GET", "/api/tokens"),
        ("GET", "/viewers/ohif"),
        ("GET", "/datasets/other/dicom-web/studies"),
        ("GET", "/api/statistics?dataset=other"),
        ("GET", "/dicom-web/../api/tokens"),
        ("GET", "/dicom-web/%2e%2e/api/tokens"),
        ("GET", "//evil.example/dicom-web/"),
        ("GET", "http://evil.example/"),
        ("GET", "/dicom-web/studies HTTP/1.1\r\nX: y"),
    ],
)
def test_what_a_widget_may_not_ask(widget: Plain, browse: Browse, method: str, path: str) -> None:
    assert browse(widget).ask(method, path)[0] in (400, 403)


def test_a_widget_of_another_dataset_reads_that_one() -> None:
    check("ct-lab", "GET", "/datasets/ct-lab/dicom-web/studies?limit=2")
    check("ct-lab", "GET", "/api/statistics?dataset=ct-lab")


def test_a_query_is_bound_to_the_dataset(widget: Plain, browse: Browse) -> None:
    asked = {"level": "instance", "dataset": "other"}
    assert browse(widget).ask("POST", "/api/tables/count", asked) == (200, {"count": 2})


def test_what_is_given_up_is_not_answered(archive: Archive) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(ArchiveWidget):
        """Waits."""

        def answers(self) -> dict[str, Any]:
            def wait(_content: object) -> int:
                begun.set()
                go_on.wait(30)
                return 1

            return {"wait": wait, "at once": lambda _content: 2}

    widget = Slow(archive)
    told: list[str] = []
    answered = threading.Event()

    def take(content: dict[str, Any], _buffers: list[bytes]) -> None:
        told.append(content["id"])
        answered.set()

    widget._answering._send = take
    widget._handle_custom_msg({"isocenter": "request", "id": "a", "method": "ASK", "path": "wait"}, [])
    assert begun.wait(30)
    widget._handle_custom_msg({"isocenter": "cancel", "id": "a"}, [])
    go_on.set()
    while widget._answering._waiting:
        threading.Event().wait(0.005)
    widget._handle_custom_msg({"isocenter": "request", "id": "b", "method": "ASK", "path": "at once"}, [])
    assert answered.wait(30)
    assert told == ["b"]
    widget.close()


def test_the_token_is_no_part_of_a_widget(archive: Archive, widget: Plain) -> None:
    archive.transport.token = "secret-token"
    assert "secret-token" not in repr(widget.get_state())


def test_a_widget_has_a_text_and_a_page_where_there_is_no_browser(widget: Plain) -> None:
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == "<Plain>"
    assert "open the notebook in Jupyter" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_a_page_made_of_a_notebook_has_the_fallback(widget: Plain) -> None:
    data, metadata = widget._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("widget", outputs=[output])])
    page, _ = nbconvert.HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert "open the notebook in Jupyter" in page
