"""dicomweb-client's rendered retrieval against the server: a client that is not ours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from live_archive import LiveArchive, serving
from pictures import image, pydicom_path
from PIL import Image

from isocenter.dicom.header import read_header

UIDS = ("1.2.3", "1.2.3.0", "1.2.3.1")
FRAMES = np.stack([np.full((8, 8), n * 50, np.uint8) for n in range(4)])


@pytest.fixture
def web(tmp_path: Path) -> Iterator[LiveArchive]:
    with serving(tmp_path / "data") as start:
        yield start()


@pytest.fixture
def client(web: LiveArchive) -> DICOMwebClient:
    return DICOMwebClient(web.url + "/dicom-web")


def opened(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.format, np.asarray(picture)


@pytest.mark.parametrize(
    ("media_type", "name"), [("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/gif", "GIF")]
)
def test_pictures(web: LiveArchive, client: DICOMwebClient, media_type: str, name: str) -> None:
    target = io.BytesIO()
    image(FRAMES).save_as(target, enforce_file_format=True)
    web.store(target.getvalue())
    whole = client.retrieve_instance_rendered(*UIDS, media_types=(media_type,), params={"quality": 90})
    assert opened(whole)[0] == name
    frame = client.retrieve_instance_frames_rendered(*UIDS, [3], media_types=(media_type,))
    kind, pixels = opened(frame)
    assert kind == name
    assert name == "GIF" or abs(int(pixels[4, 4]) - 100) <= 2


def test_a_series(web: LiveArchive, client: DICOMwebClient) -> None:
    target = io.BytesIO()
    image(FRAMES[2]).save_as(target, enforce_file_format=True)
    web.store(target.getvalue())
    assert opened(client.retrieve_series_rendered(*UIDS[:2], media_types=("image/png",)))[1].max() == 100


def test_a_report(web: LiveArchive, client: DICOMwebClient) -> None:
    raw = pydicom_path("reportsi.dcm").read_bytes()
    keys = read_header(raw).index_keys()
    web.store(raw)
    uids = [keys[f"{level}InstanceUID"] for level in ("Study", "Series", "SOP")]
    assert b"Document Title" in client.retrieve_instance_rendered(*uids, media_types=("text/html",))
