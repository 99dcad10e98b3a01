"""The table of HTTP routes, from the handlers themselves."""

from __future__ import annotations

import re

from isocenter import dicomweb, rest
from isocenter.http import routes as http_routes

METHODS = ("get", "post", "put", "delete")


def routes() -> str:
    """Path, method and what the handler says of itself."""
    lines = ["| path | method | |", "|---|---|---|"]
    for pattern, handler, *_more in [*http_routes.routes, *dicomweb.routes, *rest.routes]:
        for method in METHODS:
            answer = getattr(handler, method)
            if not answer.__module__.startswith("tornado."):
                said = (handler.__doc__ or "").splitlines()[0]
                lines.append(f"| `{_readable(pattern)}` | {method.upper()} | {said} |")
    return "\n".join(lines)


def _readable(pattern: str) -> str:
    """The pattern with `{name}` for each named group, and without what any dataset's root has in front."""
    path = re.sub(r"\(\?:/datasets/\(\?P<dataset>[^)]*\)\)\?", "", pattern)
    path = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"{\1}", path)
    return path.removesuffix("/?")
