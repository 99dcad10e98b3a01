"""The Python side of the series viewer: what it shows, which overlays it names, and volumes for ipyniivue."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from isocenter.client.archive import Archive
from isocenter.client.resources import Series, resource_of
from isocenter.errors import BadRequest, NotFound
from isocenter_jupyter.widgets import volumes
from isocenter_jupyter.widgets.series_viewer import SeriesViewer


@pytest.fixture
def series(archive: Archive) -> Series:
    found = resource_of(archive, "series", next(iter(archive.series.rows(1))))
    assert isinstance(found, Series)
    return found


def test_a_series_is_named_by_resource_row_or_uid(archive: Archive, series: Series) -> None:
    row = next(iter(archive.series.rows(1)))
    viewers = [
        SeriesViewer(series),
        SeriesViewer(row, archive=archive),
        SeriesViewer(series.uid, archive=archive),
    ]
    assert {(one._study, one._series, one._instance) for one in viewers} == {
        (series.StudyInstanceUID, series.uid, "")
    }


def test_an_instance_is_shown_alone(archive: Archive) -> None:
    instance = resource_of(archive, "instance", next(iter(archive.instances.rows(1))))
    viewer = SeriesViewer(instance)
    assert viewer._instance == instance.uid
    assert viewer.series.uid == instance.SeriesInstanceUID


def test_what_is_no_series_is_refused_with_what_to_do(archive: Archive, series: Series) -> None:
    with pytest.raises(BadRequest, match="not int"):
        SeriesViewer(3)  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="where it is"):
        SeriesViewer(series.uid)
    with pytest.raises(NotFound):
        SeriesViewer("1.2.3.4.5.6.7", archive=archive)


def test_overlays_are_found_named_or_none(archive: Archive, series: Series) -> None:
    place = {"study": series.StudyInstanceUID, "series": series.uid}
    instance = next(iter(series.instances.rows(1)))["SOPInstanceUID"]
    assert SeriesViewer(series)._chosen == "auto"
    assert SeriesViewer(series, overlays=None)._chosen == "none"
    assert SeriesViewer(series, overlays=[series, series.uid])._chosen == [place, place]
    assert SeriesViewer(series, overlays=instance)._chosen == [{**place, "instance": instance}]
    with pytest.raises(NotFound, match=r"1\.2\.99"):
        SeriesViewer(series, overlays="1.2.99")
    with pytest.raises(BadRequest, match="no overlay"):
        SeriesViewer(series, overlays=[7])  # type: ignore[list-item]


def test_its_requests_are_answered_over_the_comm(series: Series, browse: Callable[[Any], Any]) -> None:
    browser = browse(SeriesViewer(series))
    status, found = browser.ask("GET", f"{series.path}/metadata", Accept="application/json")
    assert status == 200
    assert len(found) == 2


def test_3d_without_ipyniivue_says_what_to_install(series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "is_installed", lambda: False)
    with pytest.raises(NotFound, match="ipyniivue") as caught:
        SeriesViewer(series).show_3d()
    assert caught.value.hint == "pip install ipyniivue"


def test_a_volume_becomes_nifti_with_its_place_in_the_patient() -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)  # slices, rows, columns
    affine = np.array([[0.5, 0, 0, -10], [0, 0.75, 0, -20], [0, 0, 2.5, 30], [0, 0, 0, 1]])
    made = volumes.nifti(array, affine)
    assert struct.unpack_from("<i", made) == (348,)
    assert struct.unpack_from("<4h", made, 40) == (3, 4, 3, 2)
    assert struct.unpack_from("<2h", made, 70) == (4, 16)
    assert struct.unpack_from("<3f", made, 80) == (0.5, 0.75, 2.5)
    rows = np.array(struct.unpack_from("<12f", made, 280)).reshape(3, 4)
    assert rows.tolist() == [
        [-0.5, 0, 0, 10],
        [0, -0.75, 0, 20],
        [0, 0, 2.5, 30],
    ]  # left and back turned round
    assert made[344:348] == b"n+1\0"
    assert np.frombuffer(made[352:], "<i2").tolist() == array.ravel().tolist()


def test_a_volume_of_an_unusual_type_is_made_of_floats() -> None:
    made = volumes.nifti(np.ones((1, 2, 2), dtype=np.float64), np.eye(4))
    assert struct.unpack_from("<2h", made, 70) == (16, 32)
    assert len(made) == 352 + 16
