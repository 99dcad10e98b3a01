"""Accept headers as real clients write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.http.accept import MediaType, negotiate, parse_accept, parse_media_type, takes_gzip

JSON, XML, DICOM = "application/dicom+json", "application/dicom+xml", "application/dicom"


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        (
            'multipart/related; type="application/dicom"; transfer-syntax=*',
            "multipart/related",
            {"type": "application/dicom", "transfer-syntax": "*"},
        ),
        (
            "Multipart/Related;type=application/dicom;boundary=a=b",
            "multipart/related",
            {"type": "application/dicom", "boundary": "a=b"},
        ),
        ("application/dicom; transfer-syntax='1.2.3'", "application/dicom", {"transfer-syntax": "1.2.3"}),
        ('multipart/related; boundary="a;b,c"', "multipart/related", {"boundary": "a;b,c"}),
        ('multipart/related; boundary="broken', "multipart/related", {"boundary": "broken"}),
        (";;= ;x", "", {}),
        ("", "", {}),
    ],
)
def test_media_types_with_quotes_or_without(text: str, name: str, parameters: dict[str, str]) -> None:
    media = parse_media_type(text)
    assert (media.name, dict(media.parameters)) == (name, parameters)


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([], JSON),
        (["*/*"], JSON),
        (["*"], JSON),
        (["application/*"], JSON),
        ([JSON], JSON),
        (["application/json"], "application/json"),
        ([f"{XML}, {JSON}"], JSON),
        ([f"{XML};q=1, {JSON};q=0.5"], XML),
        ([XML, JSON + ";q=0.2"], XML),
        ([f"{JSON};q=0, */*;q=0.1"], "application/json"),
        (["text/html,application/xhtml+xml,*/*;q=0.8"], JSON),
        (['multipart/related; type="application/dicom+xml, x", ' + JSON], JSON),
        ([f"{JSON};q=abc"], JSON),
        (["application/dicom json"], JSON),
        (["nonsense"], JSON),
        (["image/jpeg"], None),
        ([f"{JSON};q=0"], None),
    ],
)
def test_the_best_representation_is_chosen(values: list[str], chosen: str | None) -> None:
    assert negotiate(parse_accept(values), [JSON, "application/json", XML]) == chosen


def test_ranges_are_ranked_and_equal_ones_keep_their_order() -> None:
    ranked = [item.media.name for item in parse_accept(["a/b;q=0.5, c/d, e/f", "g/h;q=0.7"])]
    assert ranked == ["c/d", "e/f", "g/h", "a/b"]


def test_a_range_covers_its_types() -> None:
    assert MediaType("image/*").covers("image/jpeg")
    assert not MediaType("image/*").covers("imagery/jpeg")


@given(st.lists(st.text(max_size=60), max_size=4))
def test_no_header_breaks_the_parser(values: list[str]) -> None:
    for item in parse_accept(values):
        assert 0 <= item.q <= 1
    for value in values:
        assert isinstance(parse_media_type(value), MediaType)


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ([], False),
        (["gzip"], True),
        (["deflate, gzip;q=0.5"], True),
        (["gzip;q=0, *"], False),
        (["*;q=0.1"], True),
        (["identity"], False),
        (["br", "GZIP"], True),
    ],
)
def test_gzip_is_taken_where_it_is_said(values: list[str], taken: bool) -> None:
    assert takes_gzip(values) is taken
