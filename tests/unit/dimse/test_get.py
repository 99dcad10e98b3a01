"""C-GET: objects come back on the same association, counted right."""

from __future__ import annotations

from typing import Any

import pytest
from data_sets import data_set
from live_dicom import LiveServer
from raw_peer import until
from scu import (
    CT,
    PATIENT_GET,
    STUDY_GET,
    Keeping,
    association,
    command,
    decoded,
    encoded,
    identifier,
    retrieve,
)

from isocenter.archive import Origin
from isocenter.dicom import uids
from isocenter.network.association import Association
from isocenter.network.messages import Command, Field
from isocenter.network.negotiation import Proposal
from isocenter.network.service import Message, Reply

ROOT = "1.2.826.0.1.3680043.8.498"
EXPLICIT = uids.EXPLICIT_LITTLE_ENDIAN
TAKING = Proposal(CT, (EXPLICIT,), scu=True, scp=True)


def counts(told: Command) -> tuple[int | None, int | None, int | None, int | None]:
    """Remaining, completed, failed, warning."""
    names = ("Remaining", "Completed", "Failed", "Warning")
    values: dict[str, Any] = dict(told)
    return tuple(values.get(f"NumberOf{name}Suboperations") for name in names)  # type: ignore[return-value]


async def got(
    server: LiveServer,
    level: str,
    *,
    model: str = STUDY_GET,
    taking: Proposal = TAKING,
    statuses: tuple[int, ...] = (),
    **keys: Any,
) -> tuple[list[Reply], Keeping]:
    keeping = Keeping(statuses)
    async with association(server.port, model, taking, service=keeping) as peer:
        replies = await retrieve(peer, model, level, keys)
    return replies, keeping


async def test_a_study_comes_in_the_order_of_its_series_and_numbers(filled: LiveServer) -> None:
    replies, keeping = await got(filled, "STUDY", StudyInstanceUID=f"{ROOT}.1")
    assert [uid.removeprefix(f"{ROOT}.") for uid in keeping.instances] == ["1.1.1", "1.1.2", "1.1.3", "1.2.1"]
    assert replies[-1].status == 0
    assert counts(replies[-1].command) == (None, 4, 0, 0)


async def test_objects_come_byte_for_byte_as_stored(filled: LiveServer) -> None:
    _, keeping = await got(filled, "IMAGE", **_path("1", "1.1", "1.1.2"))
    ((told, syntax, data),) = keeping.received
    (instance,) = [
        each for each in filled.dataset.index.reader.instances() if each.SOPInstanceUID == f"{ROOT}.1.1.2"
    ]
    with filled.dataset.open(instance) as file:
        file.seek(instance.data_set_offset)
        assert file.read() == data
    assert syntax == EXPLICIT
    assert told["AffectedSOPClassUID"] == CT
    assert "MoveOriginatorMessageID" not in told


def _path(study: str, series: str, *instances: str) -> dict[str, Any]:
    return {
        "StudyInstanceUID": f"{ROOT}.{study}",
        "SeriesInstanceUID": f"{ROOT}.{series}",
        "SOPInstanceUID": [f"{ROOT}.{each}" for each in instances],
    }


async def test_series_images_patients_and_lists_of_uids(filled: LiveServer) -> None:
    _, series = await got(
        filled, "SERIES", StudyInstanceUID=f"{ROOT}.1", SeriesInstanceUID=[f"{ROOT}.1.2", f"{ROOT}.1.1"]
    )
    assert len(series.instances) == 4
    _, images = await got(filled, "IMAGE", **_path("1", "1.1", "1.1.1", "1.1.3"))
    assert images.instances == [f"{ROOT}.1.1.1", f"{ROOT}.1.1.3"]
    _, patient = await got(filled, "PATIENT", model=PATIENT_GET, PatientID="P1")
    assert len(patient.instances) == 6


async def test_nothing_found_is_a_success_with_no_sub_operation(filled: LiveServer) -> None:
    replies, keeping = await got(filled, "STUDY", StudyInstanceUID="1.2.3.4.5")
    assert (replies[-1].status, keeping.instances) == (0, [])
    assert counts(replies[-1].command) == (None, 0, 0, 0)


@pytest.mark.parametrize(
    ("level", "model", "keys"),
    [
        ("STUDY", STUDY_GET, {}),
        ("STUDY", STUDY_GET, {"StudyInstanceUID": ""}),
        ("SERIES", STUDY_GET, {"SeriesInstanceUID": f"{ROOT}.1.1"}),
        ("PATIENT", PATIENT_GET, {"PatientID": ""}),
        ("PATIENT", STUDY_GET, {"PatientID": "P1"}),
        ("", STUDY_GET, {"StudyInstanceUID": f"{ROOT}.1"}),
    ],
)
async def test_a_request_without_its_unique_keys_gets_nothing(
    filled: LiveServer, level: str, model: str, keys: dict[str, Any]
) -> None:
    replies, keeping = await got(filled, level, model=model, **keys)
    assert replies[-1].status == 0xA900
    assert keeping.instances == []


async def test_wild_cards_are_none_in_a_patient_id(filled: LiveServer) -> None:
    _, keeping = await got(filled, "PATIENT", model=PATIENT_GET, PatientID="P*")
    assert keeping.instances == []


async def test_what_the_requester_refuses_is_counted_and_named(filled: LiveServer) -> None:
    replies, keeping = await got(
        filled, "STUDY", StudyInstanceUID=f"{ROOT}.1", statuses=(0xA700, 0xB000, 0x0000)
    )
    final = replies[-1]
    assert final.status == 0xB000
    assert counts(final.command) == (None, 2, 1, 1)
    assert decoded(final.data).FailedSOPInstanceUIDList == keeping.instances[0]


async def test_when_nothing_could_be_sent_the_request_has_failed(filled: LiveServer) -> None:
    replies, _ = await got(filled, "STUDY", StudyInstanceUID=f"{ROOT}.2", statuses=(0xA700, 0xC000))
    final = replies[-1]
    assert final.status == 0xA702
    assert counts(final.command) == (None, 0, 2, 0)
    assert len(decoded(final.data).FailedSOPInstanceUIDList) == 2


async def test_without_the_scp_role_nothing_is_sent(filled: LiveServer) -> None:
    replies, keeping = await got(
        filled, "STUDY", StudyInstanceUID=f"{ROOT}.2", taking=Proposal(CT, (EXPLICIT,), scp=False)
    )
    assert keeping.instances == []
    assert replies[-1].status == 0xA702


async def test_objects_are_transcoded_to_what_was_accepted(filled: LiveServer) -> None:
    replies, keeping = await got(
        filled,
        "IMAGE",
        taking=Proposal(CT, (uids.IMPLICIT_LITTLE_ENDIAN,), scp=True),
        **_path("1", "1.1", "1.1.1"),
    )
    assert replies[-1].status == 0
    ((_, syntax, data),) = keeping.received
    assert syntax == uids.IMPLICIT_LITTLE_ENDIAN
    assert decoded(data, syntax).PatientName == "Doe^Jane"


async def test_pending_responses_count_on(server: LiveServer) -> None:
    fill_series(server, 35)
    replies, _ = await got(server, "STUDY", StudyInstanceUID="1.2.3")
    *pending, final = [counts(each.command) for each in replies]
    assert [each.status for each in replies[:-1]] == [0xFF00] * len(pending)
    assert len(pending) >= 3
    assert all(sum(each or 0 for each in told) == 35 for told in pending)
    assert [told[0] for told in pending] == sorted((told[0] for told in pending), reverse=True)
    assert final == (None, 35, 0, 0)


def fill_series(server: LiveServer, count: int, **values: Any) -> None:
    for n in range(count):
        raw = data_set(SOPInstanceUID=f"1.2.3.4.{n}", InstanceNumber=str(n), **values)
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), EXPLICIT)


class _Cancelling(Keeping):
    """Cancels the retrieve when its third object comes."""

    def message_end(self, asked: Association, message: Message) -> None:
        if len(self.received) == 2:
            asked.cancel(1, 1)
        super().message_end(asked, message)


async def test_a_cancel_is_answered_within_a_sub_operation(server: LiveServer) -> None:
    fill_series(server, 30)
    keeping = _Cancelling()
    async with association(server.port, STUDY_GET, TAKING, service=keeping) as peer:
        replies = await retrieve(peer, STUDY_GET, "STUDY", {"StudyInstanceUID": "1.2.3"})
        final = replies[-1]
        assert final.status == 0xFE00
        assert 3 <= len(keeping.received) <= 4
        assert counts(final.command) == (30 - len(keeping.received), len(keeping.received), 0, 0)
        again = await retrieve(peer, STUDY_GET, "STUDY", {"StudyInstanceUID": "1.2.3"})
    assert again[-1].status == 0


class _Aborting(Keeping):
    """Aborts when its third object comes."""

    def message_end(self, asked: Association, message: Message) -> None:
        super().message_end(asked, message)
        if len(self.received) == 3:
            asked.abort()


async def test_an_abort_ends_it_without_a_trace(server: LiveServer, caplog: pytest.LogCaptureFixture) -> None:
    fill_series(server, 10)
    keeping = _Aborting()
    async with association(server.port, STUDY_GET, TAKING, service=keeping) as peer:
        context = peer.context_for(STUDY_GET)
        assert context is not None
        data = encoded(identifier("STUDY", {"StudyInstanceUID": "1.2.3"}))
        with pytest.raises(Exception, match="over"):
            await peer.exchange(context, command(Field.C_GET_RQ, STUDY_GET), data)
    await until(lambda: not server.server.associations)
    assert not [record for record in caplog.records if record.exc_info]
