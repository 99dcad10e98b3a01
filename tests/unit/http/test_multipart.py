"""Multipart bodies: whatever real senders write is cut into the parts they meant, with flat memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import BadRequest
from isocenter.http.multipart import MultipartReader, MultipartWriter, PartData, PartStart

Part = tuple[dict[str, str], bytes]


def parts_of(pieces: Iterable[bytes], boundary: str = "b") -> list[Part]:
    reader = MultipartReader(boundary)
    parts: list[tuple[dict[str, str], bytearray]] = []

    def take(events: Iterable[object]) -> None:
        for event in events:
            if isinstance(event, PartStart):
                parts.append((dict(event.headers), bytearray()))
            elif isinstance(event, PartData):
                parts[-1][1].extend(event.data)

    for piece in pieces:
        take(reader.feed(piece))
    take(reader.finish())
    assert reader.done
    return [(headers, bytes(body)) for headers, body in parts]


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[place : place + size] for place in range(0, len(body), size)]


def test_a_piece_with_thousands_of_parts_is_cut_without_copying_its_rest_for_each() -> None:
    body = b"--b\r\n\r\n\r\n" * 60_000 + b"--b--"
    assert len(parts_of([body])) == 60_000


ONE = [({"content-type": "application/dicom"}, b"DATA")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"--b\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n--b--\r\n", ONE),
        (b"--b\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n--b--", ONE),
        (b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n--b--\r\n", ONE),
        (b"preamble\r\n--b\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n--b--\r\nepilogue", ONE),
        (b"--b  \r\nContent-Type:application/dicom\r\n\r\nDATA\r\n--b--  \r\n", ONE),
        (b"--b\nContent-Type: application/dicom\n\nDATA\n--b--\n", ONE),
        (b"--b\r\nCONTENT-TYPE: application/dicom\r\n\r\nDATA--b--", ONE),
        (b"--b\r\nContent-Type: application/dicom\r\n\r\nDATA--b--\r\n", ONE),
        (b"--b\r\n\r\nDATA\r\n--b--\r\n", [({}, b"DATA")]),
        (b"--b\r\n\r\n\r\n--b--\r\n", [({}, b"")]),
        (b"--b\r\nA: 1\r\n\r\n--b\r\nA: 2\r\n\r\n\r\n--b--\r\n", [({"a": "1"}, b""), ({"a": "2"}, b"")]),
        (b"--b\r\nA: 1;\r\n x=2\r\n\r\nD\r\n--b--\r\n", [({"a": "1; x=2"}, b"D")]),
        (b"--b\r\n\r\nx\r\n--bb\r\n--b-\r\n--b-x\r\n--b--", [({}, b"x\r\n--bb\r\n--b-\r\n--b-x")]),
        (b"--b\r\n\r\nx\n--b--\r\n\r\n--b--", [({}, b"x\n--b--\r\n")]),
        (b"--b\r\n\r\n--bc\r\n--b--", [({}, b"--bc")]),
        (b"--b\r\n\r\n\r\n\r\n\r\n--b--", [({}, b"\r\n\r\n")]),
        (b"--b--\r\n", []),
    ],
)
def test_parts_however_they_are_written_and_cut(body: bytes, expected: list[Part], size: int) -> None:
    assert parts_of(cut(body, size)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no delimiter at all",
        b"--b\r\nContent-Type: x\r\n\r\nDATA",
        b"--b\r\nContent-Type: x\r\n\r\nDATA\r\n--b",
        b"--b\r\nContent-Type: x",
        b"--bad\r\n\r\nDATA\r\n--bad--",
        b"--b\r\nA: " + b"x" * 20_000,
        b"x" * 70_000,
    ],
)
def test_a_body_that_ends_early_or_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parts_of(cut(body, 1000))


@pytest.mark.parametrize("boundary", ["", "x" * 300])
def test_a_boundary_is_needed(boundary: str) -> None:
    with pytest.raises(BadRequest):
        MultipartReader(boundary)


@given(
    st.lists(st.binary(max_size=300) | st.text("\r\n-b ", max_size=40).map(str.encode), max_size=5),
    st.integers(1, 400),
)
def test_what_the_writer_writes_the_reader_reads(bodies: list[bytes], size: int) -> None:
    writer = MultipartWriter("application/dicom")
    written = b"".join(writer.head({"Content-Type": "x/y"}) + body for body in bodies) + writer.tail()
    assert [body for _, body in parts_of(cut(written, size), writer.boundary)] == bodies


@given(st.lists(st.text("\r\n-b :;x", max_size=12).map(str.encode), max_size=12))
def test_garbage_is_refused_or_read_never_worse_and_never_depends_on_the_cut(pieces: list[bytes]) -> None:
    def outcome(given: list[bytes]) -> list[Part] | str:
        try:
            return parts_of(given)
        except BadRequest:
            return "refused"

    whole = b"--b\r\n" + b"".join(pieces)
    assert outcome([b"--b\r\n", *pieces]) == outcome([whole]) == outcome(cut(whole, 1))


def test_memory_does_not_grow_with_a_part() -> None:
    reader, piece = MultipartReader("b"), bytes(range(256)) * 1024
    list(reader.feed(b"--b\r\nContent-Type: application/dicom\r\n\r\n"))
    tracemalloc.start()
    total = 0
    for _ in range(400):
        total += sum(len(event.data) for event in reader.feed(piece) if isinstance(event, PartData))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 99 * 1024 * 1024
    assert peak < 2 * 1024 * 1024


def test_part_headers_are_plain_as_viewers_parse_them_literally() -> None:
    writer = MultipartWriter("application/dicom")
    head = writer.head({"Content-Type": "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"})
    assert b"\r\nContent-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n" in head
    assert writer.content_type.startswith('multipart/related; type="application/dicom"; boundary=')
