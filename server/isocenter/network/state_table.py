"""The upper layer's state machine as data (PS3.8 9.2, Tables 9-1 to 9-10).

Nothing happens here: :mod:`isocenter.network.upper_layer` carries out the actions. The names in the
comments are the standard's, the table reads like its Table 9-10.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class State(IntEnum):
    """PS3.8 Tables 9-1 to 9-5: Sta1 to Sta13."""

    IDLE = 1
    AWAITING_REQUEST = 2  # connection open, A-ASSOCIATE-RQ not here yet
    DECIDING = 3  # the local user has to accept or reject
    CONNECTING = 4
    AWAITING_ANSWER = 5  # A-ASSOCIATE-AC or -RJ
    ESTABLISHED = 6
    RELEASING = 7  # we sent A-RELEASE-RQ
    RELEASE_ASKED = 8  # they did; the local user has to answer
    COLLISION_REQUESTOR_ANSWERS = 9
    COLLISION_ACCEPTOR_AWAITS = 10
    COLLISION_REQUESTOR_AWAITS = 11
    COLLISION_ACCEPTOR_ANSWERS = 12
    AWAITING_CLOSE = 13  # the association no longer exists


class Event(IntEnum):
    """PS3.8 9.2.2: Evt1 to Evt19."""

    ASSOCIATE_REQUEST = 1  # by the local user
    CONNECTED = 2
    AC_RECEIVED = 3
    RJ_RECEIVED = 4
    CONNECTION_INDICATION = 5  # somebody connected to us
    RQ_RECEIVED = 6
    ACCEPT = 7  # by the local user
    REJECT = 8
    DATA_REQUEST = 9  # the local user has P-DATA to send
    DATA_RECEIVED = 10
    RELEASE_REQUEST = 11  # by the local user
    RELEASE_RQ_RECEIVED = 12
    RELEASE_RP_RECEIVED = 13
    RELEASE_RESPONSE = 14  # by the local user
    ABORT_REQUEST = 15  # by the local user
    ABORT_RECEIVED = 16
    CONNECTION_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19  # unrecognised or invalid


class Action(StrEnum):
    """PS3.8 Tables 9-6 to 9-9, with what they do."""

    AE_1 = "AE-1"  # connect
    AE_2 = "AE-2"  # send A-ASSOCIATE-RQ
    AE_3 = "AE-3"  # confirm: accepted
    AE_4 = "AE-4"  # confirm: rejected; close
    AE_5 = "AE-5"  # start ARTIM
    AE_6 = "AE-6"  # stop ARTIM; indicate the request, or reject it and start ARTIM
    AE_7 = "AE-7"  # send A-ASSOCIATE-AC
    AE_8 = "AE-8"  # send A-ASSOCIATE-RJ, start ARTIM
    DT_1 = "DT-1"  # send P-DATA-TF
    DT_2 = "DT-2"  # indicate P-DATA
    AR_1 = "AR-1"  # send A-RELEASE-RQ
    AR_2 = "AR-2"  # indicate release
    AR_3 = "AR-3"  # confirm release; close
    AR_4 = "AR-4"  # send A-RELEASE-RP, start ARTIM
    AR_5 = "AR-5"  # stop ARTIM
    AR_6 = "AR-6"  # indicate P-DATA (after our A-RELEASE-RQ)
    AR_7 = "AR-7"  # send P-DATA-TF (after their A-RELEASE-RQ)
    AR_8 = "AR-8"  # indicate release: collision
    AR_9 = "AR-9"  # send A-RELEASE-RP
    AR_10 = "AR-10"  # confirm release
    AA_1 = "AA-1"  # send A-ABORT (service user), start ARTIM
    AA_2 = "AA-2"  # stop ARTIM; close
    AA_3 = "AA-3"  # indicate A-ABORT or A-P-ABORT; close
    AA_4 = "AA-4"  # indicate A-P-ABORT
    AA_5 = "AA-5"  # stop ARTIM
    AA_6 = "AA-6"  # ignore the PDU
    AA_7 = "AA-7"  # send A-ABORT
    AA_8 = "AA-8"  # send A-ABORT (service provider), indicate A-P-ABORT, start ARTIM


# Table 9-10: a row per event, a cell per state; "." is a cell that the standard leaves empty.
_TABLE_9_10 = """
 -   Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
 1   AE-1  .     .     .     .     .     .     .     .     .     .     .     .
 2   .     .     .     AE-2  .     .     .     .     .     .     .     .     .
 3   .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 4   .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 5   AE-5  .     .     .     .     .     .     .     .     .     .     .     .
 6   .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
 7   .     .     AE-7  .     .     .     .     .     .     .     .     .     .
 8   .     .     AE-8  .     .     .     .     .     .     .     .     .     .
 9   .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .
 10  .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 11  .     .     .     .     .     AR-1  .     .     .     .     .     .     .
 12  .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
 13  .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
 14  .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .
 15  .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .
 16  .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
 17  .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
 18  .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2
 19  .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""

_S = State
NEXT: dict[Action, tuple[State, ...]] = {
    Action.AE_1: (_S.CONNECTING,),
    Action.AE_2: (_S.AWAITING_ANSWER,),
    Action.AE_3: (_S.ESTABLISHED,),
    Action.AE_4: (_S.IDLE,),
    Action.AE_5: (_S.AWAITING_REQUEST,),
    Action.AE_6: (_S.DECIDING, _S.AWAITING_CLOSE),  # acceptable to the provider, or not
    Action.AE_7: (_S.ESTABLISHED,),
    Action.AE_8: (_S.AWAITING_CLOSE,),
    Action.DT_1: (_S.ESTABLISHED,),
    Action.DT_2: (_S.ESTABLISHED,),
    Action.AR_1: (_S.RELEASING,),
    Action.AR_2: (_S.RELEASE_ASKED,),
    Action.AR_3: (_S.IDLE,),
    Action.AR_4: (_S.AWAITING_CLOSE,),
    Action.AR_5: (_S.IDLE,),
    Action.AR_6: (_S.RELEASING,),
    Action.AR_7: (_S.RELEASE_ASKED,),
    Action.AR_8: (_S.COLLISION_REQUESTOR_ANSWERS, _S.COLLISION_ACCEPTOR_AWAITS),  # by our role
    Action.AR_9: (_S.COLLISION_REQUESTOR_AWAITS,),
    Action.AR_10: (_S.COLLISION_ACCEPTOR_ANSWERS,),
    Action.AA_1: (_S.AWAITING_CLOSE,),
    Action.AA_2: (_S.IDLE,),
    Action.AA_3: (_S.IDLE,),
    Action.AA_4: (_S.IDLE,),
    Action.AA_5: (_S.IDLE,),
    Action.AA_6: (_S.AWAITING_CLOSE,),
    Action.AA_7: (_S.AWAITING_CLOSE,),
    Action.AA_8: (_S.AWAITING_CLOSE,),
}
"""The state after an action; of two the action chooses."""


def _read(table: str) -> tuple[tuple[Action | None, ...], ...]:
    rows: list[tuple[Action | None, ...]] = [()] * (len(Event) + 1)
    for line in table.strip().splitlines()[1:]:
        event, *cells = line.split()
        rows[int(event)] = (None, *(None if cell == "." else Action(cell) for cell in cells))
    return tuple(rows)


TABLE = _read(_TABLE_9_10)
"""`TABLE[event][state]`: the action, or None where the event cannot occur."""
