"""Statuses: each failure has the one that PS3.4 names, and a comment without patient data."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
import scu
from data_sets import data_set
from live_dicom import LiveServer
from scu import CT, STUDY_FIND, STUDY_GET, association, store

from isocenter.archive import Mismatch, Reception, Rejected, Stored
from isocenter.dicom.header import UnreadableHeader
from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN
from isocenter.dimse import status
from isocenter.errors import Damaged, Forbidden, NoSpace, Timeout, Unavailable, UnreadableObject
from isocenter.index.reader import Reader
from isocenter.network.negotiation import Proposal

ERRORS = [
    (NoSpace("the disk of Doe^Jane is full"), 0xA700),
    (Unavailable("the index is locked"), 0xA700),
    (Timeout("the index is locked"), 0xA700),
    (UnreadableObject("no"), 0xC000),
    (UnreadableHeader("no"), 0xC000),
    (Mismatch("1.2.3 is not 1.2.4"), 0xA900),
    (Rejected("other bytes of Doe^Jane"), 0xC001),
    (Forbidden("frozen"), 0x0124),
    (OSError("Doe^Jane"), 0x0110),
    (ValueError("Doe^Jane"), 0x0110),
]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda each: type(each).__name__)
def test_an_error_has_its_status_and_a_short_comment(error: Exception, code: int) -> None:
    told, comment = status.of_error(error)
    assert told == code
    assert 0 < len(comment) <= 64
    assert "Doe" not in comment


def test_what_makes_an_object_unreadable_is_told() -> None:
    missing = UnreadableObject("The data set has no StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID")
    assert status.of_error(missing)[1] == "The data set has no StudyInstanceUID, SeriesInstanceUID, SOPInst"


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda each: type(each).__name__)
async def test_a_store_that_fails_is_answered_with_it_and_the_association_goes_on(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail(self: Reception) -> Future[Stored]:
        self.abort()
        failed: Future[Stored] = Future()
        failed.set_exception(error)
        return failed

    async with association(server.port, Proposal(CT, (EXPLICIT_LITTLE_ENDIAN,))) as peer:
        with monkeypatch.context() as patched:
            patched.setattr(Reception, "finish", fail)
            assert (await store(peer, data_set(SOPInstanceUID="1.2.3.4"), "1.2.3.4")).status == code
        assert (await store(peer, data_set(SOPInstanceUID="1.2.3.4"), "1.2.3.4")).status == 0


@pytest.mark.parametrize(
    ("error", "find", "retrieve"),
    [
        (Unavailable("the index is locked"), 0xA700, 0xA701),
        (NoSpace("full"), 0xA700, 0xA701),
        (Damaged("of Doe^Jane"), 0xC001, 0xC001),
        (Forbidden("frozen"), 0x0124, 0x0124),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_queries_and_retrieves_that_fail_have_statuses_of_their_service(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, error: Exception, find: int, retrieve: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Reader, "find", fail)
    monkeypatch.setattr(Reader, "instances", fail)
    key = {"StudyInstanceUID": "1.2.3"}
    async with association(server.port, STUDY_FIND, STUDY_GET) as peer:
        assert (await scu.find(peer, "STUDY", key)).final["Status"] == find
        assert (await scu.retrieve(peer, STUDY_GET, "STUDY", key))[-1].status == retrieve


@pytest.mark.parametrize(
    ("code", "warning"), [(0xB000, True), (0xB007, True), (0x0001, True), (0, False), (0xA700, False)]
)
def test_warnings_are_told_from_failures(code: int, warning: bool) -> None:
    assert status.is_warning(code) is warning
