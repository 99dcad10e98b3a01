"""What is agreed when an association begins (PS3.7 Annex D, PS3.8 9.3, PS3.4 C.5).

As acceptor: :func:`negotiate` decides by a :class:`Policy`. The choice of transfer syntaxes is ours:
pynetdicom prefers the acceptor's order, and a sender that holds compressed files would then fail. The
requestor's side (:mod:`isocenter.network.proposing`) has its face here too.

Not here: the bytes (:mod:`isocenter.network.associate`), who may call whom (given as `admit`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from isocenter.dicom import uids
from isocenter.network import associate
from isocenter.network.agreement import (
    ABSTRACT_SYNTAX_REFUSED,
    ACCEPTED,
    TRANSFER_SYNTAXES_REFUSED,
    Answer,
    Context,
    Proposal,
)
from isocenter.network.associate import (
    Decided,
    MalformedAssociate,
    Rejection,
    Requested,
    UserIdentity,
    UserInformation,
    Variable,
)
from isocenter.network.proposing import propose, read_answer

__all__ = [
    "ACCEPTED",
    "STORED_SYNTAXES",
    "Admit",
    "Admitted",
    "Answer",
    "Caller",
    "Context",
    "MalformedAssociate",
    "Policy",
    "Proposal",
    "choose_syntax",
    "negotiate",
    "propose",
    "read_answer",
]

CALLED_UNKNOWN = Rejection(1, 1, 7)
CALLING_UNKNOWN = Rejection(1, 1, 3)
WRONG_APPLICATION_CONTEXT = Rejection(1, 1, 2)
WRONG_VERSION = Rejection(1, 2, 2)
IDENTITY_REFUSED = Rejection(1, 2, 1)
"""Permanent: many senders repeat for ever what was refused transiently."""
TOO_MANY = Rejection(2, 3, 2)

_MESSAGE_SYNTAXES = frozenset({uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN})
"""For services whose data sets we make ourselves."""
_AFTER_EXPLICIT = (uids.IMPLICIT_LITTLE_ENDIAN, uids.EXPLICIT_BIG_ENDIAN)


def _standard_syntaxes() -> frozenset[str]:
    """Every transfer syntax of files; not JPIP and SMPTE 2110 (no pixels), MIME and XML (no data set)."""
    others = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.", "1.2.840.10008.1.20")
    return frozenset(
        uid for uid in uids.of_kind("Transfer Syntax") if not uids.is_jpip(uid) and not uid.startswith(others)
    )


STORED_SYNTAXES = _standard_syntaxes()


@dataclass(frozen=True)
class Policy:
    """What an acceptor takes; hashable, since answers are kept by it."""

    services: frozenset[str] = frozenset({"1.2.840.10008.1.1"})
    """SOP classes other than storage that are served."""
    storage: bool = True
    """Whether objects are stored, and sent by C-GET."""
    unknown_sop_classes: bool = True
    """Whether SOP classes that PS3.6 does not name are taken for storage classes."""
    transfer_syntaxes: frozenset[str] = STORED_SYNTAXES
    """Those in which objects are stored."""
    order: tuple[str, ...] = ()
    """Transfer syntaxes taken before all others when they are proposed."""
    extended: tuple[tuple[str, bytes], ...] = ()
    """SOP class and what we support of its extended negotiation, a byte each (PS3.4 C.5)."""
    max_length: int = 131072


@dataclass(frozen=True, slots=True)
class Caller:
    """What `admit` decides by."""

    called_ae: str
    calling_ae: str
    identity: UserIdentity | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """The caller may come in; `server_response` is for a user identity that asked for one."""

    server_response: bytes = b""


Admit = Callable[[Caller], "Admitted | Rejection | Awaitable[Admitted | Rejection]"]


# -- acceptor ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Decision:
    """What follows from the variable items and the policy alone."""

    items: bytes
    contexts: dict[int, Context]
    refused: dict[int, Context]
    extended: dict[str, bytes]
    rejection: Rejection | None
    user: UserInformation


_KEPT = 256
_LONGEST_KEPT = 32 * 1024
_decisions: OrderedDict[tuple[bytes, Policy], _Decision] = OrderedDict()


async def negotiate(pdu: bytes, policy: Policy, admit: Admit | None = None) -> Answer:
    """The answer to an A-ASSOCIATE-RQ.

    Decoding runs in a thread; its outcome is kept by the request's variable bytes (titles are not in it),
    unless they hold a user identity.

    Raises:
        MalformedAssociate: to be answered by A-ABORT, source 2, reason 6.
    """
    fixed = associate.split(pdu)
    if not fixed.protocol_version & 1:
        return _rejected(fixed.called_ae, fixed.calling_ae, WRONG_VERSION)
    key = (fixed.variable, policy)
    decision = _decisions.get(key)
    if decision is None:
        decision = await asyncio.to_thread(_decide, fixed.variable, policy)
        _keep(key, decision)
    else:
        _decisions.move_to_end(key)
    if decision.rejection is not None:
        return _rejected(fixed.called_ae, fixed.calling_ae, decision.rejection)
    user = decision.user
    admitted = await _admitted(admit, Caller(fixed.called_ae, fixed.calling_ae, user.identity))
    if isinstance(admitted, Rejection):
        return _rejected(fixed.called_ae, fixed.calling_ae, admitted)
    items = decision.items
    if user.identity is not None and user.identity.response_requested:
        items = associate.with_user_response(items, admitted.server_response)
    return Answer(
        pdu=associate.pack_accept(fixed.titles, items),
        called_ae=fixed.called_ae,
        calling_ae=fixed.calling_ae,
        contexts=decision.contexts,
        refused=decision.refused,
        max_length=user.max_length,
        extended=decision.extended,
        identity=user.identity,
        implementation_class_uid=user.implementation_class_uid,
        implementation_version_name=user.implementation_version_name,
    )


async def _admitted(admit: Admit | None, caller: Caller) -> Admitted | Rejection:
    if admit is None:
        return Admitted()
    told = admit(caller)
    return told if isinstance(told, Admitted | Rejection) else await told


def _rejected(called: str, calling: str, rejection: Rejection) -> Answer:
    return Answer(associate.pack_reject(rejection), called, calling, rejection)


def _keep(key: tuple[bytes, Policy], decision: _Decision) -> None:
    if decision.user.identity is None and len(key[0]) <= _LONGEST_KEPT:
        _decisions[key] = decision
        if len(_decisions) > _KEPT:
            _decisions.popitem(last=False)


def _decide(variable: bytes, policy: Policy) -> _Decision:
    read = associate.read_variable(variable)
    if read.application_context != associate.APPLICATION_CONTEXT:
        return _Decision(b"", {}, {}, {}, WRONG_APPLICATION_CONTEXT, read.user)
    _check_ids(read.requested)
    contexts = [_context(each, read.user.roles.get(each.abstract_syntax), policy) for each in read.requested]
    extended = _extended(read, policy)
    proposed = {each.abstract_syntax for each in read.requested}
    roles = {
        sop_class: _role(sop_class, role, policy)
        for sop_class, role in read.user.roles.items()
        if sop_class in proposed
    }
    user = UserInformation(max_length=policy.max_length, roles=roles, extended=extended)
    decided = (Decided(each.id, each.result, each.transfer_syntax) for each in contexts)
    return _Decision(
        items=associate.pack_accept_items(decided, user),
        contexts={each.id: each for each in contexts if each.accepted},
        refused={each.id: each for each in contexts if not each.accepted},
        extended=extended,
        rejection=None,
        user=read.user,
    )


def _check_ids(requested: Sequence[Requested]) -> None:
    """Ids are odd and each is used once (PS3.8 9.3.2.2)."""
    ids = [each.id for each in requested]
    if not ids:
        raise MalformedAssociate("no presentation context is proposed")
    if len(set(ids)) != len(ids) or any(not each & 1 for each in ids):
        raise MalformedAssociate("a presentation context id is even or used twice")
    if not all(each.abstract_syntax and each.transfer_syntaxes for each in requested):
        raise MalformedAssociate("a presentation context has no abstract or no transfer syntax")


def _context(requested: Requested, role: tuple[bool, bool] | None, policy: Policy) -> Context:
    sop_class, first = requested.abstract_syntax, requested.transfer_syntaxes[0]
    storage = _is_stored(sop_class, policy)
    if not storage and sop_class not in policy.services:
        return Context(requested.id, sop_class, first, ABSTRACT_SYNTAX_REFUSED)
    usable = policy.transfer_syntaxes if storage else _MESSAGE_SYNTAXES
    chosen = choose_syntax(requested.transfer_syntaxes, usable, policy.order)
    if chosen is None:
        return Context(requested.id, sop_class, first, TRANSFER_SYNTAXES_REFUSED)
    peer_scu, peer_scp = _role(sop_class, role, policy) if role else (True, False)
    return Context(requested.id, sop_class, chosen, scu=peer_scp, scp=peer_scu)


def choose_syntax(proposed: Sequence[str], usable: frozenset[str], order: Sequence[str] = ()) -> str | None:
    """The transfer syntax to accept, None when there is none.

    The first that is usable, but Explicit VR Little Endian before Implicit VR and Big Endian; those named
    in `order` come before all others.
    """
    common = [uid for uid in proposed if uid in usable]
    for wanted in order:
        if wanted in common:
            return wanted
    if not common:
        return None
    if common[0] in _AFTER_EXPLICIT and uids.EXPLICIT_LITTLE_ENDIAN in common:
        return uids.EXPLICIT_LITTLE_ENDIAN
    return common[0]


def _is_stored(sop_class: str, policy: Policy) -> bool:
    """Storage classes, retired ones too; the DICOMDIR's, so that C-STORE can refuse it by its status."""
    if not policy.storage or sop_class in policy.services:
        return False
    if uids.is_storage_class(sop_class):
        return True
    return policy.unknown_sop_classes and uids.name_of(sop_class) == sop_class


def _role(sop_class: str, role: tuple[bool, bool], policy: Policy) -> tuple[bool, bool]:
    """The peer's (SCU, SCP) roles as agreed: what it proposed; SCP for what we store and so can send."""
    return role[0], role[1] and _is_stored(sop_class, policy)


def _extended(read: Variable, policy: Policy) -> dict[str, bytes]:
    """For each SOP class that proposed something and is served: byte by byte what both support."""
    ours = dict(policy.extended)
    answers = {}
    for sop_class, asked in read.user.extended.items():
        if sop_class in ours:
            own = ours[sop_class].ljust(len(asked), b"\0")
            answers[sop_class] = bytes(int(a == 1 and o == 1) for a, o in zip(asked, own, strict=False))
    return answers
