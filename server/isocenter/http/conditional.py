"""Conditional requests (RFC 9110 13): If-None-Match, else If-Modified-Since.

Ranges and If-Range are in `ranges`.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from tornado.httputil import format_timestamp

from isocenter.http.handler import Handler


def tell_representation(handler: Handler, etag: str | None, received: int) -> None:
    """Set ETag, Last-Modified and Vary.

    Args:
        handler: of the request.
        etag: of what is sent, quoted; None for what has none.
        received: when the newest of what is sent arrived, microseconds since 1970.
    """
    if etag is not None:
        handler.set_header("ETag", etag)
    handler.set_header("Last-Modified", format_timestamp(received // 1_000_000))
    handler.add_header("Vary", "Accept")


def not_modified(handler: Handler) -> bool:
    """Whether the client has what would be sent; then the status is 304.

    ETag and Last-Modified are set already. If-Modified-Since counts only without If-None-Match.
    """
    if "If-None-Match" in handler.request.headers:
        same = handler.check_etag_header()
    else:
        same = _not_since(handler.request.headers.get("If-Modified-Since"), handler)
    if same:
        handler.set_status(304)
    return same


def _not_since(header: str | None, handler: Handler) -> bool:
    if header is None:
        return False
    modified = handler.get_written_header("Last-Modified")
    try:
        return bool(modified) and parsedate_to_datetime(modified) <= parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return False  # no HTTP date, or one without a zone: ignored (RFC 9110 13.1.3)
