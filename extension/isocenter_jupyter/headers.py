"""Which headers the proxy passes on: a short list to the data server, all but some back.

What a browser sends to Jupyter holds its credentials (cookies, `Authorization`, XSRF) and whatever proxies in
front of it add; so only what HTTP's own semantics need goes on (RFC 9110, RFC 9111), and a header that nobody
thought of stays here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from tornado.httputil import HTTPHeaders

PASSED_ON = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "pragma",
        "prefer",
        "range",
        "user-agent",
    }
)
"""What the data server gets to see of a request."""

KEPT_BACK = frozenset(
    {
        # Of one connection (RFC 9110 7.6.1).
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # What would change how the browser treats this Jupyter as a whole.
        "alt-svc",
        "clear-site-data",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "strict-transport-security",
        # Ours to say.
        "date",
        "server",
        "www-authenticate",
    }
)
"""What the browser does not get to see of an answer; nor `Access-Control-*`, which Jupyter decides."""

USER = "X-Isocenter-User"
_CONFINED = "default-src 'none'; frame-ancestors 'self'"


def for_data_server(
    sent: HTTPHeaders, *, token: str | None, user: str, proto: str, host: str, prefix: str
) -> dict[str, str]:
    """The headers of the request that is sent to the data server.

    Args:
        sent: what the browser sent.
        token: of the data server.
        user: the name of whom Jupyter let in.
        proto, host, prefix: the address of the proxy as the browser knows it, so that links lead back here.
    """
    passed = {name: value for name, value in sent.get_all() if name.lower() in PASSED_ON}
    passed |= {"X-Forwarded-Proto": proto, "X-Forwarded-Host": host, "X-Forwarded-Prefix": prefix}
    passed[USER] = quote(user, safe="@.+- ")
    if token:
        passed["Authorization"] = f"Bearer {token}"
    return passed


def for_browser(answered: Iterable[tuple[str, str]], prefix: str) -> HTTPHeaders:
    """The headers of the answer, with redirects that stay below `prefix`."""
    given = list(answered)
    named = {
        word.strip().lower()
        for name, value in given
        if name.lower() == "connection"
        for word in value.split(",")
    }
    headers = HTTPHeaders()
    for name, value in given:
        low = name.lower()
        if low in KEPT_BACK or low in named or low.startswith("access-control-"):
            continue
        headers.add(name, _below(value, prefix) if low in ("location", "content-location") else value)
    if "Content-Security-Policy" not in headers:
        headers["Content-Security-Policy"] = _CONFINED
    headers["X-Content-Type-Options"] = "nosniff"
    return headers


def _below(location: str, prefix: str) -> str:
    """A redirect to a path of the data server, as it is called here; one that names the host is right."""
    if not location.startswith("/") or location.startswith(("//", prefix + "/")):
        return location
    return prefix + location


def has_body(sent: Mapping[str, str]) -> bool:
    """Whether a request brings a body (RFC 9110 6.4)."""
    return "Transfer-Encoding" in sent or sent.get("Content-Length", "0").strip() not in ("", "0")
