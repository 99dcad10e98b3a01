"""Negotiation against bytes that nobody meant: an answer, or MalformedAssociate, and nothing else."""

from __future__ import annotations

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from isocenter.network import associate
from isocenter.network.associate import MalformedAssociate, UserIdentity
from isocenter.network.messages import MalformedCommand, Priority, pack_command, parse_command
from isocenter.network.negotiation import Policy, Proposal, negotiate, propose, read_answer

CT = "1.2.840.10008.5.1.4.1.1.2"
PROPOSALS = [Proposal(CT, scp=True), Proposal("1.2.840.10008.1.1"), Proposal("1.2.3")]
REQUEST = propose(
    "CALLED", "CALLING", PROPOSALS, extended={CT: b"\1\1"}, identity=UserIdentity(2, b"name", b"secret", True)
)
ANSWER = asyncio.run(negotiate(REQUEST, Policy())).pdu
COMMAND = pack_command(
    {"CommandField": 1, "CommandDataSetType": 1, "Priority": Priority.LOW, "AffectedSOPClassUID": CT}
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with some bytes changed, and cut or grown; its PDU length set right half of the time."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del data[draw(st.integers(6, len(data))) :]
    data += draw(st.binary(max_size=40))
    if draw(st.booleans()):
        data[2:6] = (len(data) - 6).to_bytes(4, "big")
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(damaged(REQUEST))
@example(REQUEST)
def test_a_request_is_answered_or_malformed(pdu: bytes) -> None:
    try:
        variable = associate.split(pdu).variable
        associate.read_variable(variable)
        answer = asyncio.run(negotiate(pdu, Policy()))
    except MalformedAssociate:
        return
    assert answer.pdu[0] == (2 if answer.accepted else 3)


@settings(max_examples=400, deadline=None)
@given(damaged(ANSWER))
@example(ANSWER)
def test_an_answer_is_understood_or_malformed(pdu: bytes) -> None:
    try:
        answer = read_answer(pdu, PROPOSALS)
    except MalformedAssociate:
        return
    proposed = {2 * n + 1: each for n, each in enumerate(PROPOSALS)}
    for context in answer.contexts.values():
        assert context.transfer_syntax in proposed[context.id].transfer_syntaxes


@settings(max_examples=400, deadline=None)
@given(damaged(COMMAND))
def test_a_command_set_is_read_or_malformed(data: bytes) -> None:
    try:
        command = parse_command(data)
    except MalformedCommand:
        return
    assert isinstance(command["CommandField"], int)
