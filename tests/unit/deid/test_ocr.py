"""Tesseract takes a second look at what is cleared: text that it sees stays behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from isocenter.deid import Deidentifier, Key
from isocenter.deid import ocr as ocr_module
from isocenter.deid.files import End
from isocenter.deid.ocr import NoTesseract, engine, text_boxes
from isocenter.deid.pixels import Pixels
from isocenter.deid.regions import parse_regions

KEY = Key(bytes(range(32)))
BANNER = {"version": 1, "rule": [{"match": {"Modality": "CT"}, "mask": [[0, 0, 512, 50]]}]}
needs_tesseract = pytest.mark.skipif(engine() is None, reason="Tesseract is not installed")


def picture() -> np.ndarray:
    image = Image.new("L", (512, 256), 20)
    ImageDraw.Draw(image).text((30, 15), "DOE JANE 1970", fill=230, font=ImageFont.load_default(size=22))
    return np.array(image)


def slice_with_a_name() -> Dataset:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.Rows, dataset.Columns = 256, 512
    dataset.PixelData = picture().astype(np.int16).tobytes()
    return dataset


@needs_tesseract
def test_where_text_stands_is_told() -> None:
    boxes = text_boxes(picture())
    assert boxes
    assert all(25 <= box.left < 250 and 10 <= box.top < 45 for box in boxes)
    assert text_boxes(np.zeros((64, 64), np.uint16)) == ()


@needs_tesseract
def test_text_that_no_attribute_tells_of_stays_behind_unless_it_is_blacked_out(tmp_path: Path) -> None:
    slice_with_a_name().save_as(tmp_path / "in.dcm")
    looking = Deidentifier(KEY, judge=Pixels(ocr=True))
    done = looking.file(tmp_path / "in.dcm", tmp_path / "out.dcm")
    assert (done.end, done.reason) == (End.QUARANTINED, "its pixels are not cleared: OCR sees text in them")
    assert [path.name for path in tmp_path.iterdir()] == ["in.dcm"]
    judge = Pixels(parse_regions(BANNER), ocr=True)
    cleaning = Deidentifier(KEY, judge=judge, options=["clean-pixel-data"])
    assert cleaning.file(tmp_path / "in.dcm", tmp_path / "out.dcm").end is End.OUT


@needs_tesseract
def test_a_data_set_in_memory_is_not_cleared_where_a_look_was_asked_for() -> None:
    assert Deidentifier(KEY, judge=Pixels(ocr=True)).apply(slice_with_a_name()).dataset is None


def test_without_tesseract_it_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr_module, "engine", lambda: None)
    with pytest.raises(NoTesseract, match="tesseract-ocr"):
        Pixels(ocr=True)
