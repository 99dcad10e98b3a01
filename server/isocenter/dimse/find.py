"""C-FIND as SCP (PS3.4 C.4.1): Patient Root and Study Root, every level, hierarchical and relational.

Keys become the one predicate tree; matches are made in a thread and wait in a spool, so that neither 100,000
of them nor a slow peer holds the loop, the index or the memory. Not here: worklists.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from isocenter.dicom import attributes, matching
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Predicate
from isocenter.dimse import models, status
from isocenter.dimse.identifier import Identifier, Unfit, parse
from isocenter.dimse.models import Model
from isocenter.dimse.session import Session
from isocenter.dimse.spool import Batch, Spool
from isocenter.errors import InvalidValue, IsocenterError
from isocenter.index.selection import selectable
from isocenter.network.identifiers import Form, Key
from isocenter.network.messages import pack_command, response
from isocenter.network.problems import AssociationLost
from isocenter.network.service import Message

_log = logging.getLogger(__name__)

_FIRST_BATCH, _BATCH = 20, 200
_ALWAYS = ("QueryRetrieveLevel", "RetrieveAETitle", "InstanceAvailability")


@dataclass(frozen=True, slots=True)
class Query:
    """A C-FIND made ready: what to look for, and how to write what is found."""

    level: Level
    predicate: Predicate
    columns: tuple[str, ...]
    form: Form
    sequences: Mapping[str, tuple[Key, ...]]
    constant: Mapping[str, str]
    status: int
    """FF00, or FF01 when an optional key is not supported."""

    def pack(self, row: Mapping[str, Any]) -> bytes:
        """The identifier of one match."""
        values = {**row, **self.constant}
        for name, inside in self.sequences.items():
            values[name] = _items(name, inside, row)
        return self.form.pack(values)


async def answer(session: Session, message: Message, model: Model) -> None:
    """Answer a C-FIND-RQ: pending matches, then the final status."""
    try:
        query = await session.around.in_thread(prepare, session, message, model)
        code, comment = await _matches(session, message, query)
    except Unfit as error:
        code, comment = error.dimse_status, error.message
    except InvalidValue:
        code, comment = status.CANNOT_UNDERSTAND, "the value of a key does not fit"
    except AssociationLost:
        return
    except IsocenterError as error:
        _log.warning("C-FIND from %s failed: %s", session.calling_ae, error)
        code, comment = status.of_query_error(error)
    session.answer(message, code, comment)


def prepare(session: Session, message: Message, model: Model) -> Query:
    """The query that a request makes.

    Raises:
        Unfit: it cannot be read, keys that it needs are missing, or a value does not fit its VR.
    """
    agreed = session.association.answer
    data = message.data if isinstance(message.data, bytes) else None
    identifier = parse(data, message.context.transfer_syntax, model.root, session.peer.assume_charset)
    relational = agreed.supports(model.uid, models.RELATIONAL)
    missing = identifier.missing_above(model.root)
    if missing and not (relational or session.around.settings.lenient_relational):
        raise Unfit(status.DOES_NOT_MATCH_SOP_CLASS, f"{missing[0]} is needed at this level")
    # Multiple values match also where it was not agreed on: a list can mean nothing else (C.2.2.2.8).
    rules = matching.Rules(
        fuzzy=agreed.supports(model.uid, models.FUZZY),
        combined_datetime=agreed.supports(model.uid, models.COMBINED_DATE_TIME),
        empty_value=agreed.supports(model.uid, models.EMPTY_VALUE),
        names=session.dataset.sounding.like,
    )
    try:
        return _query(session, message, identifier, rules)
    except InvalidValue as error:
        name = next((name for name in identifier.keys if name in error.message), "a key")
        raise Unfit(status.CANNOT_UNDERSTAND, f"the value of {name} does not fit") from error


def _query(session: Session, message: Message, identifier: Identifier, rules: matching.Rules) -> Query:
    level = identifier.level
    supported = {name: value for name, value in identifier.keys.items() if is_supported(level, name, value)}
    requested = identifier.requested()
    keys = {key.name: key for key in requested}
    for name in (level.unique_key, *_ALWAYS):
        keys.setdefault(name, Key(name))
    constant = {
        "QueryRetrieveLevel": level.query_retrieve,
        "RetrieveAETitle": session.called_ae,
        "InstanceAvailability": "ONLINE",
    }
    complete = all(name in supported or name in constant for name in identifier.keys)
    return Query(
        level=level,
        predicate=matching.match_all({n: v for n, v in supported.items() if n not in constant}, rules),
        columns=_columns(level, keys),
        form=Form(
            keys.values(),
            message.context.transfer_syntax,
            [identifier.character_set, session.peer.character_set],
        ),
        sequences={key.name: key.inside for key in requested if key.inside},
        constant=constant,
        status=status.PENDING if complete else status.PENDING_WITHOUT_OPTIONAL_KEYS,
    )


def is_supported(level: Level, name: str, value: matching.KeyValue) -> bool:
    """Whether the index answers for this key: it is matched at any level, and returned from this one up."""
    if not isinstance(value, str):
        inside = [(f"{name}.{child}", each) for item in value for child, each in item.items()]
        return bool(inside) and all(is_supported(level, path, each) for path, each in inside)
    at = attributes.level_of(name)
    return at is not None and (at in level.and_above or bool(value))


def _columns(level: Level, keys: Collection[str]) -> tuple[str, ...]:
    """The columns of the index that the answers need, those inside sequences by their dotted names."""
    known = selectable(level)
    sequences = tuple(f"{name}." for name in keys)
    return tuple(name for name in known if name in keys or name.startswith(sequences))


def _items(name: str, inside: tuple[Key, ...], row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Items rebuilt from the flat columns of the index: the n-th values belong to the n-th item."""
    columns = {key.name: str(row.get(f"{name}.{key.name}") or "").split("\\") for key in inside}
    count = max((len(values) for values in columns.values() if any(values)), default=0)
    return [
        {child: values[n] if n < len(values) else "" for child, values in columns.items()}
        for n in range(count)
    ]


# -- answering --------------------------------------------------------------------------------------


async def _matches(session: Session, message: Message, query: Query) -> tuple[int, str]:
    """Send every match; the final status and its comment."""
    most = session.around.settings.limits.find_matches
    pending = pack_command(response(message.command, query.status, data_set=True))
    made = _batches(session, query, most + 1)
    spool = Spool(made, session.around.scratch, session.around.start)
    sent = 0
    try:
        while batch := await spool.next():
            for identifier in batch:
                if message.cancelled:
                    return status.CANCELLED, ""
                if sent >= most:
                    return status.OUT_OF_RESOURCES, f"more than {most} matches: narrow the query"
                session.association.respond(message, pending, identifier, final=False)
                sent += 1
            await session.association.drained()
    finally:
        await spool.close()
    if message.cancelled:
        return status.CANCELLED, ""
    return status.SUCCESS, ""


def _rows(session: Session, query: Query, most: int) -> Iterator[Mapping[str, Any]]:
    """From the index; from the catalog where the index cannot compare what was asked."""
    reader = session.dataset.index.reader
    if reader.supports(query.predicate):
        return reader.find(query.level, query.predicate, limit=most, columns=query.columns)
    return session.dataset.find(query.level, query.predicate, limit=most)


def _batches(session: Session, query: Query, most: int) -> Iterator[Batch]:
    """Packed matches, a few first: a peer shows them while the rest is made."""
    rows = _rows(session, query, most)
    try:
        size = _FIRST_BATCH
        while batch := [query.pack(row) for row in islice(rows, size)]:
            yield batch
            size = _BATCH
    finally:
        if isinstance(rows, Generator):
            rows.close()  # gives the index back what the query holds
