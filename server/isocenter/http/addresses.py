"""Where a request came from and by which address it reached us: base URL, own origin, loopback or not."""

from __future__ import annotations

import ipaddress
import re
import socket

from tornado.httputil import HTTPServerRequest

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_PASSED_ON = ("Forwarded", "Via", "X-Real-Ip")  # as Tornado normalizes names
_PREFIX = re.compile(r"(/[A-Za-z0-9._~@%+-]+)*")
REMOVED = "removed_prefix"  # attribute of a request
_FORWARDED = re.compile(r'(proto|host)\s*=\s*(?:"([^"]*)"|([^;,\s"]*))', re.IGNORECASE)


def base_url(request: HTTPServerRequest) -> str:
    """The URL of our root as the client sees it, without a last slash.

    From Forwarded (RFC 7239), X-Forwarded-Proto, -Host and -Prefix, else the request itself and the prefix
    that was removed from its path (`http.prefix`). They decide
    nothing but the links in answers to the very client that sent them, so they need no trust.
    """
    first = (request.headers.get("Forwarded") or "").split(",")[0]
    told = {name.lower(): quoted or plain for name, quoted, plain in _FORWARDED.findall(first)}
    proto = told.get("proto") or _first(request, "X-Forwarded-Proto")
    host = told.get("host") or _first(request, "X-Forwarded-Host")
    prefix = _first(request, "X-Forwarded-Prefix").rstrip("/") or getattr(request, REMOVED, "")
    proto = proto if proto in ("http", "https") else request.protocol
    host = host if _HOST.fullmatch(host) else own_host(request)
    return f"{proto}://{host}{prefix if _PREFIX.fullmatch(prefix) else ''}"


def own_host(request: HTTPServerRequest) -> str:
    """The Host that the request names; `localhost` when it is missing or malformed.

    Some clients (dicomweb-client) leave the port out. Where the name is plainly that of this very listener,
    its port is put back; any other name may be a proxy's, whose port we do not know.
    """
    host = request.host if _HOST.fullmatch(request.host or "") else "localhost"
    here = socket_name(request)
    if here is None or re.search(r":\d+$", host):
        return host
    plain = host.strip("[]").lower()
    own = _loopback(plain) or plain in ("localhost", here[0])
    return f"{host}:{here[1]}" if own and here[1] not in (80, 443) else host


def socket_name(request: HTTPServerRequest) -> tuple[str, int] | None:
    """Address and port of the listener that took this connection; None for a unix socket."""
    taken = getattr(getattr(request.connection, "stream", None), "socket", None)
    name = taken.getsockname() if taken is not None else None
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


def from_this_machine(request: HTTPServerRequest) -> bool:
    """Whether the connection comes from this machine: a loopback address or a unix socket."""
    context = getattr(request.connection, "context", None)
    if getattr(context, "address_family", None) not in (socket.AF_INET, socket.AF_INET6):
        return True
    return _loopback(request.remote_ip or "")


def names_this_machine(request: HTTPServerRequest) -> bool:
    """Whether Host is a loopback name; a page of a site whose name was rebound to us sends its own.

    A Host that is none (`a~b.evil.example`, which browsers do send) names nobody, so not this machine.
    """
    found = _HOST.fullmatch(request.host or "")
    name = found[1].strip("[]").lower() if found else ""
    return name == "localhost" or name.endswith(".localhost") or _loopback(name)


def forwarded(request: HTTPServerRequest) -> bool:
    """Whether a proxy says that it passed this on: then it may come from anywhere.

    Not every proxy says so (nginx only when told to), which is why a token comes before a proxy.
    """
    return any(name in _PASSED_ON or name.startswith("X-Forwarded-") for name in request.headers)


def cross_site(request: HTTPServerRequest) -> bool:
    """Whether a browser says that a page of another origin sent this."""
    origin = request.headers.get("Origin")
    if origin:
        return re.sub(r"^https?://", "", origin) not in (own_host(request), base_url(request).split("//")[1])
    return request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site")


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _first(request: HTTPServerRequest, name: str) -> str:
    return (request.headers.get(name) or "").split(",")[0].strip()
