"""The Tornado application and HTTP server of one process, made of the routes that the faces export.

The faces (DICOMweb, REST, pages) are above this package, so their routes are passed in.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any, TypeAlias

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from isocenter.http.addresses import REMOVED
from isocenter.http.context import Context
from isocenter.http.handler import Handler, Nothing
from isocenter.http.routes import routes as own_routes

Route: TypeAlias = tuple[str, type[Handler]] | tuple[str, type[Handler], dict[str, Any]]

log = logging.getLogger("isocenter.http.access")

# Bytes read from a connection at once: what is handed to the disk thread in one go.
_CHUNK = 256 * 1024
_IDLE_SECONDS = 600


def make_application(context: Context, routes: Iterable[Route]) -> Application:
    """The application that serves `routes` besides `/healthz` and `/metrics`.

    A route is (regular expression, handler class[, more arguments]); the context is added to its arguments.
    """
    shared = {"context": context}
    rules = [
        (pattern, handler, {**shared, **(more[0] if more else {})})
        for pattern, handler, *more in [*own_routes, *routes]
    ]
    return _Application(
        rules,
        prefix=context.settings.http.prefix,
        default_handler_class=Nothing,
        default_handler_args=shared,
        log_function=_log_request,
        compress_response=False,
    )


class _Application(Application):
    """Requests whose path begins with `prefix` are as if they had come without it, save for links."""

    def __init__(self, *args: Any, prefix: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prefix = prefix

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Tornado's."""
        if self._prefix and (request.path + "/").startswith(self._prefix + "/"):
            request.path = request.path.removeprefix(self._prefix) or "/"
            rest = (request.uri or "").removeprefix(self._prefix)
            request.uri = rest if rest.startswith("/") else "/" + rest
            setattr(request, REMOVED, self._prefix)
        return super().find_handler(request, **kwargs)


def make_server(application: Application, context: Context) -> HTTPServer:
    """An HTTP server for `application`, to be given sockets."""
    return HTTPServer(
        application,
        chunk_size=_CHUNK,
        max_body_size=sys.maxsize,  # handlers have limits of their own, and say so when one is passed
        idle_connection_timeout=_IDLE_SECONDS,
    )


def _log_request(handler: RequestHandler) -> None:
    """One line a request, without its query: that may hold a patient's name."""
    request = handler.request
    log.info(
        "%s %s %d %.1f ms [%s]",
        request.method,
        request.path,
        handler.get_status(),
        1000 * request.request_time(),
        getattr(handler, "request_id", "-"),
    )
