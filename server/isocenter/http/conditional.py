"""Conditional requests (RFC 9110 13): If-None-Match, else If-Modified-Since; and If-Range with its Range.

How a range is written is known by `ranges`.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from tornado.httputil import format_timestamp

from isocenter.http.handler import Handler
from isocenter.http.ranges import if_range, parse_range


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


def tell_range(handler: Handler, size: int, etag: str | None) -> tuple[int, int]:
    """Start and length of what is to be sent, in bytes; its headers and, for a part, status 206 are set.

    Args:
        handler: of the request.
        size: of the whole, bytes.
        etag: of what is sent, which If-Range must name.

    Raises:
        RangeNotSatisfiable: the range begins behind the end.
    """
    start, length = 0, size
    if if_range(handler.request.headers.get("If-Range"), etag):
        wanted = parse_range(handler.request.headers.get("Range"), size)
        if wanted is not None:
            handler.set_status(206)
            handler.set_header("Content-Range", wanted.content_range)
            start, length = wanted.start, wanted.length
    handler.set_header("Accept-Ranges", "bytes")
    handler.set_header("Content-Length", str(length))
    return start, length


def _not_since(header: str | None, handler: Handler) -> bool:
    if header is None:
        return False
    modified = handler.get_written_header("Last-Modified")
    try:
        return bool(modified) and parsedate_to_datetime(modified) <= parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return False  # no HTTP date, or one without a zone: ignored (RFC 9110 13.1.3)
