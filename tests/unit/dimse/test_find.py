"""C-FIND: what is asked for comes back, at every level and in both models."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from live_dicom import LiveServer, live
from scu import (
    CT,
    ECHO,
    PATIENT_FIND,
    STUDY_FIND,
    asked,
    association,
    command,
    encoded,
    find,
    identifier,
    values,
)

from isocenter.archive import Origin
from isocenter.dicom.uids import IMPLICIT_LITTLE_ENDIAN
from isocenter.network.messages import Field
from isocenter.network.negotiation import Proposal

ROOT = "1.2.826.0.1.3680043.8.498"

PENDING, PENDING_PARTLY = 0xFF00, 0xFF01

PENDING, PENDING_PARTLY = 0xFF00, 0xFF01


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
