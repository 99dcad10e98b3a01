"""Who is let in: credentials, the rules while no token exists, and pages of other origins (CORS).

Without tokens the owner of this machine is trusted, but not every page that a browser on it happens to show:
requests must come over loopback, name a loopback host (or a rebound name could read everything), and change
nothing when a page of another site sends them.
"""

from __future__ import annotations

from collections.abc import Iterable

from tornado.httputil import HTTPServerRequest

from isocenter.errors import Forbidden
from isocenter.http.addresses import cross_site, from_this_machine, names_this_machine
from isocenter.security import LOCAL, Identity, Tokens

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def identify(request: HTTPServerRequest, tokens: Tokens, origins: Iterable[str]) -> Identity:
    """Who sends this request.

    Args:
        request: as it came.
        tokens: those of the server.
        origins: other origins whose pages may call.

    Raises:
        Unauthorized: a token is needed, and this one is missing, unknown or expired.
        Forbidden: no token exists, and the request is not plainly from this machine's owner.
    """
    scheme, _, secret = (request.headers.get("Authorization") or "").partition(" ")
    identity = tokens.identify(secret.strip() if scheme.lower() == "bearer" else None)
    if identity is LOCAL and not tokens.exist():
        _this_machine_only(request, origins)
    return identity


def _this_machine_only(request: HTTPServerRequest, origins: Iterable[str]) -> None:
    if not from_this_machine(request):
        raise Forbidden(
            "This server has no token yet and answers its own machine only",
            hint="`isocenter token create` makes one",
        )
    if not names_this_machine(request):
        raise Forbidden(
            "This server has no token yet and answers to localhost only",
            hint="use http://127.0.0.1, or make a token",
        )
    changes = request.method not in SAFE_METHODS
    if changes and cross_site(request) and not allowed_origin(request, origins):
        raise Forbidden("A page of another site may not change anything here")


def allowed_origin(request: HTTPServerRequest, origins: Iterable[str]) -> str:
    """The other origin that this request comes from, when its pages may call; else nothing."""
    origin = request.headers.get("Origin", "")
    allowed = tuple(origins)
    return origin if origin and (origin in allowed or "*" in allowed) else ""


# What a viewer of another origin sends, and reads from answers.
REQUEST_HEADERS = "Accept, Authorization, Content-Type, If-None-Match, If-Range, Range"
ANSWER_HEADERS = (
    "Accept-Ranges, Content-Length, Content-Location, Content-Range, ETag, Last-Modified, Warning, "
    "X-Request-Id"
)
