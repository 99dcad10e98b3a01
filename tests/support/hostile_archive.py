"""An archive with one of everything, for tests that ask it whatever they like: UIDs that lead somewhere."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pydicom
from live_archive import LiveArchive
from viewer_objects import studies
from web_answers import pydicom_file

FILES = (
    "CT_small.dcm",
    "JPEG2000.dcm",
    "examples_ybr_color.dcm",
    "examples_palette.dcm",
    "image_dfl.dcm",
    "ExplVR_BigEnd.dcm",
    "liver_1frame.dcm",
    "test-SR.dcm",
    "rtplan.dcm",
)


@dataclass(frozen=True)
class Place:
    """An instance by its three UIDs."""

    study: str
    series: str
    instance: str

    @property
    def path(self) -> str:
        return f"/dicom-web/studies/{self.study}/series/{self.series}/instances/{self.instance}"


def fill(web: LiveArchive) -> list[Place]:
    """Store files of many kinds; where they are."""
    raws = [pydicom_file(name) for name in FILES]
    raws += [written(one) for several in studies(slices=2).values() for one in several]
    answer = web.store(*raws)
    assert answer.status_code in (200, 202), answer.text
    found = []
    for done in answer.json()["00081199"]["Value"]:
        parts = done["00081190"]["Value"][0].split("/")
        found.append(Place(parts[-5], parts[-3], parts[-1]))
    assert len(found) == len(raws)
    return found


def written(one: Any) -> bytes:
    """A data set as a file."""
    file = io.BytesIO()
    pydicom.dcmwrite(file, one, enforce_file_format=True)
    return file.getvalue()
