"""Whole data sets in request and response bodies: DICOM JSON, and the Native DICOM Model in XML.

PS3.18 8.7.3.2: JSON is an array of data sets, XML one part for each. For the services whose resources are
data sets without bulk data (worklist); metadata of stored instances is sent by `metadata`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from isocenter.dicom.xml_model import from_xml, to_xml
from isocenter.dicomweb.handler import DICOM_JSON, JSON_TYPES, DicomwebHandler
from isocenter.errors import BadRequest, NotAcceptable
from isocenter.http.accept import MediaRange, parse_media_type
from isocenter.http.failures import UnsupportedMedia
from isocenter.http.multipart import MultipartReader, MultipartWriter, PartData, PartStart

DICOM_XML = "application/dicom+xml"
XML_TYPES = (DICOM_XML, "application/xml", "text/xml")
Form = Literal["json", "multipart", "xml"]
Json = dict[str, Any]


def form_of(ranges: Sequence[MediaRange]) -> Form:
    """The best form that the client takes.

    Raises:
        NotAcceptable: neither JSON nor XML.
    """
    for item in ranges:
        media = item.media
        if item.q <= 0:
            continue
        if media.name == "multipart/related":
            if media.get("type", DICOM_XML).lower() in (DICOM_XML, "*/*"):
                return "multipart"
        elif any(media.covers(name) for name in JSON_TYPES):
            return "json"
        elif media.name in XML_TYPES:
            return "xml"
    raise NotAcceptable(f"This resource is {DICOM_JSON} or {DICOM_XML}", hint="send one of them in Accept")


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

    def send_data_sets(self, found: Sequence[Json], form: Form) -> None:
        """Answer with data sets."""
        if form == "json":
            self.write_json(found, media_type=DICOM_JSON)
            return
        if form == "xml" and len(found) == 1:
            self.set_header("Content-Type", DICOM_XML)
            self.write(to_xml(found[0]))
            return
        writer = MultipartWriter(DICOM_XML)
        self.set_header("Content-Type", writer.content_type)
        for document in found:
            self.write(writer.head({"Content-Type": DICOM_XML}) + to_xml(document))
        self.write(writer.tail())
