"""Reading what DICOMweb answers, and the files of pydicom that are stored to be asked for."""

from __future__ import annotations

import io
from typing import Any

from pydicom.data import get_testdata_file
from pydicom.filereader import _read_file_meta_info, read_preamble

from isocenter.http.accept import parse_media_type
from isocenter.http.multipart import MultipartReader, PartData, PartStart

EXPLICIT = "1.2.840.10008.1.2.1"


def parts_of(answer: Any) -> list[tuple[str, bytes]]:
    """(Content-Type, body) of every part; the answer must be whole."""
    assert answer.status_code in (200, 206), answer.text
    reader = MultipartReader(parse_media_type(answer.headers["Content-Type"]).get("boundary"))
    found: list[tuple[str, bytearray]] = []
    for event in reader.feed(answer.content):
        if isinstance(event, PartStart):
            found.append((event.headers["content-type"], bytearray()))
        elif isinstance(event, PartData):
            found[-1][1].extend(event.data)
    assert reader.done
    return [(kind, bytes(body)) for kind, body in found]


def pydicom_file(name: str) -> bytes:
    """A test file of pydicom."""
    path = get_testdata_file(name, download=False)
    assert path is not None, name
    with open(str(path), "rb") as file:
        return file.read()


def stored(web: Any, raw: bytes) -> str:
    """Store a file; the path of its instance."""
    answer = web.store(raw)
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    return url.removeprefix(web.url)


def data_set_of(raw: bytes) -> bytes:
    """The bytes behind the file meta information."""
    file = io.BytesIO(raw)
    read_preamble(file, force=True)
    _read_file_meta_info(file)
    return file.read()
