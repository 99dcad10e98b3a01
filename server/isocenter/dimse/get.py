"""C-GET as SCP (PS3.4 C.4.3): the objects come back by C-STORE on the requester's own association.

Only contexts in which the requester took the SCP role serve (PS3.7 D.3.3.4).
"""

from __future__ import annotations

import logging

from isocenter.dimse import status
from isocenter.dimse.identifier import Unfit
from isocenter.dimse.models import Model
from isocenter.dimse.retrieve import wanted
from isocenter.dimse.session import Session
from isocenter.dimse.suboperations import Retrieval
from isocenter.errors import IsocenterError
from isocenter.network.problems import AssociationLost
from isocenter.network.service import Message

_log = logging.getLogger(__name__)


async def answer(session: Session, message: Message, model: Model) -> None:
    """Answer a C-GET-RQ: send every object, then the final response."""
    try:
        instances = await wanted(session, message, model)
        retrieval = Retrieval(session, message, instances)
        async with retrieval.reporting():
            done = await retrieval.send(session.association, instances)
            if not message.cancelled:
                retrieval.fail(instances[done:])
    except Unfit as error:
        session.answer(message, error.dimse_status, error.message)
    except AssociationLost:
        return
    except IsocenterError as error:
        _log.warning("C-GET from %s failed: %s", session.calling_ae, error)
        code, comment = status.of_retrieve_error(error)
        session.answer(message, code, comment)
    else:
        retrieval.finish()
