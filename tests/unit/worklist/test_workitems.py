"""Workitems: what may be created and changed, found, told of, and brought back by a reset."""

from __future__ import annotations

import json
from typing import Any

import pytest
from workitem_documents import STATION, elements, performed, progress, workitem

from isocenter.dicom.matching import QIDO, match_all
from isocenter.errors import BadRequest, NotFound
from isocenter.index import Index
from isocenter.worklist.refusal import Refused
from isocenter.worklist.subscriptions import FILTERED, WORKLIST, Wish
from isocenter.worklist.workitems import Worklist

LOCK = "2.25.1"


def told(worklist: Worklist, aetitle: str = "WATCHER") -> list[tuple[str, int, dict[str, Any]]]:
    """(workitem, event type, report) of everything queued for a subscriber."""
    reports = [json.loads(event.content) for event in worklist.events(aetitle, 0)]
    return [(one["00001000"]["Value"][0], one["00001002"]["Value"][0], one) for one in reports]


def kinds(worklist: Worklist, aetitle: str = "WATCHER") -> list[int]:
    return [kind for _, kind, _ in told(worklist, aetitle)]


def found(worklist: Worklist, **keys: str) -> list[str]:
    return [one["00080018"]["Value"][0] for one in worklist.search(match_all(keys, QIDO))[0]]


class TestCreate:
    @pytest.mark.parametrize(
        "keyword",
        [
            "ScheduledProcedureStepPriority",
            "ProcedureStepLabel",
            "ScheduledProcedureStepStartDateTime",
            "InputReadinessState",
            "ProcedureStepState",
        ],
    )
    def test_type_1_needs_a_value(self, worklist: Worklist, keyword: str) -> None:
        with pytest.raises(BadRequest, match=keyword):
            worklist.create(workitem(**{keyword: None}), "1.2")
        with pytest.raises(Refused):
            worklist.retrieve("1.2")

    def test_type_2_is_filled_in_empty_and_said_so(self, worklist: Worklist) -> None:
        assert worklist.create(workitem(WorklistLabel=None), "1.2").modified
        made = worklist.retrieve("1.2")
        assert made["00100030"] == {"vr": "DA"}
        assert made["00741202"]["Value"] == ["main"]

    @pytest.mark.parametrize(
        ("keyword", "value"),
        [
            ("ScheduledProcedureStepPriority", "URGENT"),
            ("InputReadinessState", "PERHAPS"),
            ("ScheduledProcedureStepStartDateTime", "tomorrow"),
            ("TransactionUID", "2.25.7"),
            ("UnifiedProcedureStepPerformedProcedureSequence", elements(PatientID="x")),
        ],
    )
    def test_values_that_may_not_be(self, worklist: Worklist, keyword: str, value: Any) -> None:
        with pytest.raises(BadRequest, match=keyword):
            worklist.create(workitem(**{keyword: value}), "1.2")

    @pytest.mark.parametrize("uid", ["", "no uid", WORKLIST])
    def test_it_needs_a_uid_of_its_own(self, worklist: Worklist, uid: str) -> None:
        with pytest.raises(BadRequest):
            worklist.create(workitem(), uid)

    @pytest.mark.parametrize(
        "document",
        [
            [],
            {"PatientID": {"vr": "LO"}},
            {"00100020": "P1"},
            {"00100020": {"vr": "LO", "Value": "P1"}},
            {"00100020": {"vr": "LO", "BulkDataURI": "http://x"}},
            {"00404021": {"vr": "SQ", "Value": ["no item"]}},
        ],
        ids=["a list", "keyword", "no element", "no list", "bulk data", "no item"],
    )
    def test_what_is_no_data_set(self, worklist: Worklist, document: Any) -> None:
        with pytest.raises(BadRequest):
            worklist.create(document, "1.2")


class TestUpdate:
    def test_elements_replace_those_of_the_same_tag(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.2")
        worklist.update("1.2", elements(ScheduledProcedureStepPriority="HIGH"), "")
        made = worklist.retrieve("1.2")
        assert made["00741200"]["Value"] == ["HIGH"]
        assert made["00100020"]["Value"] == ["P1"]

    @pytest.mark.parametrize(
        "wanted",
        [
            elements(ProcedureStepState="COMPLETED"),
            elements(PatientID="P2"),
            elements(SOPInstanceUID="1.3"),
            elements(ProcedureStepLabel=[]),
        ],
        ids=["state", "patient", "uid", "emptied"],
    )
    def test_what_may_not_be_set(self, worklist: Worklist, wanted: Any) -> None:
        worklist.create(workitem(), "1.2")
        with pytest.raises(BadRequest):
            worklist.update("1.2", wanted, "")

    @pytest.mark.parametrize(
        ("state", "transaction", "status"),
        [
            ("SCHEDULED", "", 0),
            ("SCHEDULED", LOCK, 0xC310),
            ("IN PROGRESS", LOCK, 0),
            ("IN PROGRESS", "", 0xC301),
            ("IN PROGRESS", "2.25.9", 0xC301),
            ("COMPLETED", LOCK, 0xC300),
            ("CANCELED", LOCK, 0xC300),
            ("", "", 0xC307),
        ],
    )
    def test_who_may_in_which_state(
        self, worklist: Worklist, state: str, transaction: str, status: int
    ) -> None:
        if state:
            worklist.create(workitem(), "1.2")
        if state not in ("", "SCHEDULED"):
            worklist.change_state("1.2", "IN PROGRESS", LOCK)
            worklist.update("1.2", performed(), LOCK)
        if state in ("COMPLETED", "CANCELED"):
            worklist.change_state("1.2", state, LOCK)
        wanted = elements(ScheduledProcedureStepPriority="LOW")
        if not status:
            worklist.update("1.2", wanted, transaction)
            return
        with pytest.raises(Refused) as refused:
            worklist.update("1.2", wanted, transaction)
        assert refused.value.dicom_status == status


class TestSearch:
    @pytest.fixture(autouse=True)
    def filled(self, worklist: Worklist) -> None:
        worklist.create(workitem(ScheduledProcedureStepStartDateTime="20240301"), "1.2")
        worklist.create(
            workitem(
                PatientID="P2",
                PatientName={"Alphabetic": "Müller^A"},
                ScheduledStationNameCodeSequence=STATION,
            ),
            "1.1",
        )
        worklist.change_state("1.1", "IN PROGRESS", LOCK)

    @pytest.mark.parametrize(
        ("keys", "uids"),
        [
            ({}, ["1.1", "1.2"]),
            ({"ProcedureStepState": "SCHEDULED"}, ["1.2"]),
            ({"ProcedureStepState": "SCHEDULED\\IN PROGRESS"}, ["1.1", "1.2"]),
            ({"ProcedureStepState": "COMPLETED"}, []),
            ({"PatientName": "muller*"}, ["1.1"]),
            ({"ScheduledProcedureStepStartDateTime": "20240201-"}, ["1.2"]),
            ({"ScheduledStationNameCodeSequence.CodeValue": "S1"}, ["1.1"]),
            ({"SOPInstanceUID": "1.1,1.2"}, ["1.1", "1.2"]),
            ({"ProcedureStepState": "SCHEDULED", "PatientID": "P2"}, []),
        ],
    )
    def test_keys(self, worklist: Worklist, keys: dict[str, str], uids: list[str]) -> None:
        assert found(worklist, **keys) == uids

    def test_a_page_of_it(self, worklist: Worklist) -> None:
        page, remaining = worklist.search(match_all({}, QIDO), limit=1, offset=0)
        assert remaining == 1
        page, remaining = worklist.search(match_all({}, QIDO), limit=1, offset=1)
        assert remaining == 0
        assert [one["00080018"]["Value"][0] for one in page] == ["1.2"]


class TestSubscriptions:
    def test_a_subscriber_is_told_the_state_at_once_and_each_change(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.2")
        worklist.subscribe(Wish("1.2", "WATCHER"))
        worklist.change_state("1.2", "IN PROGRESS", LOCK)
        worklist.update("1.2", progress("50"), LOCK)
        worklist.update("1.2", elements(InputReadinessState="UNAVAILABLE"), LOCK)
        worklist.update("1.2", elements(ScheduledStationNameCodeSequence=STATION), LOCK)
        worklist.update("1.2", elements(ScheduledProcedureStepPriority="LOW"), LOCK)
        worklist.request_cancel("1.2", elements(ReasonForCancellation="Wrong"), "BOSS")
        worklist.update("1.2", performed(), LOCK)
        worklist.change_state("1.2", "COMPLETED", LOCK)
        assert kinds(worklist) == [1, 1, 3, 1, 5, 2, 1]
        states = [one["00741000"]["Value"][0] for _, kind, one in told(worklist) if kind == 1]
        assert states == ["SCHEDULED", "IN PROGRESS", "IN PROGRESS", "COMPLETED"]
        (cancel,) = [one for _, kind, one in told(worklist) if kind == 2]
        assert (cancel["00741236"]["Value"], cancel["00741238"]["Value"]) == (["BOSS"], ["Wrong"])

    def test_a_scheduled_one_is_canceled_on_request_through_in_progress(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.2")
        worklist.subscribe(Wish("1.2", "WATCHER"))
        worklist.request_cancel("1.2", elements(ReasonForCancellation="Wrong"), "BOSS")
        assert kinds(worklist) == [1, 2, 1, 1]
        assert [one["00741000"]["Value"][0] for _, kind, one in told(worklist) if kind == 1] == [
            "SCHEDULED",
            "IN PROGRESS",
            "CANCELED",
        ]
        assert told(worklist)[-1][2]["00741238"]["Value"] == ["Wrong"]

    def test_a_global_one_is_of_every_workitem_that_comes(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.1")
        worklist.subscribe(Wish(WORKLIST, "WATCHER"))
        worklist.create(workitem(ScheduledStationNameCodeSequence=STATION), "1.2")
        assert [(uid, kind) for uid, kind, _ in told(worklist)] == [("1.2", 1), ("1.2", 5)]
        worklist.change_state("1.1", "IN PROGRESS", LOCK)
        assert told(worklist)[-1][0] == "1.1"

    def test_a_global_one_with_a_lock_is_told_what_there_is(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.1")
        worklist.create(workitem(), "1.2")
        worklist.subscribe(Wish(WORKLIST, "WATCHER", deletion_lock=True))
        assert [(uid, kind) for uid, kind, _ in told(worklist)] == [("1.1", 1), ("1.2", 1)]

    def test_a_filtered_one_is_of_those_that_match(self, worklist: Worklist) -> None:
        worklist.create(workitem(WorklistLabel="Dose"), "1.1")
        worklist.create(workitem(), "1.2")
        worklist.subscribe(Wish(FILTERED, "WATCHER", keys={"WorklistLabel": "Dose"}))
        worklist.create(workitem(WorklistLabel="Dose"), "1.3")
        worklist.create(workitem(), "1.4")
        for uid in ("1.1", "1.2"):
            worklist.change_state(uid, "IN PROGRESS", LOCK)
        assert [uid for uid, _, _ in told(worklist)] == ["1.3", "1.1"]

    def test_after_suspending_only_old_ones_are_told_of(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.1")
        worklist.subscribe(Wish(WORKLIST, "WATCHER"))
        worklist.suspend(WORKLIST, "WATCHER")
        worklist.create(workitem(), "1.2")
        worklist.change_state("1.1", "IN PROGRESS", LOCK)
        assert [uid for uid, _, _ in told(worklist)] == ["1.1"]

    def test_unsubscribing_globally_ends_everything(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.1")
        worklist.subscribe(Wish("1.1", "WATCHER"))
        worklist.subscribe(Wish(WORKLIST, "WATCHER"))
        worklist.unsubscribe(WORKLIST, "WATCHER")
        worklist.change_state("1.1", "IN PROGRESS", LOCK)
        worklist.create(workitem(), "1.2")
        assert len(told(worklist)) == 1  # that of subscribing

    def test_unsubscribing_from_one(self, worklist: Worklist) -> None:
        worklist.create(workitem(), "1.1")
        worklist.subscribe(Wish("1.1", "WATCHER"))
        worklist.unsubscribe("1.1", "WATCHER")
        worklist.change_state("1.1", "IN PROGRESS", LOCK)
        assert kinds(worklist) == [1]
        with pytest.raises(NotFound):
            worklist.unsubscribe("1.1", "WATCHER")

    def test_nobody_subscribes_to_what_is_not_there(self, worklist: Worklist) -> None:
        with pytest.raises(Refused):
            worklist.subscribe(Wish("1.9", "WATCHER"))
        with pytest.raises(Refused):
            worklist.suspend("1.9", "WATCHER")

    def test_a_restart_is_told_once_to_each_subscriber(self, worklist: Worklist) -> None:
        worklist.subscribe(Wish(WORKLIST, "WATCHER"))
        worklist.create(workitem(), "1.1")
        worklist.announce_restart()
        last = told(worklist)[-1][2]
        assert (last["00001002"]["Value"], last["00741242"]["Value"]) == ([4], ["RESTARTED"])
        assert kinds(worklist).count(4) == 1

    def test_what_was_delivered_is_not_sent_again(self, worklist: Worklist) -> None:
        worklist.subscribe(Wish(WORKLIST, "WATCHER"))
        worklist.create(workitem(), "1.1")
        (event,) = worklist.events("WATCHER")
        worklist.delivered("WATCHER", event.id)
        assert worklist.events("WATCHER") == []


def test_a_reset_brings_workitems_and_subscriptions_back(worklist: Worklist, index: Index) -> None:
    worklist.create(workitem(), "1.1")
    worklist.subscribe(Wish("1.1", "WATCHER"))
    index.writer.snapshot("exam")
    index.writer.set_snapshot_heads("exam", {})
    worklist.create(workitem(), "1.2")
    worklist.change_state("1.1", "IN PROGRESS", LOCK)
    worklist.unsubscribe("1.1", "WATCHER")
    index.writer.reset("exam")
    assert found(worklist) == ["1.1"]
    before = len(told(worklist))
    assert worklist.change_state("1.1", "IN PROGRESS", "2.25.2") == 0
    assert len(told(worklist)) == before + 1


def test_the_change_log_tells_of_workitems(worklist: Worklist, index: Index) -> None:
    worklist.create(workitem(), "1.1")
    worklist.change_state("1.1", "IN PROGRESS", LOCK)
    lines = [(line.kind, line.SOPInstanceUID, line.detail) for line in index.reader.changes()]
    assert lines == [("workitem-created", "1.1", "SCHEDULED"), ("workitem-state", "1.1", "IN PROGRESS")]
