"""C-FIND: what is asked for comes back, at every level and in both models."""

from __future__ import annotations

import asyncio
import struct
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from data_sets import data_set
from live_dicom import LiveServer, live
from raw_peer import RELEASE_RP, RELEASE_RQ, Peer, fragment, p_data
from scu import (
    CT,
    ECHO,
    PATIENT_FIND,
    STUDY_FIND,
    STUDY_GET,
    Found,
    association,
    command,
    encoded,
    find,
    identifier,
    retrieve,
)

from isocenter.archive import Origin
from isocenter.dicom.uids import IMPLICIT_LITTLE_ENDIAN
from isocenter.dimse import find as finding
from isocenter.dimse import retrieve as retrieving
from isocenter.network import messages, negotiation
from isocenter.network.messages import Field
from isocenter.network.negotiation import Proposal

ROOT = "1.2.826.0.1.3680043.8.498"
PENDING, PENDING_PARTLY = 0xFF00, 0xFF01


async def asked(server: LiveServer, level: str, model: str = STUDY_FIND, **keys: Any) -> Found:
    async with association(server.port, model) as peer:
        return await find(peer, level, keys, model)


def values(found: Found, keyword: str) -> list[str]:
    return sorted(str(match.get(keyword) or "") for match in found.matches)


# -- levels -----------------------------------------------------------------------------------------


async def test_patients(filled: LiveServer) -> None:
    found = await asked(
        filled, "PATIENT", PATIENT_FIND, PatientName="", PatientID="", NumberOfPatientRelatedStudies=None
    )
    assert values(found, "PatientID") == ["P1", "P2"]
    assert [int(match.NumberOfPatientRelatedStudies) for match in found.matches] == [2, 1]
    assert found.final["Status"] == 0


async def test_studies_with_what_is_computed(filled: LiveServer) -> None:
    found = await asked(
        filled,
        "STUDY",
        StudyInstanceUID=f"{ROOT}.1",
        ModalitiesInStudy=None,
        NumberOfStudyRelatedSeries=None,
        NumberOfStudyRelatedInstances=None,
    )
    (match,) = found.matches
    assert sorted(match.ModalitiesInStudy) == ["CT", "SR"]
    assert (match.NumberOfStudyRelatedSeries, match.NumberOfStudyRelatedInstances) == (2, 4)


async def test_series_and_instances(filled: LiveServer) -> None:
    series = await asked(
        filled, "SERIES", StudyInstanceUID=f"{ROOT}.1", SeriesInstanceUID="", Modality="CT", PatientName=""
    )
    assert values(series, "SeriesInstanceUID") == [f"{ROOT}.1.1"]
    assert values(series, "PatientName") == ["Doe^Jane"]
    images = await asked(
        filled,
        "IMAGE",
        StudyInstanceUID=f"{ROOT}.1",
        SeriesInstanceUID=f"{ROOT}.1.1",
        SOPInstanceUID="",
        InstanceNumber="",
    )
    assert values(images, "InstanceNumber") == ["1", "2", "3"]


async def test_a_key_of_a_lower_level_is_matched_where_queries_are_relational(filled: LiveServer) -> None:
    found = await asked(filled, "STUDY", StudyInstanceUID="", Modality="MR")
    assert values(found, "StudyInstanceUID") == [f"{ROOT}.2"]


async def test_implicit_vr_is_spoken_too(filled: LiveServer) -> None:
    async with association(filled.port, Proposal(STUDY_FIND, (IMPLICIT_LITTLE_ENDIAN,))) as peer:
        found = await find(peer, "STUDY", {"PatientName": "Doe*", "StudyInstanceUID": ""})
    assert len(found.matches) == 2


# -- what comes back --------------------------------------------------------------------------------


async def test_only_requested_keys_come_back_and_the_unique_one_and_where_it_is(filled: LiveServer) -> None:
    found = await asked(filled, "STUDY", PatientID="P2", StudyDescription="")
    (match,) = found.matches
    assert {element.keyword for element in match} == {
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "InstanceAvailability",
        "PatientID",
        "StudyDescription",
        "StudyInstanceUID",
    }
    assert match.RetrieveAETitle == "ISOCENTER"
    assert match.InstanceAvailability == "ONLINE"
    assert match.QueryRetrieveLevel == "STUDY"


async def test_an_unknown_key_comes_back_empty_and_the_status_says_so(filled: LiveServer) -> None:
    known = await asked(filled, "STUDY", StudyInstanceUID="", PatientName="")
    assert set(known.statuses) == {PENDING}
    unknown = await asked(filled, "STUDY", StudyInstanceUID="", InterventionDrugName="aspirin")
    assert set(unknown.statuses) == {PENDING_PARTLY}
    assert values(unknown, "InterventionDrugName") == ["", "", ""]


async def test_a_private_key_comes_back_empty(filled: LiveServer) -> None:
    query = identifier("STUDY", {"StudyInstanceUID": ""})
    query.add_new(0x00091001, "LO", "")
    async with association(filled.port, STUDY_FIND) as peer:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        replies = [
            each async for each in peer.replies(context, command(Field.C_FIND_RQ, STUDY_FIND), encoded(query))
        ]
    assert [each.status for each in replies] == [PENDING_PARTLY] * 3 + [0]


async def test_sequences_are_matched_and_returned(server: LiveServer) -> None:
    from pydicom import Dataset
    from pydicom.sequence import Sequence

    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = "STEP7", "REQ7"
    stored = identifier("", {"SOPClassUID": CT, "SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3"})
    stored.SeriesInstanceUID, stored.Modality = "1.2.3.1", "CT"
    stored.RequestAttributesSequence = Sequence([item])
    server.dataset.store(encoded(stored), Origin("TEST", "ISOCENTER", ""), "1.2.840.10008.1.2.1")

    def key(step: str) -> dict[str, Any]:
        wanted = Dataset()
        wanted.ScheduledProcedureStepID, wanted.RequestedProcedureID = step, ""
        return {
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "",
            "RequestAttributesSequence": Sequence([wanted]),
        }

    found = await asked(server, "SERIES", **key("STEP7"))
    (match,) = found.matches
    assert match.RequestAttributesSequence[0].RequestedProcedureID == "REQ7"
    assert (await asked(server, "SERIES", **key("STEP8"))).matches == []
    universal = {**key(""), "RequestAttributesSequence": Sequence([])}
    empty = await asked(server, "SERIES", **universal)
    assert len(empty.matches) == 1


# -- matching ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        ({"PatientName": "doe^jane"}, ["1", "2"]),
        ({"PatientName": "GARCIA*"}, ["3"]),
        ({"PatientName": "*"}, ["1", "2", "3"]),
        ({"PatientID": "P?"}, ["1", "2", "3"]),
        ({"PatientID": "p1"}, []),
        ({"StudyDate": "20240229-"}, ["2", "3"]),
        ({"StudyDate": "20240228"}, ["1"]),
        ({"ModalitiesInStudy": "SR"}, ["1"]),
        ({"ModalitiesInStudy": ["MR", "SR"]}, ["1", "2"]),
        ({"StudyInstanceUID": [f"{ROOT}.1", f"{ROOT}.3", "1.2"]}, ["1", "3"]),
    ],
)
async def test_keys_match_as_the_standard_says(
    filled: LiveServer, keys: dict[str, Any], studies: list[str]
) -> None:
    found = await asked(filled, "STUDY", **{"StudyInstanceUID": "", **keys})
    assert values(found, "StudyInstanceUID") == [f"{ROOT}.{each}" for each in studies]


async def test_a_long_list_of_uids(filled: LiveServer) -> None:
    wanted = [f"1.2.3.4.5.6.7.8.{n}" for n in range(500)] + [f"{ROOT}.2"]
    found = await asked(filled, "STUDY", StudyInstanceUID=wanted)
    assert values(found, "StudyInstanceUID") == [f"{ROOT}.2"]


@pytest.mark.parametrize(("agreed", "studies"), [(b"\1\1", ["1", "2"]), (b"\1\0", [])])
async def test_date_and_time_are_one_moment_only_when_agreed(
    filled: LiveServer, agreed: bytes, studies: list[str]
) -> None:
    keys = {"StudyInstanceUID": "", "StudyDate": "20240228-20240229", "StudyTime": "220000-020000"}
    async with association(filled.port, STUDY_FIND, extended={STUDY_FIND: agreed}) as peer:
        found = await find(peer, "STUDY", keys)
    assert values(found, "StudyInstanceUID") == [f"{ROOT}.{each}" for each in studies]


async def test_empty_values_match_only_when_agreed(filled: LiveServer) -> None:
    keys = {"StudyInstanceUID": "", "StudyDescription": '""'}
    async with association(filled.port, STUDY_FIND, extended={STUDY_FIND: b"\1\0\0\0\0\1"}) as peer:
        assert len((await find(peer, "STUDY", keys)).matches) == 3
    assert (await asked(filled, "STUDY", **keys)).matches == []


async def test_names_match_by_their_sound_only_when_agreed(filled: LiveServer) -> None:
    keys = {"StudyInstanceUID": "", "PatientName": "Josse Garzia"}
    async with association(filled.port, STUDY_FIND, extended={STUDY_FIND: b"\1\0\1"}) as peer:
        assert values(await find(peer, "STUDY", keys), "PatientName") == ["García^José"]
    assert (await asked(filled, "STUDY", **keys)).matches == []


# -- hierarchy --------------------------------------------------------------------------------------


async def test_without_relational_queries_the_upper_unique_keys_are_needed(server: LiveServer) -> None:
    refused = await asked(server, "SERIES", SeriesInstanceUID="")
    assert refused.final["Status"] == 0xA900
    assert "StudyInstanceUID" in refused.final["ErrorComment"]
    assert (await asked(server, "SERIES", StudyInstanceUID="1.2")).final["Status"] == 0
    async with association(server.port, STUDY_FIND, extended={STUDY_FIND: b"\1"}) as peer:
        assert (await find(peer, "SERIES", {"SeriesInstanceUID": ""})).final["Status"] == 0


async def test_a_setting_makes_every_query_relational(tmp_path: Path) -> None:
    with live(tmp_path, dicom__lenient_relational=True) as lenient:
        assert (await asked(lenient, "SERIES", SeriesInstanceUID="")).final["Status"] == 0


@pytest.mark.parametrize(
    ("level", "keys", "status"),
    [
        ("", {"PatientID": ""}, 0xA900),
        ("VISIT", {"PatientID": ""}, 0xA900),
        ("PATIENT", {"PatientID": ""}, 0xA900),  # the Study Root has no patients
        ("STUDY", {"StudyDate": "tomorrow"}, 0xC000),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_its_status(
    filled: LiveServer, level: str, keys: dict[str, Any], status: int
) -> None:
    async with association(filled.port, STUDY_FIND) as peer:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's, about the value
            data = encoded(identifier(level, keys))
        reply = await peer.exchange(context, command(Field.C_FIND_RQ, STUDY_FIND), data)
    assert reply.status == status
    comment = reply.command["ErrorComment"]
    assert 0 < len(comment) <= 64
    assert "tomorrow" not in comment


async def test_bytes_that_are_no_identifier_are_refused(filled: LiveServer) -> None:
    async with association(filled.port, STUDY_FIND) as peer:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        for data in (b"\xff" * 64, b"\x08", b"\x00" * 4096):
            reply = await peer.exchange(context, command(Field.C_FIND_RQ, STUDY_FIND), data)
            assert reply.status in (0xC000, 0xA900)


async def test_a_find_on_another_services_context_is_refused(filled: LiveServer) -> None:
    async with association(filled.port, ECHO) as peer:
        context = peer.context_for(ECHO)
        assert context is not None
        data = encoded(identifier("STUDY", {"PatientID": ""}))
        reply = await peer.exchange(context, command(Field.C_FIND_RQ, STUDY_FIND), data)
    assert reply.status == 0x0122


# -- many -------------------------------------------------------------------------------------------


def many(server: LiveServer, count: int) -> None:
    receptions = []
    for n in range(count):
        raw = data_set(SOPInstanceUID=f"1.2.3.{n}", InstanceNumber=str(n), StudyInstanceUID=f"1.2.{n}")
        reception = server.dataset.receive(Origin("TEST", "ISOCENTER", ""), "1.2.840.10008.1.2.1")
        reception.feed(raw)
        receptions.append(reception.finish())
    for each in receptions:
        each.result(60)


async def test_every_match_of_many_comes(server: LiveServer) -> None:
    many(server, 700)
    found = await asked(server, "STUDY", StudyInstanceUID="")
    assert len({match.StudyInstanceUID for match in found.matches}) == 700
    assert found.final["Status"] == 0


async def test_above_the_limit_the_matches_so_far_come_and_then_a700(tmp_path: Path) -> None:
    with live(tmp_path, dicom__limits__find_matches=25) as limited:
        many(limited, 30)
        found = await asked(limited, "STUDY", StudyInstanceUID="")
    assert len(found.matches) == 25
    assert found.final["Status"] == 0xA700
    assert "25" in found.final["ErrorComment"]


async def test_exactly_the_limit_is_a_success(tmp_path: Path) -> None:
    with live(tmp_path, dicom__limits__find_matches=25) as limited:
        many(limited, 25)
        found = await asked(limited, "STUDY", StudyInstanceUID="")
    assert (len(found.matches), found.final["Status"]) == (25, 0)


async def test_a_cancel_ends_the_answer(server: LiveServer) -> None:
    many(server, 600)
    async with association(server.port, STUDY_FIND) as peer:
        found = await find(peer, "STUDY", {"StudyInstanceUID": ""}, most=5)
    assert found.final["Status"] in (0xFE00, 0x0000)
    assert len(found.matches) <= 600


async def test_the_time_zone_of_a_request_is_no_key_but_is_told_where_it_is_asked_for(
    server: LiveServer,
) -> None:
    for n, zone in enumerate(("+0100", "-0500")):
        raw = data_set(
            StudyInstanceUID=f"1.2.{n}",
            SeriesInstanceUID=f"1.2.{n}.1",
            SOPInstanceUID=f"1.2.{n}.1.1",
            TimezoneOffsetFromUTC=zone,
        )
        server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), "1.2.840.10008.1.2.1")
    found = await asked(server, "STUDY", StudyInstanceUID="", TimezoneOffsetFromUTC="+0100")
    assert values(found, "StudyInstanceUID") == ["1.2.0", "1.2.1"]
    assert all("TimezoneOffsetFromUTC" in match for match in found.matches)


async def test_an_identifier_of_very_many_elements_is_refused_and_holds_nobody_up(server: LiveServer) -> None:
    tiny = b"".join(
        struct.pack("<HH2sH", 0x0009 + 2 * (n >> 16), n & 0xFFFF, b"LO", 0)
        for n in range(0x1000, 0x1000 + 200_000)
    )
    async with association(server.port, STUDY_FIND) as peer, association(server.port, ECHO) as other:
        context = peer.context_for(STUDY_FIND)
        assert context is not None
        reply = await peer.exchange(context, command(Field.C_FIND_RQ, STUDY_FIND), tiny)
        assert reply.status == 0xC000
        assert (await other.exchange(1, command(Field.C_ECHO_RQ, ECHO))).status == 0


async def test_requests_are_read_beside_the_loop(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    read = finding.parse

    def noted(*told: Any) -> Any:
        threads.append(threading.current_thread().name)
        return read(*told)

    monkeypatch.setattr(finding, "parse", noted)
    monkeypatch.setattr(retrieving, "parse", noted)
    async with association(server.port, STUDY_FIND, STUDY_GET) as peer:
        await find(peer, "STUDY", {"StudyInstanceUID": "1.2.3"})
        await retrieve(peer, STUDY_GET, "STUDY", {"StudyInstanceUID": "1.2.3"})
    assert [name.rpartition("_")[0] for name in threads] == ["dimse", "dimse"]


async def test_queries_that_take_long_hold_up_no_request_for_an_association(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(finding, "parse", lambda *_: over.wait(30))
    async with association(server.port, STUDY_FIND) as peer:
        asking = [asyncio.create_task(find(peer, "STUDY", {"StudyInstanceUID": ""})) for _ in range(40)]
        try:
            async with association(server.port, ECHO) as other:
                assert (await other.exchange(1, command(Field.C_ECHO_RQ, ECHO))).status == 0
            assert not any(each.done() for each in asking)
        finally:
            over.set()
            peer.abort()
            await asyncio.gather(*asking, return_exceptions=True)


async def test_a_release_during_an_answer_comes_after_every_match(filled: LiveServer) -> None:
    peer = await Peer.connect(filled.port)
    await peer.associate(negotiation.propose("ISOCENTER", "SCU", [Proposal(STUDY_FIND)]))
    told = {**command(Field.C_FIND_RQ, STUDY_FIND), "MessageID": 1, "CommandDataSetType": 1}
    data = encoded(identifier("STUDY", {"StudyInstanceUID": ""}))
    asking = p_data(fragment(1, messages.pack_command(told), command=True), fragment(1, data))
    await peer.send(asking + RELEASE_RQ)
    statuses = []
    while (pdu := await peer.pdu()) != RELEASE_RP:
        assert pdu[0] == 4
        if pdu[11] & 1:
            statuses.append(messages.parse_command(pdu[12:])["Status"])
    assert statuses == [0xFF00] * 3 + [0]
    await peer.close()
