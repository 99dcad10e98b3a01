"""Routes as what they offer: a path template, a method and what the handler says of itself.

For the pages of `server/docs`, and for descriptions that the server gives of itself (WADL, OpenAPI).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.http.handler import Handler

METHODS = ("get", "post", "put", "delete")

_DATASET = re.compile(r"\(\?:/datasets/\(\?P<dataset>[^)]*\)\)\?")
_NAMED = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


@dataclass(frozen=True)
class Operation:
    """One method of one route.

    Attributes:
        path: with `{name}` for each named group, and without what any dataset's root has in front.
        method: upper case.
        handler: the class that answers.
        says: the first line of the handler's text.
        does: the first line of the method's text.
    """

    path: str
    method: str
    handler: type[Handler]
    says: str
    does: str

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return re.findall(r"\{(\w+)\}", self.path)


def operations(routes: Iterable[Sequence[Any]]) -> Iterator[Operation]:
    """Every method that the handlers of these routes have of their own."""
    for pattern, handler, *_more in routes:
        for method in METHODS:
            answer = getattr(handler, method)
            if not answer.__module__.startswith("tornado."):
                says, does = (_first_line(of) for of in (handler, answer))
                yield Operation(template(pattern), method.upper(), handler, says, does)


def template(pattern: str) -> str:
    """The path template of a route's pattern."""
    path = _NAMED.sub(r"{\1}", _DATASET.sub("", pattern)).removesuffix("/?")
    return path.replace("\\.", ".")


def _first_line(of: object) -> str:
    return (of.__doc__ or "").strip().partition("\n")[0]
