"""Rendered resources over the web: pictures, documents and reports of what is stored."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import image, item, state
from PIL import Image
from pydicom import Dataset
from web_answers import parts_of, pydicom_file, stored

from isocenter.dicom.rendering import work
from isocenter.dicom.rendering.view import can_encode_mp4

Make = Callable[..., bytes]
RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def file_of(data_set: Dataset) -> bytes:
    target = io.BytesIO()
    data_set.save_as(target, enforce_file_format=True)
    return target.getvalue()


def numbered(data_set: Dataset, number: int, series: str = "1.2.3.0") -> bytes:
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
    data_set.SeriesInstanceUID, data_set.InstanceNumber = series, number
    return file_of(data_set)


def picture_of(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return pixels_of(answer.content)


def pixels_of(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("L") if picture.mode == "P" else picture)


def test_an_instance_as_a_picture(web: Any) -> None:
    path = stored(web, file_of(image(RAMP)))
    for accept, kind in [
        ("*/*", "jpeg"),
        ("image/jpeg", "jpeg"),
        ("image/png", "png"),
        ("image/gif", "gif"),
        ("image/png;q=0.5, image/gif;q=0.4", "png"),
        ("image/webp, image/*;q=0.1", "jpeg"),
    ]:
        answer = web.get(path + "/rendered", headers={"Accept": accept})
        assert answer.headers["Content-Type"] == f"image/{kind}"
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert np.abs(picture_of(answer).astype(int) - RAMP).max() <= (6 if kind == "jpeg" else 0)
    assert picture_of(web.get(f"{path}/rendered?accept=image/png")).tolist() == RAMP.tolist()


def test_parameters_change_the_picture(web: Any) -> None:
    path = stored(web, file_of(image(RAMP))) + "/rendered?accept=image/png&"
    assert set(np.unique(picture_of(web.get(path + "window=100,1")))) == {0, 255}
    assert picture_of(web.get(path + "viewport=4,4")).shape == (4, 4)
    assert picture_of(web.get(path + "viewport=8,8,2,2,4,4")).shape == (8, 8)
    flipped = picture_of(web.get(path + "viewport=8,8,,,-8,8"))
    assert np.array_equal(flipped, RAMP[:, ::-1])
    small, large = (web.get(f"{path}&accept=image/jpeg&quality={q}").content for q in (5, 95))
    assert len(small) < len(large)


def test_a_parameter_that_means_nothing_is_400_and_says_what_it_should_be(web: Any) -> None:
    path = stored(web, file_of(image(RAMP)))
    for query, words in [
        ("window=40", "window=center,width,function"),
        ("window=1,0.2,linear", "at least 1"),
        ("viewport=0,4", "pixels"),
        ("quality=200", "1 to 100"),
        ("iccprofile=tv", "adobergb"),
    ]:
        answer = web.get(f"{path}/rendered?{query}")
        assert (answer.status_code, words in answer.text) == (400, True), query


def test_unknown_parameters_are_ignored_with_a_warning(web: Any) -> None:
    path = stored(web, file_of(image(RAMP)))
    answer = web.get(path + "/rendered?colour=blue&annotation=patient,weather")
    assert answer.status_code == 200
    assert "colour" in answer.headers["Warning"]
    assert "weather" in answer.headers["Warning"]


def test_a_rendering_is_made_once_and_told_by_its_etag(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    draw = work.draw

    def counted(*arguments: Any) -> None:
        made.append(arguments)
        draw(*arguments)

    monkeypatch.setattr(work, "draw", counted)
    path = stored(web, file_of(image(RAMP))) + "/rendered"
    answers: list[Any] = []
    many = [threading.Thread(target=lambda: answers.append(web.get(path))) for _ in range(6)]
    for one in many:
        one.start()
    for one in many:
        one.join()
    assert len({answer.content for answer in answers}) == 1
    assert len(made) == 1
    etag = answers[0].headers["ETag"]
    again = web.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = web.get(path + "?window=40,400", headers={"If-None-Match": etag})
    assert other.status_code == 200
    assert other.headers["ETag"] != etag
    assert len(made) == 2
    assert (
        web.get(path, headers={"If-Modified-Since": answers[0].headers["Last-Modified"]}).status_code == 304
    )


def test_frames_alone_and_in_parts(web: Any) -> None:
    frames = np.stack([RAMP, RAMP + 1, RAMP + 2])
    path = stored(web, file_of(image(frames)))
    assert np.array_equal(picture_of(web.get(path + "/frames/2/rendered?accept=image/png")), frames[1])
    two = web.get(path + "/frames/3,1/rendered", headers={"Accept": 'multipart/related; type="image/png"'})
    assert two.headers["Content-Type"].startswith('multipart/related; type="image/png"')
    assert [kind for kind, _ in parts_of(two)] == ["image/png"] * 2
    assert [pixels_of(body)[0, 0] for _, body in parts_of(two)] == [2, 0]
    assert parts_of(web.get(path + "/frames/3,1/rendered"))[0][0] == "image/jpeg"
    refused = web.get(path + "/frames/3,1/rendered", headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert "multipart/related" in refused.text
    gone = web.get(path + "/frames/4/rendered")
    assert (gone.status_code, "frames are 1 to 3" in gone.text) == (404, True)
    assert web.get(path + "/frames/x/rendered").status_code == 400


def test_an_instance_of_many_frames(web: Any) -> None:
    frames = np.stack([np.full((4, 4), n * 60, np.uint8) for n in range(4)])
    path = stored(web, file_of(image(frames, FrameTime="50"))) + "/rendered"
    still = web.get(path, headers={"Accept": "image/png"})
    assert picture_of(still).max() == 60  # the one in the middle
    assert "4 frames" in still.headers["Warning"]
    with Image.open(io.BytesIO(web.get(path, headers={"Accept": "image/gif"}).content)) as moving:
        assert (moving.n_frames, moving.info["duration"]) == (4, 50)
    parts = parts_of(web.get(path, headers={"Accept": "multipart/related; type=image/png"}))
    assert [pixels_of(body).max() for _, body in parts] == [0, 60, 120, 180]
    movie = web.get(path, headers={"Accept": "video/mp4"})
    if can_encode_mp4():
        assert movie.content[4:8] == b"ftyp"
    else:
        assert (movie.status_code, "image/gif" in movie.text) == (406, True)


def test_a_series_in_parts_in_its_order(web: Any) -> None:
    web.store(*(numbered(image(RAMP + n), n) for n in (3, 1, 2)))
    for path in ("/dicom-web/studies/1.2.3", "/dicom-web/studies/1.2.3/series/1.2.3.0"):
        answer = web.get(path + "/rendered", headers={"Accept": "multipart/related; type=image/png"})
        assert [pixels_of(body)[0, 0] for _, body in parts_of(answer)] == [1, 2, 3]
        assert (
            f"Content-Location: {web.url}/dicom-web/studies/1.2.3/series/1.2.3.0/instances/1.2.3.0.1"
            in answer.text
        )


def test_a_series_as_one_body_is_what_stands_for_it(web: Any) -> None:
    web.store(*(numbered(image(RAMP + n), n) for n in (3, 1, 2)))
    answer = web.get("/dicom-web/studies/1.2.3/series/1.2.3.0/rendered", headers={"Accept": "image/png"})
    assert picture_of(answer)[0, 0] == 2
    assert "one of 3 instances" in answer.headers["Warning"]


def test_what_cannot_be_shown_is_left_out_and_counted(web: Any, make: Make) -> None:
    web.store(numbered(image(RAMP), 1), make(9, study="1.2.3", series="0"))
    answer = web.get("/dicom-web/studies/1.2.3/rendered")
    assert answer.status_code == 206
    assert "1 instances" in answer.headers["Warning"]
    assert len(parts_of(answer)) == 1


def test_a_damaged_image_is_refused_with_a_way_out(web: Any) -> None:
    answer = web.get(stored(web, pydicom_file("JPEG-lossy.dcm")) + "/rendered")
    assert answer.status_code == 406
    assert "application/dicom" in answer.json()["error"]["hint"]


def test_what_has_no_picture_says_so(web: Any, make: Make) -> None:
    path = stored(web, make(1))
    answer = web.get(path + "/rendered")
    assert (answer.status_code, answer.json()["error"]["hint"]) == (406, "retrieve it as application/dicom")
    assert web.get(path + "/frames/1/rendered").status_code == 404
    assert web.get("/dicom-web/studies/9/rendered").status_code == 404


def test_an_encapsulated_pdf_is_the_pdf(web: Any) -> None:
    document = b"%PDF-1.4\n" + bytes(range(256)) * 9
    made = image(np.zeros((1, 1), np.uint8))
    for keyword in ("PixelData", "Rows", "Columns"):
        del made[keyword]
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = PDF
    made.MIMETypeOfEncapsulatedDocument, made.EncapsulatedDocument = "application/pdf", document + b"\0"
    made.EncapsulatedDocumentLength = len(document)
    path = stored(web, file_of(made)) + "/rendered"
    answer = web.get(path)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content == document
    part = web.get(path, headers={"Range": "bytes=0-7"})
    assert (part.status_code, part.content) == (206, b"%PDF-1.4")
    refused = web.get(path, headers={"Accept": "image/jpeg"})
    assert (refused.status_code, "application/pdf" in refused.text) == (406, True)
    assert web.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_report_as_html_or_text(web: Any) -> None:
    path = stored(web, pydicom_file("reportsi.dcm")) + "/rendered"
    page = web.get(path)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert "<h1>Document Title</h1>" in page.text
    text = web.get(path, headers={"Accept": "text/plain"})
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert text.text.startswith("Document Title\n")


def test_a_presentation_state_shows_its_images(web: Any) -> None:
    first, second = image(RAMP), image(RAMP + 1)
    web.store(numbered(first, 1), numbered(second, 2))
    told = state(first, PresentationLUTShape="INVERSE")
    references = [item(ReferencedSOPClassUID=one.SOPClassUID, ReferencedSOPInstanceUID=one.SOPInstanceUID)
                  for one in (first, second)]  # fmt: skip
    told.ReferencedSeriesSequence[0].ReferencedImageSequence = [
        *references,
        item(ReferencedSOPInstanceUID="9.9"),
    ]
    path = stored(web, file_of(told)) + "/rendered"
    assert np.array_equal(picture_of(web.get(path + "?accept=image/png")), 255 - RAMP)
    parts = parts_of(web.get(path, headers={"Accept": "multipart/related; type=image/png"}))
    assert [pixels_of(body)[0, 0] for _, body in parts] == [255, 254]
    told.ReferencedSeriesSequence[0].ReferencedImageSequence = references[:0]
    told.SOPInstanceUID = told.file_meta.MediaStorageSOPInstanceUID = "1.2.3.10"
    nothing = web.get(stored(web, file_of(told)) + "/rendered")
    assert (nothing.status_code, "stored here" in nothing.text) == (406, True)


def test_a_video_is_sent_as_it_was_encoded(web: Any) -> None:
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    stream = b"\0\0\0\x18ftypmp42" + bytes(range(200))
    made = image(np.zeros((30, 8, 8), np.uint8))
    made.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    made.PixelData = encapsulate([stream], has_bot=False)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    path = stored(web, file_of(made))
    answer = web.get(path + "/rendered")
    assert (answer.headers["Content-Type"], answer.content) == ("video/mp4", stream)
    assert web.get(path + "/rendered", headers={"Range": "bytes=4-7"}).content == b"ftyp"
    assert web.get(path + "/rendered", headers={"Accept": "image/jpeg"}).status_code == 406
    assert web.get(path + "/thumbnail").status_code == 200


# -- thumbnails


def test_thumbnails_of_all_levels(web: Any) -> None:
    frames = np.stack([RAMP, RAMP + 1, RAMP + 2])
    one = [numbered(image(np.full((64, 32), n, np.uint8)), n) for n in (1, 2, 3)]
    web.store(*one, numbered(image(frames), 1, series="1.2.3.7"))
    study = "/dicom-web/studies/1.2.3"
    for path, shape, value in [
        ("", (128, 64), 2),
        ("/series/1.2.3.0", (128, 64), 2),
        ("/series/1.2.3.0/instances/1.2.3.0.3", (128, 64), 3),
    ]:
        seen = picture_of(web.get(study + path + "/thumbnail?accept=image/png"))
        assert (seen.shape, seen.max()) == (shape, value)
    moving = study + "/series/1.2.3.7/instances/1.2.3.7.1"
    size = "/thumbnail?accept=image/png&viewport=8,8"
    assert picture_of(web.get(moving + size))[0, 0] == 1
    assert picture_of(web.get(moving + "/frames/3" + size))[0, 0] == 2
    assert web.get(study + "/thumbnail").headers["Content-Type"] == "image/jpeg"
    assert web.get(study + "/thumbnail", headers={"Accept": "text/html"}).status_code == 406
    assert web.get(study + "/thumbnail?viewport=8,8,0,0,4,4").status_code == 400
    assert web.get(moving + "/frames/1,2/thumbnail").status_code == 400
    assert web.get("/dicom-web/studies/9/thumbnail").status_code == 404


def test_what_has_no_picture_has_a_card_for_a_thumbnail(web: Any, make: Make) -> None:
    for path in (stored(web, pydicom_file("reportsi.dcm")), stored(web, make(1, Modality="RTPLAN"))):
        assert picture_of(web.get(path + "/thumbnail?accept=image/png")).shape == (128, 128)
    damaged = web.get(stored(web, pydicom_file("JPEG-lossy.dcm")) + "/thumbnail")
    assert damaged.status_code == 200
    assert "decoded" in damaged.headers["Warning"]
    assert "ETag" not in damaged.headers


def test_nothing_is_left_behind_but_what_is_kept(web: Any) -> None:
    path = stored(web, file_of(image(RAMP)))
    web.get(path + "/rendered")
    web.get(path + "/thumbnail")
    context = web.context
    assert list(Path(context.scratch).rglob("*.derived")) == []
    assert len(list(Path(context.cache).rglob("*.rendered"))) == 2
