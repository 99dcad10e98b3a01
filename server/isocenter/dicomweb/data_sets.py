"""Whole data sets in request bodies (PS3.18 8.7.3.2): DICOM JSON, or the Native DICOM Model in XML.

For the services whose resources are data sets without bulk data, such as worklists; instances are stored by
`stow`. What is answered is `representation`'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from isocenter.dicom.xml_model import from_xml
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.representation import DICOM_JSON, DICOM_XML, JSON_TYPES, XML_TYPES, Representation
from isocenter.errors import BadRequest
from isocenter.http.accept import parse_media_type
from isocenter.http.failures import UnsupportedMedia
from isocenter.http.multipart import MultipartReader, PartData, PartStart

Json = dict[str, Any]


def parse(body: bytes, content_type: str) -> Json:
    """The one data set of a body.

    Raises:
        UnsupportedMedia: neither JSON nor XML.
        BadRequest: not exactly one data set, or not to be read.
    """
    media = parse_media_type(content_type)
    if media.name == "multipart/related":
        return parse(*_only_part(body, media.get("boundary"), media.get("type", DICOM_XML)))
    if media.name in XML_TYPES:
        return from_xml(body)
    if media.name not in ("", *JSON_TYPES):
        raise UnsupportedMedia(f"A data set is {DICOM_JSON} or {DICOM_XML}, not {media.name[:60]}")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}") from error
    told = told[0] if isinstance(told, list) and len(told) == 1 else told
    if not isinstance(told, dict):
        raise BadRequest("The body is one data set of the DICOM JSON model")
    return told


def _only_part(body: bytes, boundary: str, default: str) -> tuple[bytes, str]:
    reader = MultipartReader(boundary)
    kinds: list[str] = []
    data = b""
    for event in (*reader.feed(body), *reader.finish()):
        if isinstance(event, PartStart):
            kinds.append(event.headers.get("content-type", default))
        elif isinstance(event, PartData):
            data += event.data
    if len(kinds) != 1 or kinds[0].startswith("multipart/"):
        raise BadRequest("The body is one part with one data set")
    return data, kinds[0]


class DataSetHandler(DicomwebHandler):
    """Takes and sends data sets."""

    def data_set(self) -> Json:
        """The data set of the body. Raises UnsupportedMedia, BadRequest."""
        return parse(bytes(self._body), self.request.headers.get("Content-Type", ""))

    def send_data_sets(self, found: Sequence[Json], form: Representation) -> None:
        """Answer with data sets."""
        self.set_header("Content-Type", form.content_type)
        for piece in form.render([found]):
            self.write(piece)
