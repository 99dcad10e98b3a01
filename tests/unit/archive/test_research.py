"""The query process: rows are streamed, errors arrive as they are, a process that dies is started again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import echo_answers
import psutil
import pytest
from data_sets import EXPLICIT, data_set
from processes import those
from tests.unit.archive.conftest import OpenArchive

from isocenter.archive import Origin
from isocenter.archive.research import Research
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Range
from isocenter.errors import InvalidQuery, IsocenterError, Unavailable, UnknownAttribute


# A spawned process imports what it runs by name: the echo lives where it finds it.
@pytest.fixture
def research() -> Iterator[Research]:
    made = Research(echo_answers.MakeEcho())
    yield made
    made.close()
    assert not those(psutil.Process().children(), lambda child: "isocenter-query" in child.name())


def test_plain_answers_and_rows(research: Research) -> None:
    assert research.ask({"kind": "echo", "n": 5})["n"] == 5
    with research.rows({"kind": "rows", "rows": 100}) as reader:
        assert reader.read_all().column("n").to_pylist() == list(range(100_000))


def test_an_error_arrives_as_it_was_raised(research: Research) -> None:
    with pytest.raises(UnknownAttribute, match="nearest") as caught:
        research.ask({"kind": "raise", "error": UnknownAttribute("nearest", hint="this", detail={"a": 1})})
    assert (caught.value.hint, caught.value.detail) == ("this", {"a": 1})
    with pytest.raises(IsocenterError, match="FileNotFoundError"):
        research.ask({"kind": "raise", "error": FileNotFoundError("a file")})
    assert research.ask({"kind": "echo"}) == {"kind": "echo"}


def test_an_error_behind_the_first_rows_comes_from_the_reader(research: Research) -> None:
    reader = research.rows({"kind": "rows", "rows": 9, "fails": 3})
    assert reader.read_next_batch().num_rows == 1000
    with pytest.raises(InvalidQuery, match="in the middle"):
        reader.read_all()


def test_who_stops_reading_disturbs_nobody(research: Research) -> None:
    reader = research.rows({"kind": "rows", "rows": 100_000})
    reader.read_next_batch()
    began = time.monotonic()
    reader.close()
    del reader
    assert research.ask({"kind": "echo"}) == {"kind": "echo"}
    assert time.monotonic() - began < 60


def test_a_process_that_died_is_started_again(research: Research) -> None:
    research.ask({"kind": "echo"})
    with pytest.raises(Unavailable):
        research.ask({"kind": "die"})
    assert research.ask({"kind": "echo"}) == {"kind": "echo"}
    with research.rows({"kind": "rows", "rows": 3}) as reader:
        assert reader.read_all().num_rows == 3000


def test_a_real_archive_is_asked_through_it(open_archive: OpenArchive) -> None:
    main = open_archive(query_process=True).datasets["main"]
    for n in range(10):
        told = {"SOPInstanceUID": f"1.2.{n}", "SliceThickness": n / 10}
        main.store(data_set(**told), Origin("SCANNER"), EXPLICIT)
    assert main.count(Level.INSTANCE, Range(("SliceThickness",), None, 0.45)) == 5
    main.flush()
    assert main.count(Level.INSTANCE, Range(("SliceThickness",), None, 0.45)) == 5
    with pytest.raises(UnknownAttribute, match="SliceThicknes"):
        main.table(Level.INSTANCE, None, ["SliceThicknes"])
    with main.sql("SELECT count(*) AS n FROM instances") as reader:
        assert reader.read_all().to_pylist() == [{"n": 10}]


def test_no_process_starts_after_the_end(research: Research) -> None:
    research.close()
    with pytest.raises(Unavailable, match="closed"):
        research.start()
    with pytest.raises(Unavailable, match="closed"):
        research.ask({"kind": "echo"})
