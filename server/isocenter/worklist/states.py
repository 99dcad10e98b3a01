"""The states of a Unified Procedure Step and the table of what may happen in each (PS3.4 CC.1.1).

A cell says which status a request gets and which states the step goes through. Pure data: nothing is stored
or reported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Procedure Step State (0074,1000), and NONE for a step that does not exist."""

    NONE = ""
    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"

    @property
    def final(self) -> bool:
        """Whether nothing may change any more (CC.2.5.1.1)."""
        return self in (State.COMPLETED, State.CANCELED)


class Request(StrEnum):
    """The rows of Table CC.1.1-2; a change of state is told apart by the state that is asked for."""

    CREATE = "create"
    SCHEDULE = "change to SCHEDULED"
    CLAIM = "change to IN PROGRESS"
    COMPLETE = "change to COMPLETED"
    CANCEL = "change to CANCELED"
    REQUEST_CANCEL = "request cancel"


CHANGES = {
    State.SCHEDULED: Request.SCHEDULE,
    State.IN_PROGRESS: Request.CLAIM,
    State.COMPLETED: Request.COMPLETE,
    State.CANCELED: Request.CANCEL,
}
"""The request by the state that it asks for."""

SUCCESS = 0x0000
DUPLICATE = 0x0111
DELETION_LOCK_NOT_GRANTED = 0xB301
ALREADY_CANCELED = 0xB304
ALREADY_COMPLETED = 0xB306
NO_LONGER_UPDATED = 0xC300
WRONG_TRANSACTION = 0xC301
ALREADY_IN_PROGRESS = 0xC302
ONLY_CREATED_SCHEDULED = 0xC303
FINAL_STATE_NOT_MET = 0xC304
NO_SUCH_STEP = 0xC307
NOT_CREATED_SCHEDULED = 0xC309
NOT_IN_PROGRESS = 0xC310
IS_COMPLETED = 0xC311
NOT_APPROPRIATE = 0xC314

MEANINGS: dict[int, str] = {
    SUCCESS: "done",
    DUPLICATE: "there is a workitem with this UID",
    DELETION_LOCK_NOT_GRANTED: "Deletion Lock not granted",
    ALREADY_CANCELED: "The UPS is already in the requested state of CANCELED",
    ALREADY_COMPLETED: "The UPS is already in the requested state of COMPLETED",
    NO_LONGER_UPDATED: "the workitem is in a final state and may no longer be updated",
    WRONG_TRANSACTION: "the correct Transaction UID was not provided",
    ALREADY_IN_PROGRESS: "the workitem is already IN PROGRESS",
    ONLY_CREATED_SCHEDULED: "a workitem becomes SCHEDULED when it is created, and not again",
    FINAL_STATE_NOT_MET: "the workitem does not meet the requirements of the final state",
    NO_SUCH_STEP: "there is no such workitem",
    NOT_CREATED_SCHEDULED: "a workitem is created with Procedure Step State SCHEDULED",
    NOT_IN_PROGRESS: "the workitem is not IN PROGRESS",
    IS_COMPLETED: "the workitem is already COMPLETED",
    NOT_APPROPRIATE: "this action is not appropriate for this workitem",
}
"""Status codes of CC.2.1.4, CC.2.2.4, CC.2.3.4, CC.2.5.4 and CC.2.6.4."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a request does: its status, and the states that the step then goes through, each reported.

    `checked` means that the requirements of the final state come first, `asks` that the performer is asked.
    """

    status: int = SUCCESS
    through: tuple[State, ...] = ()
    checked: bool = False
    asks: bool = False


Row = dict[State, Cell]
_STATES = (State.NONE, State.SCHEDULED, State.IN_PROGRESS, State.COMPLETED, State.CANCELED)


def _row(*cells: Cell | int) -> Row:
    made = (cell if isinstance(cell, Cell) else Cell(cell) for cell in cells)
    return dict(zip(_STATES, made, strict=True))


_TO_PROGRESS = Cell(through=(State.IN_PROGRESS,))
_TO_COMPLETED = Cell(through=(State.COMPLETED,), checked=True)
_TO_CANCELED = Cell(through=(State.CANCELED,), checked=True)
_CANCELED_HERE = Cell(through=(State.IN_PROGRESS, State.CANCELED))
_ASK = Cell(asks=True)

# The columns are: does not exist, SCHEDULED, IN PROGRESS, COMPLETED, CANCELED.
_WRONG = _row(0xC307, 0xC301, 0xC301, 0xC301, 0xC301)
TABLE: dict[tuple[Request, bool], Row] = {
    (Request.CREATE, True): _row(Cell(through=(State.SCHEDULED,)), 0x0111, 0x0111, 0x0111, 0x0111),
    (Request.CLAIM, True): _row(0xC307, _TO_PROGRESS, 0xC302, 0xC300, 0xC300),
    (Request.CLAIM, False): _WRONG,
    (Request.SCHEDULE, True): _row(0xC307, 0xC303, 0xC303, 0xC303, 0xC303),
    (Request.COMPLETE, True): _row(0xC307, 0xC310, _TO_COMPLETED, 0xB306, 0xC300),
    (Request.COMPLETE, False): _WRONG,
    (Request.REQUEST_CANCEL, True): _row(0xC307, _CANCELED_HERE, _ASK, 0xC311, 0xB304),
    (Request.CANCEL, True): _row(0xC307, 0xC310, _TO_CANCELED, 0xC300, 0xB304),
    (Request.CANCEL, False): _WRONG,
}
"""Table CC.1.1-2, by request and whether its Transaction UID is correct; where that does not matter, True."""


def cell(request: Request, state: State, *, correct: bool = True) -> Cell:
    """What a request does to a step in a state."""
    row = TABLE.get((request, correct)) or TABLE[request, True]
    return row[state]
