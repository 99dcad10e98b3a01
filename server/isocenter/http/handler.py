"""The base of every request handler: who asks, of which dataset, within which limits, how errors are told.

Every handler reads its body as a stream, so that credentials and limits are checked before its first byte.
Nothing here compresses or digests a body: Tornado's body ETag and gzip transform would do so on the loop.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from isocenter import metrics
from isocenter.errors import BadRequest, IsocenterError, NotFound, TooLarge
from isocenter.http.addresses import base_url
from isocenter.http.admission import ANSWER_HEADERS, REQUEST_HEADERS, allowed_origin, bearer, identify
from isocenter.http.context import Context
from isocenter.http.failures import RangeNotSatisfiable, UnsupportedMedia, of_status
from isocenter.security import LOCAL, Action, Identity

if TYPE_CHECKING:
    from isocenter.archive import Dataset

log = logging.getLogger("isocenter.http")

MEBIBYTE = 1024 * 1024
# The body of a refused request is read and dropped up to here, so that its sender gets to read why (one that
# is cut off while it sends sees only a reset); beyond it we answer and hang up.
_MOST_DRAINED = 64 * MEBIBYTE
_CHANGING = frozenset({Action.STORE, Action.CURATE})
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


@stream_request_body
class Handler(RequestHandler):
    """What all handlers share; a subclass says its face, who may use it and how large its body may be."""

    face: str = "other"
    """Label of metrics: one word for a family of routes."""
    actions: ClassVar[Mapping[str, Action]] = {"GET": Action.READ, "HEAD": Action.READ}
    """What each method does to the dataset; one that is not named needs an administrator."""
    public: ClassVar[bool] = False
    """Whether it answers without credentials."""
    max_body: ClassVar[int] = 16 * MEBIBYTE
    """Largest request body."""

    context: Context
    when_gone: Callable[[], None] | None = None
    """What ends the request when its client goes away (`closing`)."""

    def initialize(self, context: Context) -> None:
        """Tornado calls this with the arguments of the route."""
        self.context = context
        self.identity: Identity = LOCAL
        self._refusal: Exception | None = None
        self._body = bytearray()
        self._received = 0
        self._began = time.perf_counter()
        self._active = True
        metrics.http_active.inc()

    # --- before the body

    def set_default_headers(self) -> None:
        """Called by Tornado at the start and again before an error is written."""
        if not hasattr(self, "request_id"):
            self.request_id = secrets.token_hex(8)
        self.set_header("Server", "Isocenter")
        self.set_header("X-Request-Id", self.request_id)
        for name, value in _SECURITY_HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> Awaitable[None] | None:
        """Check the request before its body; a refusal is answered behind the body (see `refuse`)."""
        self._allow_origin()
        self._send_at_once()
        if self.context.tokens.hub is not None and not self.public:
            return self._check_with_hub(bearer(self.request))
        self._check()
        return None

    async def _check_with_hub(self, secret: str) -> None:
        try:
            if secret:
                await self.context.tokens.ask_hub(secret)
        except IsocenterError as error:
            self.refuse(error)
        else:
            self._check()

    def _check(self) -> None:
        try:
            self.check()
        except Exception as error:  # noqa: BLE001 (told when the body is over)
            self.refuse(error)

    def _send_at_once(self) -> None:
        """Without Nagle's algorithm: a piece behind an unacknowledged one would wait 40 ms."""
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.set_nodelay(True)

    def check(self) -> None:
        """Check origin, credentials, rights and announced size."""
        if self.request.method == "OPTIONS" or self.public:
            return
        origins = self.context.settings.http.cors_origins
        self.identity = identify(self.request, self.context.tokens, origins)
        action = self.actions.get(self.request.method or "", Action.ADMINISTER)
        name = self.dataset_name
        if name is not None:
            self.dataset(name, action)
        elif action is not Action.READ:
            self.identity.require(action)
        self._limit_body()

    @property
    def dataset_name(self) -> str | None:
        """The dataset that the path names; None where paths name none."""
        return self.path_kwargs.get("dataset")

    def dataset(self, name: str | None = None, action: Action = Action.READ) -> Dataset:
        """The dataset of this request, or the one called `name`.

        Raises:
            Forbidden: the caller may not do `action` there; said before it is said whether it exists.
            NotFound: there is no such dataset.
        """
        name = name or self.dataset_name or "main"
        self.identity.require(action, name)
        found = self.context.archive.datasets.get(name)
        if found is None:
            known = sorted(n for n in self.context.archive.datasets if self.identity.may(action, n))
            raise NotFound(f"There is no dataset {name!r}", hint=f"there are: {', '.join(known)}")
        if action in _CHANGING:
            found.require_writable()
        return found

    @property
    def base_url(self) -> str:
        """The URL of our root as the client sees it."""
        return base_url(self.request)

    @property
    def _announced(self) -> int:
        """The body's size as the sender tells it, 0 when it does not."""
        told = self.request.headers.get("Content-Length", "")
        return int(told[:19]) if told.isascii() and told.isdecimal() else 0

    def _limit_body(self) -> None:
        size = self._announced
        if self.request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedMedia("Send the body without Content-Encoding")
        if size > self.max_body_now:
            raise TooLarge(
                f"The body has {size} bytes; {self.max_body_now} are allowed",
                detail={"max": self.max_body_now},
            )

    @property
    def max_body_now(self) -> int:
        """The limit of this request's body, bytes."""
        return self.max_body

    # --- the body

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Take a piece of the body: keep it, within the limit. Streaming handlers override `receive`."""
        self._received += len(chunk)
        if self._refusal is not None:
            self._hang_up_if_endless(self._received)
            return None
        try:
            if self._received > self.max_body_now:
                raise TooLarge(f"The body is larger than {self.max_body_now} bytes")
            pause = self.receive(chunk)
            return self._guarded(pause) if pause is not None else None
        except Exception as error:  # noqa: BLE001 (Tornado would drop the connection without an answer)
            self.refuse(error)
            return None

    async def _guarded(self, pause: Awaitable[None]) -> None:
        try:
            await pause
        except Exception as error:  # noqa: BLE001 (the same)
            self.refuse(error)

    def receive(self, chunk: bytes) -> Awaitable[None] | None:
        """Use a piece of the body; an awaitable holds the sender back until it is done."""
        self._body += chunk
        return None

    def refuse(self, error: Exception) -> None:
        """Answer with `error` when the body is over; what still comes of it is read and dropped."""
        if self._refusal is None:
            self._refusal = error
            setattr(self, (self.request.method or "get").lower(), self._tell_refusal)
        self._hang_up_if_endless(self._announced)

    def _tell_refusal(self, *_args: str, **_kwargs: str) -> None:
        assert self._refusal is not None
        raise self._refusal

    def _hang_up_if_endless(self, size: int) -> None:
        if size > _MOST_DRAINED and self._refusal is not None and not self._finished:
            self.set_header("Connection", "close")
            self._handle_request_exception(self._refusal)

    def json_body(self) -> Any:
        """The body as JSON; BadRequest when it is none, naming the position."""
        try:
            return json.loads(bytes(self._body))
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The body is not JSON: {error}", hint="send a JSON object") from error

    # --- the answer

    def write_json(self, value: Any, *, status: int = 200, media_type: str = "application/json") -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", media_type)
        self.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    def get_written_header(self, name: str) -> str:
        """A header of the answer as it is set so far; empty when it is not."""
        return self._headers.get(name, "")

    def compute_etag(self) -> str | None:
        """No ETag of the body: hashing it on the loop halves the throughput of frames."""
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tell an error in our one shape."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        told = error if isinstance(error, IsocenterError) else _told(status_code, error, self.request_id)
        if told.status == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="isocenter"')
        if isinstance(told, RangeNotSatisfiable):
            self.set_header("Content-Range", told.content_range)
        if told.status == 503:
            self.set_header("Retry-After", "1")
        self._allow_origin()
        self.write_json(told.to_json(), status=told.status)
        self.finish()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Tornado's, with the status that our errors carry."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        status = error.status if isinstance(error, IsocenterError) else status_code
        super().send_error(status, **kwargs)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log what is our fault, with its trace; a caller's mistake is no event."""
        if isinstance(value, IsocenterError | HTTPError | StreamClosedError):
            return
        log.error("%s %s failed [%s]", self.request.method, self.face, self.request_id, exc_info=value)

    def _handle_request_exception(self, e: BaseException) -> None:
        if isinstance(e, StreamClosedError):
            if not self._finished:
                self.finish()  # the client went away: nobody to tell, nothing to log
            return
        if self._headers_written and not self._finished:
            self._hang_up()  # or a chunked answer would end as if it were whole
        super()._handle_request_exception(e)

    def _hang_up(self) -> None:
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    def on_connection_close(self) -> None:
        """The client went away before its answer."""
        super().on_connection_close()
        if self.when_gone is not None:
            self.when_gone()
        self._no_longer_active()

    def _no_longer_active(self) -> None:
        if self._active:
            self._active = False
            metrics.http_active.dec()

    def on_finish(self) -> None:
        """Count the request."""
        self._no_longer_active()
        seconds = time.perf_counter() - self._began
        metrics.http_requests.labels(self.face, self.request.method, str(self.get_status())).inc()
        metrics.http_seconds.labels(self.face).observe(seconds)

    # --- browsers of other origins

    def options(self, *_args: str, **_kwargs: str) -> None:
        """Answer a preflight (and tell the methods to anybody)."""
        methods = [name for name in ("GET", "HEAD", "POST", "PUT", "DELETE") if self._has(name)]
        self.set_header("Allow", ", ".join([*methods, "OPTIONS"]))
        if self._origin():
            self.set_header("Access-Control-Allow-Methods", ", ".join(methods))
            self.set_header("Access-Control-Allow-Headers", REQUEST_HEADERS)
            self.set_header("Access-Control-Max-Age", "600")
        self.set_status(204)

    def _has(self, method: str) -> bool:
        return getattr(type(self), method.lower()) is not getattr(RequestHandler, method.lower())

    def _origin(self) -> str:
        return allowed_origin(self.request, self.context.settings.http.cors_origins)

    def _allow_origin(self) -> None:
        if self.context.settings.http.cors_origins:
            self.add_header("Vary", "Origin")
        if origin := self._origin():
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
            self.set_header("Access-Control-Expose-Headers", ANSWER_HEADERS)


def _told(status: int, error: BaseException | None, request_id: str) -> IsocenterError:
    """An error of the framework, or a fault of ours, in our shape and without internals."""
    if isinstance(error, HTTPError) and status < 500:
        return of_status(status, _message(error))
    if error is None and status < 500:
        return of_status(status)
    return IsocenterError("Something went wrong here", hint=f"the server's log has it under {request_id}")


def _message(error: HTTPError) -> str:
    return (error.log_message % error.args if error.args else error.log_message) if error.log_message else ""


class Nothing(Handler):
    """Answers every path that no route has: 404, to those who may ask at all."""

    def get(self, *_args: str, **_kwargs: str) -> None:
        """Say that there is nothing."""
        raise NotFound(f"There is nothing at {self.request.path}")

    head = post = put = delete = patch = get
    actions: ClassVar[Mapping[str, Action]] = dict.fromkeys(
        ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"), Action.READ
    )
