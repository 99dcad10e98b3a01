"""Who is let in: credentials, the rules while no token exists, and pages of other origins (CORS).

Without tokens the owner of this machine is trusted, but neither every page that a browser on it shows nor
whomever a proxy on it lets through: requests must come over loopback and through no proxy, name a loopback
host (or a rebound name could read everything), and change nothing when a page of another site sends them. Who
shows the secret of this start, which only the owner can read, is past all that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import unquote

from tornado.httputil import HTTPServerRequest

from isocenter.errors import Forbidden
from isocenter.http.addresses import cross_site, forwarded, from_this_machine, names_this_machine
from isocenter.security import LOCAL, Identity, Role, Tokens

_MAKE_ONE = "`isocenter token create` makes one"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
USER = "X-Isocenter-User"
"""Whom a proxy of ours has let in; percent-encoded."""
_LONGEST_NAME = 200


def identify(request: HTTPServerRequest, tokens: Tokens, origins: Iterable[str]) -> Identity:
    """Who sends this request.

    Args:
        request: as it came.
        tokens: those of the server.
        origins: other origins whose pages may call.

    Raises:
        Unauthorized: a token is needed and missing, or the one shown is unknown or expired.
        Forbidden: no token exists, and the request is not plainly from this machine's owner.
    """
    secret = bearer(request)
    identity = tokens.identify(secret or None)
    if identity is LOCAL and not secret:
        _this_machine_only(request, tuple(origins))
    return _on_behalf(request, identity) if secret else identity


def _on_behalf(request: HTTPServerRequest, identity: Identity) -> Identity:
    """An administrator's proxy (Jupyter's) says for whom it asks. That is a name, and gives no right."""
    told = unquote(request.headers.get(USER) or "").strip()
    named = bool(told) and told.isprintable() and len(told) <= _LONGEST_NAME
    return replace(identity, name=told) if named and identity.role is Role.ADMIN else identity


def bearer(request: HTTPServerRequest) -> str:
    """The bearer token that a request shows (RFC 6750; or `token …`, as of JupyterHub); empty if none."""
    scheme, _, told = (request.headers.get("Authorization") or "").partition(" ")
    return told.strip() if scheme.lower() in ("bearer", "token") else ""


def _this_machine_only(request: HTTPServerRequest, origins: tuple[str, ...]) -> None:
    if not from_this_machine(request):
        raise Forbidden(
            "This server has no token yet and answers its own machine only",
            hint=_MAKE_ONE,
        )
    if forwarded(request):
        raise Forbidden("This server has no token yet and answers nobody through a proxy", hint=_MAKE_ONE)
    if not names_this_machine(request):
        raise Forbidden(
            "This server has no token yet and answers to localhost only",
            hint="use http://127.0.0.1, or make a token",
        )
    if "*" in origins and cross_site(request) and request.headers.get("Origin") not in origins:
        # The answer could be read by whatever page this browser shows.
        raise Forbidden(
            "Pages of any site may call here (http.cors_origins), once a token exists", hint=_MAKE_ONE
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
    "Isocenter-Missing, X-Request-Id, X-Total-Count"
)
