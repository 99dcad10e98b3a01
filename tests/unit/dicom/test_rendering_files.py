"""What renderings are written as: pictures, moving pictures, reports, icons."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import animated, image, item, pydicom_path, rendered, source
from PIL import Image
from pydicom import Dataset, dcmread

from isocenter.dicom.rendering import work
from isocenter.dicom.rendering.view import CannotRender, View, Viewport, can_encode_mp4

NOISE = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)


def test_jpeg_quality(tmp_path: Path) -> None:
    sizes = []
    for quality in (10, 50, None, 100):
        work.draw(str(tmp_path / "x"), source(image(NOISE), tmp_path), 1, View(quality=quality), "image/jpeg")
        with Image.open(tmp_path / "x") as picture:
            assert (picture.format, picture.mode) == ("JPEG", "L")
        sizes.append((tmp_path / "x").stat().st_size)
    assert sizes == sorted(set(sizes))


def test_a_gif_of_one_frame(tmp_path: Path) -> None:
    assert np.array_equal(rendered(image(NOISE), tmp_path, media_type="image/gif"), NOISE)


@pytest.mark.parametrize(
    "told", [{"FrameTime": "40"}, {"CineRate": "25"}, {"FrameTimeVector": ["0", "40", "40"]}]
)
def test_an_animated_gif_has_all_frames_at_their_rate(told: dict[str, Any], tmp_path: Path) -> None:
    frames = np.stack([NOISE, NOISE.T, 255 - NOISE])
    with Image.open(io.BytesIO(animated(image(frames, **told), tmp_path))) as picture:
        assert picture.n_frames == 3
        assert picture.info["loop"] == 0
        for number in range(3):
            picture.seek(number)
            assert picture.info["duration"] == 40
            assert np.array_equal(np.asarray(picture.convert("L")), frames[number])


def test_a_long_gif_is_made_in_pieces(tmp_path: Path) -> None:
    frames = np.stack([np.full((4, 4), n, np.uint8) for n in range(2 * work.GIF_PIECE + 1)])
    with Image.open(io.BytesIO(animated(image(frames), tmp_path))) as picture:
        assert picture.n_frames == len(frames)
        for number in range(len(frames)):
            picture.seek(number)
            assert picture.convert("L").getpixel((0, 0)) == number


def test_an_animated_gif_in_colour(tmp_path: Path) -> None:
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    frames[0, ..., 0] = frames[1, ..., 2] = 200
    with Image.open(io.BytesIO(animated(image(frames), tmp_path))) as picture:
        for number in range(2):
            picture.seek(number)
            assert picture.convert("RGB").getpixel((3, 3)) == tuple(frames[number, 3, 3])


def test_moving_frames_share_one_range(tmp_path: Path) -> None:
    dark, light = np.full((4, 4), 1000, np.uint16), np.full((4, 4), 3000, np.uint16)
    dark[0, 0] = 0
    with Image.open(io.BytesIO(animated(image(np.stack([dark, light])), tmp_path))) as picture:
        assert picture.convert("L").getpixel((2, 2)) == 85
        picture.seek(1)
        assert picture.convert("L").getpixel((2, 2)) == 255


@pytest.mark.skipif(can_encode_mp4(), reason="an encoder is installed")
def test_without_an_encoder_mp4_says_what_to_do(tmp_path: Path) -> None:
    two = source(image(np.stack([NOISE, NOISE])), tmp_path)
    with pytest.raises(CannotRender, match="image/gif"):
        work.draw_mp4(str(tmp_path / "x.mp4"), two, View(), work.Survey((40.0, 40.0), None))


@pytest.mark.skipif(not can_encode_mp4(), reason="needs PyAV or imageio-ffmpeg")
def test_mp4(tmp_path: Path) -> None:
    frames = source(image(np.stack([NOISE[:63]] * 5), FrameTime="50"), tmp_path)
    work.draw_mp4(str(tmp_path / "x.mp4"), frames, View(), work.Survey((50.0,) * 5, None))
    assert (tmp_path / "x.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_representative_frame(tmp_path: Path) -> None:
    frames = np.stack([np.full((2, 2), n, np.uint8) for n in range(5)])
    assert rendered(image(frames), tmp_path, number=None).max() == 2
    assert rendered(image(frames, RepresentativeFrameNumber=5), tmp_path, number=None).max() == 4


def test_an_icon(tmp_path: Path) -> None:
    work.icon(str(tmp_path / "x.png"), "SR", View(viewport=Viewport(64, 48)), "image/png")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (64, 48)
        assert picture.getextrema()[1] == 255


# -- reports


def code(meaning: str) -> list[Dataset]:
    return [item(CodeValue="1", CodingSchemeDesignator="99T", CodeMeaning=meaning)]


def content(kind: str, name: str, **told: Any) -> Dataset:
    return item(RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=code(name), **told)


def report(*contents: Dataset) -> Dataset:
    made = image(np.zeros((1, 1), np.uint8))
    for keyword in ("PixelData", "Rows", "Columns"):
        del made[keyword]
    made.ValueType, made.ConceptNameCodeSequence = "CONTAINER", code("Findings <report>")
    made.ContentSequence = list(contents)
    return made


def told(made: Dataset | Path, media_type: str, folder: Path) -> str:
    work.tell(str(folder / "told"), source(made, folder), media_type)
    return (folder / "told").read_text("utf-8")


def test_a_report_as_text_and_html(tmp_path: Path) -> None:
    measured = item(NumericValue="12.5", MeasurementUnitsCodeSequence=[item(CodeValue="mm")])
    made = report(
        content("CONTAINER", "Liver", ContentSequence=[
            content("TEXT", "Finding", TextValue="A <script>alert(1)</script> lesion & more"),
            content("NUM", "Diameter", MeasuredValueSequence=[measured]),
            content("CODE", "Site", ConceptCodeSequence=code("Segment IV")),
            content("PNAME", "Observer", PersonName="Miller^Ann"),
            content("IMAGE", "Seen on", ReferencedSOPSequence=[item(ReferencedSOPInstanceUID="1.2.9")]),
        ]),
        content("DATETIME", "When", DateTime="20240102030405"),
    )  # fmt: skip
    text = told(made, "text/plain", tmp_path)
    assert "Findings <report>\n=====" in text
    assert "\nLiver\n  Finding: A <script>alert(1)</script> lesion & more\n  Diameter: 12.5 mm\n" in text
    assert "  Site: Segment IV\n  Observer: Miller Ann\n  Seen on: 1.2.9\nWhen: 20240102030405\n" in text
    html = told(made, "text/html", tmp_path)
    assert "<script" not in html
    assert "A &lt;script&gt;alert(1)&lt;/script&gt; lesion &amp; more" in html
    assert "<title>Findings &lt;report&gt;</title>" in html
    assert "Doe Jane" in html
    assert html.index("<h2>Liver</h2>") < html.index("12.5 mm") < html.index("20240102030405")


@pytest.mark.parametrize("name", ["test-SR.dcm", "reportsi.dcm"])
def test_real_reports(name: str, tmp_path: Path) -> None:
    for media_type in ("text/plain", "text/html"):
        text = told(pydicom_path(name), media_type, tmp_path)
        title = dcmread(pydicom_path(name)).ConceptNameCodeSequence[0].CodeMeaning
        assert title in text
        assert len(text.splitlines()) > 10


def test_a_report_may_nest_deeply_and_lack_everything(tmp_path: Path) -> None:
    inner = item(ValueType="TEXT")
    for _ in range(60):
        inner = item(ValueType="CONTAINER", ContentSequence=[inner])
    assert told(report(inner, item()), "text/plain", tmp_path)
    with pytest.raises(CannotRender, match="neither pixels nor a report"):
        told(image(NOISE), "text/html", tmp_path)


def test_pictures_are_whole_files(tmp_path: Path) -> None:
    work.draw(str(tmp_path / "x"), source(image(NOISE), tmp_path), 1, View(), "image/png")
    with Image.open(io.BytesIO((tmp_path / "x").read_bytes())) as picture:
        picture.verify()
