"""The state table of PS3.4 CC.1.1-2, every cell of it, on a stored workitem."""

from __future__ import annotations

from pathlib import Path

import pytest
from workitem_documents import performed, workitem

from isocenter.worklist.refusal import Refused
from isocenter.worklist.states import TABLE, Request, State
from isocenter.worklist.workitems import Worklist

UID, LOCK, OTHER = "1.2.3", "2.25.1", "2.25.2"

# As the standard prints it: request, whether its Transaction UID is correct, and for each state (none,
# SCHEDULED, IN PROGRESS, COMPLETED, CANCELED) a status, or the state that the workitem is in afterwards.
PRINTED = [
    ("create", True, "SCHEDULED", "0111", "0111", "0111", "0111"),
    ("IN PROGRESS", True, "C307", "IN PROGRESS", "C302", "C300", "C300"),
    ("IN PROGRESS", False, "C307", "C301", "C301", "C301", "C301"),
    ("SCHEDULED", True, "C307", "C303", "C303", "C303", "C303"),
    ("SCHEDULED", False, "C307", "C303", "C303", "C303", "C303"),
    ("COMPLETED", True, "C307", "C310", "COMPLETED", "B306", "C300"),
    ("COMPLETED", False, "C307", "C301", "C301", "C301", "C301"),
    ("cancel", True, "C307", "CANCELED", "IN PROGRESS", "C311", "B304"),
    ("CANCELED", True, "C307", "C310", "CANCELED", "C300", "B304"),
    ("CANCELED", False, "C307", "C301", "C301", "C301", "C301"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """One database is enough: the table does not know of them."""
    return tmp_path / "index.db"


STATES = ("", "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
CELLS = [
    pytest.param(request, correct, state, wanted, id=f"{request}-{correct}-{state or 'none'}")
    for request, correct, *row in PRINTED
    for state, wanted in zip(STATES, row, strict=True)
]


def bring(worklist: Worklist, state: str) -> None:
    """Take a workitem to a state, as its performer does."""
    if not state:
        return
    worklist.create(workitem(), UID)
    if state == "SCHEDULED":
        return
    worklist.change_state(UID, "IN PROGRESS", LOCK)
    worklist.update(UID, performed(), LOCK)
    if state != "IN PROGRESS":
        worklist.change_state(UID, state, LOCK)


def attempt(worklist: Worklist, request: str, state: str, correct: bool) -> str:
    """What a request gets: a status, or the state afterwards when it is done."""
    wrong = "" if state in ("", "SCHEDULED") else OTHER
    try:
        if request == "create":
            worklist.create(workitem(), UID)
            status = 0
        elif request == "cancel":
            status = worklist.request_cancel(UID, {}, "SOMEBODY")
        else:
            status = worklist.change_state(UID, request, LOCK if correct else wrong)
    except Refused as refused:
        return f"{refused.dicom_status:04X}"
    return f"{status:04X}" if status else worklist.retrieve(UID)["00741000"]["Value"][0]


@pytest.mark.parametrize(("request_", "correct", "state", "wanted"), CELLS)
def test_cell(worklist: Worklist, request_: str, correct: bool, state: str, wanted: str) -> None:
    bring(worklist, state)
    assert attempt(worklist, request_, state, correct) == wanted


@pytest.mark.parametrize(("request_", "correct", "state", "wanted"), CELLS)
def test_what_is_refused_changes_nothing(
    worklist: Worklist, request_: str, correct: bool, state: str, wanted: str
) -> None:
    if not state or wanted[:1] not in "CB0" or wanted in STATES:
        return
    bring(worklist, state)
    before = worklist.retrieve(UID)
    attempt(worklist, request_, state, correct)
    assert worklist.retrieve(UID) == before


def test_the_table_has_every_row_and_state() -> None:
    assert {request for request, _ in TABLE} == set(Request)
    assert all(set(row) == set(State) for row in TABLE.values())


def test_one_that_lacks_what_the_final_state_needs_is_not_completed(worklist: Worklist) -> None:
    worklist.create(workitem(), UID)
    worklist.change_state(UID, "IN PROGRESS", LOCK)
    with pytest.raises(Refused, match="UnifiedProcedureStepPerformedProcedureSequence") as refused:
        worklist.change_state(UID, "COMPLETED", LOCK)
    assert refused.value.dicom_status == 0xC304


@pytest.mark.parametrize("leave_out", ["00404028", "00404050", "00404019", "00404051", "00404033"])
def test_each_attribute_of_the_performed_procedure_is_needed(worklist: Worklist, leave_out: str) -> None:
    worklist.create(workitem(), UID)
    worklist.change_state(UID, "IN PROGRESS", LOCK)
    wanted = performed()
    del wanted["00741216"]["Value"][0][leave_out]
    worklist.update(UID, wanted, LOCK)
    with pytest.raises(Refused) as refused:
        worklist.change_state(UID, "COMPLETED", LOCK)
    assert refused.value.dicom_status == 0xC304


def test_a_claimed_one_is_canceled_without_more_ado(worklist: Worklist) -> None:
    """PS3.4 CC.2.5.1.3.2: two changes of state and no update; the server fills in when and why."""
    worklist.create(workitem(), UID)
    worklist.change_state(UID, "IN PROGRESS", LOCK)
    assert worklist.change_state(UID, "CANCELED", LOCK) == 0
    (progress,) = worklist.retrieve(UID)["00741002"]["Value"]
    assert progress["00404052"]["Value"][0].startswith("20")
    assert progress["0074100E"]["Value"][0]["00080100"]["Value"] == ["110513"]


def test_two_performers_claim_and_one_gets_it(worklist: Worklist) -> None:
    worklist.create(workitem(), UID)
    assert worklist.change_state(UID, "IN PROGRESS", LOCK) == 0
    with pytest.raises(Refused) as refused:
        worklist.change_state(UID, "IN PROGRESS", OTHER)
    assert refused.value.dicom_status == 0xC301


def test_the_lock_is_told_to_nobody(worklist: Worklist) -> None:
    worklist.create(workitem(), UID)
    worklist.change_state(UID, "IN PROGRESS", LOCK)
    assert "00081195" not in worklist.retrieve(UID)
    assert LOCK not in str(worklist.retrieve(UID))
