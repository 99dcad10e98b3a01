"""`show()`: the widget of an installed extension, else a picture; and deleting what one looks at."""

from __future__ import annotations

import base64
import io
import re
import sys
from pathlib import Path
from typing import Any

import PIL.Image
import pydicom
import pytest
from live_archive import instance
from pydicom.data import get_testdata_file

from isocenter.client.display import shows
from isocenter.client.resources import resource_of
from isocenter.errors import BadRequest, Gone, NotFound


@pytest.fixture(scope="module")
def study(real: Any) -> Any:
    names = ("CT_small.dcm", "reportsi.dcm")
    images = [pydicom.dcmread(get_testdata_file(name)) for name in names]
    for number, one in enumerate(images):
        one.StudyInstanceUID, one.SeriesInstanceUID = "1.2.6", f"1.2.6.{number}"
        one.SeriesNumber, one.SeriesDescription = number, f"<series {number}>"
    real.store(images, progress=False).raise_for_failures()
    return resource_of(real, "study", "1.2.6")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No extension is installed."""
    monkeypatch.setattr(shows, "entry_points", lambda **_: ())


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a distribution whose display of series is this code."""

    def install(code: str) -> None:
        told = tmp_path / "shows_for_test-1.0.dist-info"
        told.mkdir()
        (told / "METADATA").write_text("Metadata-Version: 2.1\nName: shows-for-test\nVersion: 1.0\n")
        (told / "entry_points.txt").write_text("[isocenter.displays]\nseries = shows_for_test:Viewer\n")
        (tmp_path / "shows_for_test.py").write_text(code)
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        monkeypatch.delitem(sys.modules, "shows_for_test", raising=False)

    return install


def pictures(shown: Any) -> list[Any]:
    found = re.findall(r"data:image/jpeg;base64,([^\"]+)", shown._repr_html_())
    return [PIL.Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


@pytest.mark.usefixtures("plain")
def test_without_an_extension_a_series_is_its_middle_image(study):
    shown = next(iter(study)).show()
    (picture,) = pictures(shown)
    assert max(picture.size) == 384
    assert picture.convert("L").getextrema()[1] > 100, "there is something to see"
    assert "pip install isocenter-jupyter" in shown._repr_html_()
    assert "pip install isocenter-jupyter" in repr(shown)
    one = next(iter(next(iter(study))))
    assert len(pictures(one.show())) == 1


def test_a_study_is_a_picture_of_each_series(study):
    shown = study.show()
    assert len(pictures(shown)) == 2
    html = shown._repr_html_()
    assert "CT 0 &lt;series 0&gt; (1)" in html
    assert "CompressedSamples" not in html, "no name of a patient"


def test_an_installed_viewer_is_used(study, installed):
    installed("class Viewer:\n    def __init__(self, series, **how):\n        self.got = series, how\n")
    series = next(iter(study))
    assert series.show(montage=(2, 2)).got == (series, {"montage": (2, 2)})


def test_a_viewer_that_cannot_be_loaded_is_no_error(study, installed, monkeypatch):
    installed("import nothing_of_this_name\n")
    mine = shows.entry_points
    monkeypatch.setattr(
        shows, "entry_points", lambda **which: [e for e in mine(**which) if e.value.startswith("shows_for")]
    )
    assert len(pictures(next(iter(study)).show())) == 1


def test_deleting_wants_to_be_confirmed(web, real):
    web.store(*(instance(n, study="1.2.7") for n in (1, 2)))
    series = resource_of(real, "series", "1.2.7.1")
    with pytest.raises(BadRequest, match=r"would delete 2 instances.*confirm=True"):
        series.delete()
    next(iter(series)).delete(confirm=True)
    assert len(series) == 1
    series.study.delete(confirm=True)
    assert real.series.where(SeriesInstanceUID="1.2.7.1").count() == 0
    with pytest.raises((Gone, NotFound)):
        series.study.delete(confirm=True)
