"""Widgets in a page of their own, without Jupyter: a model that is an object of the page.

`/modules/…` are the ES modules as they are in the repository, `/page` one widget as its assembled module,
`/isocenter/proxy/…` reaches the data server as the Jupyter extension does, `/kernel/…` as a comm does.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import isocenter_jupyter.widgets
from isocenter.client.transport import Transport

WIDGETS = Path(isocenter_jupyter.widgets.__file__).parent
_TYPES = {".js": "text/javascript", ".css": "text/css"}

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Widget</title>
<style>BODY_STYLE</style><style>WIDGET_STYLE</style></head><body DIRECT><div id="widget"></div>
<script type="module">
import widget from "/widget.js";
const listeners = {};
const values = TRAITS;
const model = {
  sent: [],
  get: (name) => values[name] ?? null,
  set(name, value) {
    const same = JSON.stringify(values[name] ?? null) === JSON.stringify(value ?? null);
    values[name] = value;
    if (!same) (listeners[`change:${name}`] ?? []).forEach((one) => one());
  },
  on: (name, work) => (listeners[name] ??= []).push(work),
  off: (name, work) => (listeners[name] = (listeners[name] ?? []).filter((one) => one !== work)),
  save_changes: () => null,
  async send({ isocenter, id, method, path, headers, body }) {
    if (isocenter !== "request") return;
    model.sent.push(path);
    const asks = method === "ASK";
    const answer = await fetch(`/kernel${asks ? "/ask/" : ""}${path}`, {
      method: asks ? "POST" : method,
      headers,
      body: body ?? undefined,
    });
    const bytes = await answer.arrayBuffer();
    const names = Object.fromEntries(answer.headers);
    const told = { isocenter: "answer", id, status: answer.status, headers: names };
    (listeners["msg:custom"] ?? []).forEach((one) => one(told, [new DataView(bytes)]));
  },
};
const el = document.getElementById("widget");
window.model = model;
window.close_widget = widget.render({ model, el });
</script></body></html>"""

LIGHT = "body { margin: 16px; background: #fff; }"
DARK = (
    "body { margin: 16px; background: #111; --jp-layout-color1: #111; --jp-layout-color2: #1b1d20;"
    "--jp-layout-color3: #2b2e33; --jp-ui-font-color1: #e8eaed; --jp-ui-font-color2: #a5abb3;"
    "--jp-border-color1: #5a6069; --jp-border-color2: #33373d; --jp-brand-color1: #6db3f2;"
    "color-scheme: dark }"
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_given: Any) -> None:
        """A page that went away in the middle of a request is no error."""


class WidgetPages:
    """A server of pages with one widget each.

    Args:
        transport: to the data server.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.page = ""
        self.module, self.style = "", ""
        self.server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def put(self, widget: Any, *, direct: bool = True, dark: bool = False) -> str:
        """The address of a page with this widget's class and the values of its traits."""
        self.module, self.style = widget._esm, widget._css
        state = {
            name: value
            for name, value in widget.get_state().items()
            if name not in ("_esm", "_css", "layout")
        }
        self.page = (
            _PAGE.replace("BODY_STYLE", DARK if dark else LIGHT)
            .replace("WIDGET_STYLE", str(self.style))
            .replace("DIRECT", 'data-base-url="/"' if direct else "")
            .replace("TRAITS", json.dumps({**state, "_direct": direct}, default=str).replace("</", "<\\/"))
        )
        return f"{self.url}/page"


@contextlib.contextmanager
def widget_pages(transport: Transport) -> Iterator[WidgetPages]:
    """Serve while the context lasts."""
    pages = WidgetPages(transport)
    thread = threading.Thread(target=pages.server.serve_forever)
    thread.start()
    try:
        yield pages
    finally:
        pages.server.shutdown()
        pages.server.server_close()
        thread.join()


def _handler(pages: WidgetPages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_given: Any) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/page":
                self.tell(200, "text/html; charset=utf-8", pages.page.encode())
            elif path == "/blank":
                self.tell(200, "text/html", b"<!doctype html><title>blank</title>")
            elif path == "/widget.js":
                self.tell(200, "text/javascript", str(pages.module).encode())
            elif path.startswith("/modules/"):
                file = WIDGETS / path.removeprefix("/modules/")
                self.tell(200, _TYPES[file.suffix], file.read_bytes())
            elif path.startswith(("/isocenter/proxy/", "/kernel/")):
                self.forward(self.path.replace("/isocenter/proxy", "", 1).replace("/kernel", "", 1))
            else:
                self.tell(204 if path == "/favicon.ico" else 404, "text/plain", b"")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.tell(404, "application/json", b'{"error": {"message": "no such thing"}}')

        def forward(self, path: str) -> None:
            headers = {"Accept": self.headers.get("Accept", "*/*")}
            with pages.transport.request(
                "GET", path, headers=headers, accept_status=range(300, 600)
            ) as answer:
                body = answer.readall()
            self.tell(answer.status, answer.headers.get("Content-Type", "application/octet-stream"), body)

        def tell(self, status: int, kind: str, body: bytes) -> None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a page that is gone
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

    return Handler
