"""The requestor's side of a negotiation: what to propose, and what the answer means (PS3.8 9.3.2 to 9.3.4).

Not here: the acceptor's decisions (:mod:`isocenter.network.negotiation`), the connection
(:mod:`isocenter.network.requestor`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from isocenter.network import associate
from isocenter.network.agreement import (
    ABSTRACT_SYNTAX_REFUSED,
    TRANSFER_SYNTAXES_REFUSED,
    Answer,
    Context,
    Proposal,
)
from isocenter.network.associate import Decided, Requested, UserIdentity, UserInformation

MOST_CONTEXTS = 128
"""Presentation contexts of one association: their ids are odd and fit a byte."""


def propose(
    called: str,
    calling: str,
    proposals: Sequence[Proposal],
    *,
    max_length: int = 131072,
    extended: Mapping[str, bytes] | None = None,
    identity: UserIdentity | None = None,
) -> bytes:
    """The A-ASSOCIATE-RQ for these proposals; their context ids are 1, 3, 5 ... in their order.

    Raises:
        ValueError: none, or more than 128 (PS3.8 9.3.2.2 has ids 1 to 255), or an AE title over 16.
    """
    if not 1 <= len(proposals) <= MOST_CONTEXTS:
        raise ValueError(f"{len(proposals)} presentation contexts: an association has 1 to {MOST_CONTEXTS}")
    if any(not 1 <= len(title) <= 16 for title in (called, calling)):
        raise ValueError("an AE title has 1 to 16 characters")
    requested = (
        Requested(2 * n + 1, each.abstract_syntax, each.transfer_syntaxes) for n, each in enumerate(proposals)
    )
    roles = {each.abstract_syntax: (each.scu, each.scp) for each in proposals if each.scp}
    user = UserInformation(max_length=max_length, roles=roles, extended=extended or {}, identity=identity)
    return associate.pack_request(called, calling, requested, user)


def read_answer(pdu: bytes, proposals: Sequence[Proposal], *, called: str = "", calling: str = "") -> Answer:
    """What an A-ASSOCIATE-AC or -RJ agrees to.

    A context that was not proposed, or accepted in a syntax that was not proposed for it, is refused here:
    using it would be an error of ours.

    Raises:
        MalformedAssociate: the bytes are neither.
    """
    if pdu[:1] == b"\x03":
        return Answer(pdu, called, calling, associate.read_reject(pdu))
    read = associate.read_variable(associate.split(pdu).variable, answer=True)
    own = {2 * n + 1: each for n, each in enumerate(proposals)}
    contexts = [_agreed(each, own[each.id], read.user.roles) for each in read.decided if each.id in own]
    answered = {each.id for each in contexts}
    contexts += [
        Context(id, each.abstract_syntax, "", ABSTRACT_SYNTAX_REFUSED)
        for id, each in own.items()
        if id not in answered
    ]
    return Answer(
        pdu=pdu,
        called_ae=called,
        calling_ae=calling,
        contexts={each.id: each for each in contexts if each.accepted},
        refused={each.id: each for each in contexts if not each.accepted},
        max_length=read.user.max_length,
        extended=read.user.extended,
        implementation_class_uid=read.user.implementation_class_uid,
        implementation_version_name=read.user.implementation_version_name,
    )


def _agreed(decided: Decided, proposal: Proposal, roles: Mapping[str, tuple[bool, bool]]) -> Context:
    """Roles that were not proposed, or not answered, are the default ones (PS3.7 D.3.3.4)."""
    told = roles.get(proposal.abstract_syntax) if proposal.scp else None
    scu, scp = told if told is not None else (True, False)
    context = Context(
        decided.id,
        proposal.abstract_syntax,
        decided.transfer_syntax,
        decided.result,
        scu=scu and proposal.scu,
        scp=scp and proposal.scp,
    )
    if context.accepted and context.transfer_syntax not in proposal.transfer_syntaxes:
        return replace(context, result=TRANSFER_SYNTAXES_REFUSED)
    return context
