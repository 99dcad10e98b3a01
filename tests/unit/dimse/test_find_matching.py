"""C-FIND: which keys match, and which only when that was agreed on."""

from __future__ import annotations

from typing import Any

import pytest
from data_sets import data_set
from live_dicom import LiveServer
from scu import (
    STUDY_FIND,
    asked,
    association,
    find,
    values,
)

from isocenter.archive import Origin

ROOT = "1.2.826.0.1.3680043.8.498"


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
