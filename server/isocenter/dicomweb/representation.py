"""Data sets in an answer (PS3.18 8.7.3.2): one DICOM JSON array, or Native DICOM XML, a part for each.

Not here: the models themselves (`dicom.json_model`, `dicom.xml_model`), media types of files and pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from isocenter.dicom.xml_model import to_xml
from isocenter.errors import NotAcceptable
from isocenter.http.accept import MediaRange, MediaType, negotiate
from isocenter.http.multipart import MultipartWriter

DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON_TYPES = (DICOM_JSON, "application/json")
XML_TYPES = frozenset({DICOM_XML, "application/xml", "text/xml"})

DataSet = Mapping[str, Any] | bytes
"""A data set in the DICOM JSON model, or its JSON text."""


class JsonArray:
    """One array of all data sets."""

    multipart = False

    def __init__(self, content_type: str = DICOM_JSON) -> None:
        self.content_type = content_type

    def render(self, batches: Iterable[Sequence[DataSet]]) -> Iterator[bytes]:
        """The body in pieces, one for each batch; `[]` without any."""
        before = b"["
        for batch in batches:
            if batch:
                yield before + b",".join(map(_json, batch))
                before = b","
        yield b"]" if before == b"," else b"[]"


class XmlParts:
    """multipart/related with one part for each data set; `boundary` as for `MultipartWriter`."""

    multipart = True

    def __init__(self, boundary: str = "") -> None:
        self._writer = MultipartWriter(DICOM_XML, boundary)
        self.content_type = self._writer.content_type

    def render(self, batches: Iterable[Sequence[DataSet]]) -> Iterator[bytes]:
        """The body in pieces, one for each batch."""
        for batch in batches:
            held = bytearray()
            for data_set in batch:
                held += self._writer.head({"Content-Type": DICOM_XML})
                held += _xml(data_set)
            yield bytes(held)
        yield self._writer.tail()


class XmlDocument:
    """The XML of the only data set, without parts around it."""

    multipart = False
    content_type = DICOM_XML

    def render(self, batches: Iterable[Sequence[DataSet]]) -> Iterator[bytes]:
        """The body, in one piece."""
        (data_set,) = (one for batch in batches for one in batch)
        yield _xml(data_set)


Representation = JsonArray | XmlParts | XmlDocument


def choose(ranges: Sequence[MediaRange], *, single: bool = False) -> Representation:
    """The representation that the client likes best; JSON where it does not mind.

    Args:
        ranges: what it accepts.
        single: there is always one data set, which then goes without parts to whoever asks for XML plainly.

    Raises:
        NotAcceptable: it takes neither.
    """
    for item in ranges:
        if item.q <= 0:
            continue
        if any(item.media.covers(name) for name in JSON_TYPES) and (found := negotiate(ranges, JSON_TYPES)):
            return JsonArray(found)
        if _is_xml(item.media):
            return XmlDocument() if single and item.media.name in XML_TYPES else XmlParts()
    raise NotAcceptable(
        f'This resource is {DICOM_JSON} or multipart/related; type="{DICOM_XML}"', hint="send one in Accept"
    )


def _is_xml(media: MediaType) -> bool:
    if media.name in ("multipart/related", "multipart/*"):
        return media.get("type", DICOM_XML).lower() in (*XML_TYPES, "*/*")
    return media.name in XML_TYPES


def _xml(data_set: DataSet) -> bytes:
    return to_xml(json.loads(data_set) if isinstance(data_set, bytes) else data_set)


def _json(data_set: DataSet) -> bytes:
    if isinstance(data_set, bytes):
        return data_set
    return json.dumps(data_set, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
