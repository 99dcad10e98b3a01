"""What C-MOVE and C-GET have in common: reading the request and finding the objects."""

from __future__ import annotations

from isocenter.archive import StoredInstance
from isocenter.dimse import models
from isocenter.dimse.identifier import parse, selection
from isocenter.dimse.models import Model
from isocenter.dimse.session import Session
from isocenter.network.service import Message


async def wanted(session: Session, message: Message, model: Model) -> list[StoredInstance]:
    """The objects that a request names, ordered by series and InstanceNumber.

    Raises:
        Unfit: the identifier cannot be read, or a unique key is missing.
    """
    return await session.around.in_thread(_wanted, session, message, model)


def _wanted(session: Session, message: Message, model: Model) -> list[StoredInstance]:
    data = message.data if isinstance(message.data, bytes) else None
    identifier = parse(data, message.context.transfer_syntax, model.root, session.peer.assume_charset)
    relational = (
        session.association.answer.supports(model.uid, models.RELATIONAL)
        or session.around.settings.lenient_relational
    )
    predicate = selection(identifier, model.root, relational=relational)
    return session.dataset.index.reader.instances(predicate)
