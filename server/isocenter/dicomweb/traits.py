"""What is told of the operations of DICOMweb besides their paths: query parameters, media types, statuses.

Told here by resource, for the descriptions that the service gives of itself (WADL, OpenAPI); what a route has
that is not told here is described by its path and methods alone. Matching keys of searches are any attribute,
so they are not listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from isocenter.dicom.non_patient import RESOURCES
from isocenter.http.route_table import Operation

DICOM, JSON, OCTETS = "application/dicom", "application/dicom+json", "application/octet-stream"
XML = 'multipart/related; type="application/dicom+xml"'
WADL = "application/vnd.sun.wadl+xml"


@dataclass(frozen=True)
class Traits:
    """Names of query parameters and request headers, media types that come and go, statuses of success.

    What values the parameters have is in `schemas`.
    """

    query: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    status: tuple[int, ...] = (200,)
    headers: tuple[str, ...] = ()


_SEARCH = (
    "limit",
    "offset",
    "includefield",
    "fuzzymatching",
    "emptyvaluematching",
    "multiplevaluematching",
    "count",
)
_BOTH = (JSON, XML)
_MULTIPART = f'multipart/related; type="{DICOM}"'
_FILES = (_MULTIPART, DICOM)
_STORED = (*_FILES, f'multipart/related; type="{JSON}"', XML)
_ONE = (JSON, "application/dicom+xml")
_NON_PATIENT = rf"/({'|'.join(RESOURCES)})"
_VIEW = ("viewport", "window", "quality", "annotation", "iccprofile")
_PICTURES = ("image/jpeg", "image/png", "image/gif", 'multipart/related; type="image/jpeg"')
_DOCUMENTS = ("text/html", "application/pdf", "video/mp4")
_OCTETS = (f'multipart/related; type="{OCTETS}"', OCTETS)
_IF_CHANGED = ("If-None-Match", "If-Modified-Since")
_RANGES = (*_IF_CHANGED, "Range", "If-Range")

# By method and the end of the path, the first that fits.
_TRAITS: tuple[tuple[str, str, Traits], ...] = (
    ("GET", r"/(studies|series|instances)", Traits(_SEARCH, gives=_BOTH)),
    ("GET", r"/workitems", Traits(_SEARCH[:-1], gives=_BOTH)),
    ("POST", r"/workitems", Traits(("workitem",), _ONE, status=(201,))),
    ("POST", r"/workitems/\{workitem\}", Traits(("transaction",), _ONE)),
    ("GET", r"/workitems/\{workitem\}", Traits(gives=_BOTH)),
    ("PUT", r"/state(/\{aetitle\})?", Traits(takes=_ONE)),
    ("POST", r"/cancelrequest(/\{aetitle\})?", Traits(takes=_ONE, status=(202,))),
    ("POST", r"/subscribers/\{aetitle\}", Traits(("deletionlock", "filter"), status=(201,))),
    ("GET", r"/subscribers/\{aetitle\}", Traits(status=(101,))),
    ("POST", r"/studies(/\{study\})?", Traits(takes=_STORED, gives=_BOTH, status=(200, 202))),
    (
        "GET",
        r"/metadata",
        Traits(("includefield",), gives=_BOTH, status=(200, 304), headers=_IF_CHANGED),
    ),
    (
        "GET",
        r"/rendered",
        Traits(_VIEW, gives=(*_PICTURES, *_DOCUMENTS), status=(200, 206, 304), headers=_RANGES),
    ),
    ("GET", r"/thumbnail", Traits(("viewport",), gives=_PICTURES, status=(200, 304), headers=_IF_CHANGED)),
    ("GET", r"/frames/\{frames\}", Traits(gives=_OCTETS, status=(200, 206, 304), headers=_RANGES)),
    ("GET", r"/pixeldata", Traits(gives=_OCTETS, status=(200, 206, 304), headers=_RANGES)),
    (
        "GET",
        r"/bulkdata(/\{element\})?",
        Traits(("value_offset",), gives=_OCTETS, status=(200, 206, 304), headers=_RANGES),
    ),
    ("DELETE", r"(/\{study\}|/\{series\}|/\{instance\})", Traits(status=(204,))),
    (
        "GET",
        r"(/\{study\}|/\{series\}|/\{instance\})",
        Traits(
            ("names", "dicomdir"),
            gives=(*_FILES, *_OCTETS, "application/zip"),
            status=(200, 206, 304),
            headers=_RANGES,
        ),
    ),
    ("GET", _NON_PATIENT, Traits(_SEARCH[:-1], gives=_BOTH)),
    ("POST", _NON_PATIENT + r"(/\{uid\})?", Traits(takes=_FILES, gives=(JSON,))),
    ("DELETE", _NON_PATIENT + r"/\{uid\}", Traits(status=(204,))),
    ("GET", _NON_PATIENT + r"/\{uid\}", Traits(gives=(JSON, XML, *_FILES))),
    ("GET", r"/dicom-web", Traits(gives=(WADL, "application/json"))),
    ("GET", r"/openapi\.json", Traits(gives=("application/json",))),
)


def traits_of(one: Operation) -> Traits:
    """What is known of an operation besides its path."""
    for method, ending, traits in _TRAITS:
        if method == one.method and re.search(ending + "$", one.path):
            return traits
    return Traits()
