"""URLs that are wrong on purpose: refused with 4xx and our error, or answered; none breaks anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile_archive import Place, fill
from live_archive import LiveArchive, serving
from raw_http import ask, raw_bytes

DIGITS = "9" * 5000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveArchive, list[Place]]]:
    """A server with one of everything, and where it is."""
    with serving(tmp_path_factory.mktemp("archive") / "data") as start:
        web = start()
        yield web, fill(web)


@pytest.fixture
def web(filled: tuple[LiveArchive, list[Place]]) -> LiveArchive:
    return filled[0]


@pytest.fixture
def image(filled: tuple[LiveArchive, list[Place]]) -> str:
    """The path of a CT image."""
    return filled[1][0].path


# --- URLs

PATHS = [
    "/studies/%00",
    "/studies/1.2%003",
    "/studies/%2F",
    "/studies/..%2f..%2fetc%2fpasswd",
    "/studies/%ff%fe/metadata",
    "/studies/%",
    "/studies/%zz/rendered",
    "/studies/" + "1." * 3000 + "1",
    "/studies/1/series/%00/instances/%00/frames/1",
    "/studies/a%0d%0aSet-Cookie:%20x=1",
    "/studies/a%0d%0aSet-Cookie:%20x=1/rendered",
    b"/studies/\xff\xfe/series",
    "/studies//series//instances//metadata",
    "/studies/../../../healthz",
    "/studies/1/series/1/instances/1/bulkdata/",
    "/workitems/%00",
    "/workitems/%ff/state",
    "/color-palettes/%00",
    "/color-palettes/%ff%00",
    "/subscribers/%00",
    "/subscribers/%ff",
    "/nothing",
    "/studies/1/",
]


@pytest.mark.parametrize("path", PATHS)
def test_paths_that_lead_nowhere_are_refused(web: LiveArchive, path: str | bytes) -> None:
    answer = ask(web, b"/dicom-web" + raw_bytes(path))
    if answer.status != 200:  # a search in a study that is not there finds nothing
        assert 400 <= answer.status < 500
        assert answer.is_ours()
    assert "Set-Cookie" not in answer.headers


# --- parameters of searches

SEARCHES = [
    f"limit={DIGITS}",
    "limit=-1",
    "limit=1e3",
    "limit=%00",
    "limit=%D9%A1",
    f"offset={DIGITS}",
    "offset=-5",
    "fuzzymatching=maybe",
    "count=2",
    "StudyDate=2020-",
    "StudyDate=99999999",
    "StudyDate=-",
    "StudyDate=20200101-20190101-",
    "StudyTime=99",
    "StudyInstanceUID=" + "1.2," * 3000 + "3",
    "StudyInstanceUID=%00",
    "PatientName=%00",
    "PatientName=%ff%fe",
    "PatientName=" + "*" * 3000,
    "PatientName=" + "%3F*" * 500,
    "PatientName=%5C" + "%5C" * 2000,
    "NumberOfStudyRelatedInstances=x",
    f"NumberOfStudyRelatedInstances={DIGITS}",
    "InstanceNumber=x",
    f"InstanceNumber={DIGITS}",
    f"SliceThickness={DIGITS}",
    "SliceThickness=NaN",
    "SliceThickness=1e999",
    "Rows=1_000",
    "00081140.00081155=%00",
    ".=1",
    "..=1",
    "00081140.=1",
    "=1",
    "%00=1",
    "%ff=%ff",
    "&&&===",
    "includefield=%00",
    "includefield=" + "all," * 3000,
    "includefield=%ff",
    ".".join(["00081140"] * 500) + "=1",
    "&".join(f"x{n}=1" for n in range(900)),
    "x=" + "y" * 30000,
    "accept=%ff",
    "accept=" + "a/b," * 3000,
    "charset=%00",
    "00280010=1%0d%0aSet-Cookie:%20x=1",
    "a%0d%0aSet-Cookie:%20x=1=1",
]


@pytest.mark.parametrize("level", ["studies", "series", "instances", "workitems", "color-palettes"])
def test_absurd_searches_are_answered_or_refused(web: LiveArchive, level: str) -> None:
    for query in SEARCHES:
        answer = ask(web, f"/dicom-web/{level}?{query}".encode())
        assert answer.status < 500, query[:80]
        assert answer.status < 400 or answer.is_ours(), query[:80]
        assert "Set-Cookie" not in answer.headers, query


# --- parameters of images

VIEWS = [
    f"viewport={DIGITS},{DIGITS}",
    "viewport=000000001" + DIGITS + ",1",
    "viewport=0,0",
    "viewport=-1,-1",
    "viewport=1",
    "viewport=1,2,3,4,5,6,7",
    "viewport=a,b",
    "viewport=10,10,nan,0,1,1",
    "viewport=10,10,inf,0,1,1",
    "viewport=10,10,1e308,1e308,1e308,1e308",
    "viewport=10,10,5000,5000,10,10",
    "viewport=%00,1",
    "window=1",
    "window=nan,nan,linear",
    "window=0,0,linear",
    "window=0,-1,linear",
    "window=1,2,cubic",
    "window=%ff,1,linear",
    "quality=0",
    "quality=101",
    f"quality={DIGITS}",
    "quality=000000001" + "0" * 5000,
    "quality=%C2%BD",
    "iccprofile=%00",
    "iccprofile=cmyk",
]


@pytest.mark.parametrize("query", VIEWS)
def test_absurd_views_are_refused(web: LiveArchive, image: str, query: str) -> None:
    answer = ask(web, f"{image}/rendered?{query}".encode())
    assert 400 <= answer.status < 500, query[:80]
    assert answer.is_ours()


ODD_VIEWS = [
    "window=1e308,1e308,linear",
    "window=-1e308,1e-308,linear-exact",
    "window=0,1e-320,sigmoid",
    "window=1e308,1e-308,sigmoid",
    "viewport=10,10,0,0,1e-308,1e-308",
    "viewport=1,1",
    "viewport=5000,1",
    "viewport=1,1,0,0,-1,-1",
    "annotation=%00,%ff," + "patient," * 1000,
    "annotation=" + "x" * 20000,
    "charset=%ff",
    "unknown=" + "%0d%0aSet-Cookie:%20x=1",
    "un%0d%0aSet-Cookie:%20x=1=1",
]


@pytest.mark.parametrize("query", ODD_VIEWS)
def test_odd_views_are_answered(web: LiveArchive, image: str, query: str) -> None:
    answer = ask(web, f"{image}/rendered?{query}")
    assert answer.status < 500, answer.body
    assert answer.status == 200 or answer.is_ours()
    assert "Set-Cookie" not in answer.headers


FRAMES = [
    "0",
    "-1",
    "1,",
    ",",
    "a",
    "1-3",
    "1;2",
    DIGITS,
    "%00",
    "1%2C0",
    "%ff",
    "1.0",
    "+1",
    "%D9%A1",
    "999999999",
]
FRAMES += ["1," * 20_000 + "0", "1,1,0"]


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("tail", ["", "/rendered", "/thumbnail"])
def test_absurd_frame_lists_are_refused(web: LiveArchive, image: str, frames: str, tail: str) -> None:
    answer = ask(web, f"{image}/frames/{frames}{tail}".encode())
    assert 400 <= answer.status < 500
    assert not answer.body or answer.is_ours()


BULK = [
    "offset=-1",
    f"offset={DIGITS}",
    "offset=9999999999999999",
    "offset=x",
    "offset=%00",
    "offset=1&offset=2",
]
ELEMENTS = [
    "x",
    "%00",
    "7FE00010/1",
    "00081140/0/00081155",
    f"00081140/{DIGITS}/00081155",
    "00081140/x/1",
    "/" * 50,
]
ELEMENTS += ["00081140/1/" * 2000 + "00081155", "FFFFFFFF", "-1234567", "%ff%ff"]


@pytest.mark.parametrize("tail", [*(f"?{one}" for one in BULK), *(f"/{one}" for one in ELEMENTS)])
def test_absurd_places_of_bulk_data_are_refused(web: LiveArchive, image: str, tail: str) -> None:
    answer = ask(web, f"{image}/bulkdata{tail}")
    assert 400 <= answer.status < 500
    assert not answer.body or answer.is_ours()


# --- WADO-URI

BASE = "requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}"
URI = [
    "contentType=x",
    "contentType=%ff%00",
    "contentType=" + "a/b," * 3000,
    f"frameNumber={DIGITS}",
    "frameNumber=0",
    "frameNumber=-1",
    f"rows={DIGITS}",
    "rows=0",
    "columns=-1",
    "region=1,1,0,0",
    "region=nan,0,1,1",
    "region=0,0,1e-300,1e-300",
    "windowCenter=1",
    "windowCenter=nan&windowWidth=1",
    "windowCenter=0&windowWidth=0",
    "imageQuality=0",
    f"imageQuality={DIGITS}",
    "presentationUID=1",
    "presentationUID=%00&presentationSeriesUID=%00",
    "transferSyntax=%0d%0aSet-Cookie:x",
    "annotation=%ff",
    "charset=%00",
]


@pytest.mark.parametrize("query", URI)
def test_absurd_wado_uri_is_answered_or_refused(filled: tuple[LiveArchive, list[Place]], query: str) -> None:
    web, places = filled
    for kind in ("", "&contentType=image/png", "&contentType=application/dicom"):
        answer = ask(web, f"/wado?{BASE.format(**vars(places[0]))}{kind}&{query}")
        assert answer.status < 500, answer.body
        assert answer.status == 200 or answer.is_ours()
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "query", ["", "requestType=", "requestType=WADO", "requestType=WADO&studyUID=%00&seriesUID=%ff"]
)
def test_wado_uri_without_an_object_is_refused(web: LiveArchive, query: str) -> None:
    answer = ask(web, f"/wado?{query}")
    assert 400 <= answer.status < 500
    assert answer.is_ours()
