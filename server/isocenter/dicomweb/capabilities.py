"""Retrieve Capabilities (PS3.18 8.9): the service described as WADL or JSON, and as OpenAPI.

Made from the routes that are served, so that it cannot say what is not so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isocenter import __version__
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.openapi import openapi
from isocenter.dicomweb.paths import ROOT
from isocenter.dicomweb.traits import WADL
from isocenter.dicomweb.wadl import tree_of, wadl
from isocenter.errors import NotAcceptable
from isocenter.http.accept import negotiate
from isocenter.http.application import Route
from isocenter.http.route_table import operations, template

_WADL_TYPES = (WADL, "application/xml", "text/xml")
_JSON_TYPES = ("application/json", "application/vnd.sun.wadl+json", "application/dicom+json")


class Description(DicomwebHandler):
    """A description of the service."""

    def initialize(self, served: Sequence[Route], **shared: Any) -> None:  # type: ignore[override]
        """Which routes are described."""
        super().initialize(**shared)
        self.found = list(operations(served))
        self.prefix = template(ROOT)


class Capabilities(Description):
    """What this service offers, as WADL or JSON; OPTIONS tells it to anybody."""

    def get(self, **_path: str) -> None:
        """Answer in WADL, or in JSON of the same tree."""
        chosen = negotiate(self.accepted(), (*_WADL_TYPES, *_JSON_TYPES))
        if chosen is None:
            raise NotAcceptable(f"Capabilities are {WADL} or application/json", hint="send one in Accept")
        tree = tree_of(self.found, self.prefix)
        if chosen in _JSON_TYPES:
            self.write_json({"base": self.root, **tree}, media_type=chosen)
            return
        self.set_header("Content-Type", chosen)
        self.write(wadl(tree, self.root).encode())

    head = get

    def options(self, *_args: str, **_path: str) -> None:
        """The same, with `Allow`; a browser's preflight gets headers alone."""
        super().options()
        if "Access-Control-Request-Method" not in self.request.headers:
            self.set_status(200)
            self.get()


class OpenApi(Description):
    """What this service offers, as OpenAPI 3.1."""

    def get(self, **_path: str) -> None:
        """Answer in JSON."""
        self.write_json(openapi(self.found, self.root, self.prefix, __version__))

    head = get


def routes_for(served: Sequence[Route]) -> list[Route]:
    """The routes that describe `served` and themselves."""
    described: list[Route] = list(served)
    made: list[Route] = [
        (ROOT + r"/?", Capabilities, {"served": described}),
        (ROOT + r"/openapi\.json", OpenApi, {"served": described}),
    ]
    described += made
    return made
