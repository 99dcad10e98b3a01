"""Which paths of the data server the proxy reaches, and under which query: ours, spelled plainly.

A path is passed on as the browser sent it, never decoded and encoded anew. So one that means something else
after decoding (`..`, a slash or backslash in disguise) is refused rather than cleaned.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

from isocenter.errors import BadRequest, NotFound

ROOTS = ("api", "datasets", "dicom-web", "explorer", "healthz", "viewers", "wado")
"""What a path may begin with; `/` itself is the explorer's page."""

QUESTIONS = ("/api/tables/query", "/api/tables/count", "/api/tools/find", "/api/tools/lookup")
"""Asked by POST because a question is too long for a URL; they change nothing."""

_DATASET = re.compile(r"^/datasets/[A-Za-z0-9_-]{1,64}(?=/)")
_POLLED = re.compile(r"/(?:healthz|api/(?:changes|cohorts|datasets|jobs|statistics|system)(?:/.*)?)")
_PLAIN = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_FOR_JUPYTER = ("token", "_xsrf", "no_track_activity")


def checked(path: str) -> str:
    """The path, if the proxy reaches it.

    Args:
        path: below the proxy, as it was sent; empty is `/`.

    Raises:
        BadRequest: it is not spelled plainly.
        NotFound: it is none of ours.
    """
    path = path or "/"
    if not path.startswith("/") or not _PLAIN.fullmatch(path) or _disguised(path):
        raise BadRequest(
            "This path is not passed on", hint="write it without dot segments or encoded slashes"
        )
    root = path.split("/")[1]
    if path != "/" and root not in ROOTS:
        raise NotFound("There is nothing of Isocenter here", hint="there are: /" + ", /".join(ROOTS))
    return path


def _disguised(path: str) -> bool:
    """Whether it has empty or dot segments, or would after any number of decodings."""
    if "//" in path:
        return True
    segments = path.split("/")
    while True:
        if any(segment in (".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", segment) for segment in segments):
            return True
        decoded = [unquote(segment) for segment in segments]
        if decoded == segments:
            return False
        segments = decoded


def query_for_data_server(query: str) -> str:
    """The query without what is meant for Jupyter, its credentials above all; the rest byte for byte."""
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in _FOR_JUPYTER]
    return "&".join(kept)


def route_of(method: str, path: str) -> str:
    """The route that the authorization table knows: `question` for a POST that only reads, else `data`."""
    return "question" if method == "POST" and _DATASET.sub("", path) in QUESTIONS else "data"


def is_polled(method: str, path: str) -> bool:
    """Whether pages ask this again and again by themselves, so that it is no sign of somebody at work."""
    return method in ("GET", "HEAD") and _POLLED.fullmatch(_DATASET.sub("", path)) is not None
