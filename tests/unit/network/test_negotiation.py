"""What is agreed when an association begins, on both sides (dicom.md section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pynetdicom import pdu as theirs
from pynetdicom.pdu_primitives import A_ASSOCIATE

from isocenter.dicom import uids
from isocenter.network import associate, negotiation
from isocenter.network.associate import Decided, MalformedAssociate, Rejection, UserIdentity, UserInformation
from isocenter.network.negotiation import (
    Admitted,
    Answer,
    Caller,
    Policy,
    Proposal,
    choose_syntax,
    negotiate,
    propose,
    read_answer,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
ECHO = "1.2.840.10008.1.1"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMPLICIT, EXPLICIT, BIG = uids.IMPLICIT_LITTLE_ENDIAN, uids.EXPLICIT_LITTLE_ENDIAN, uids.EXPLICIT_BIG_ENDIAN
JPEG, J2K = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"
POLICY = Policy(
    services=frozenset({ECHO, STUDY_FIND, STUDY_GET}),
    extended=((STUDY_FIND, bytes((1, 1, 1, 0, 0, 1, 1))),),
)


def asked(*proposals: Proposal, **more: Any) -> bytes:
    return propose("CALLED", "CALLING", proposals or (Proposal(ECHO),), **more)


async def agreed(*proposals: Proposal, policy: Policy = POLICY, **more: Any) -> Answer:
    return await negotiate(asked(*proposals, **more), policy)


def decoded(answer: Answer) -> Any:
    pdu = theirs.A_ASSOCIATE_AC()
    pdu.decode(answer.pdu)
    assert pdu.encode() == answer.pdu
    return pdu


def changed(pdu: bytes, at: int, value: bytes) -> bytes:
    return pdu[:at] + value + pdu[at + len(value) :]


def resized(pdu: bytes) -> bytes:
    return pdu[:2] + (len(pdu) - 6).to_bytes(4, "big") + pdu[6:]


# -- transfer syntaxes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ([JPEG, EXPLICIT, IMPLICIT], JPEG),
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([BIG, IMPLICIT, EXPLICIT], EXPLICIT),
        ([IMPLICIT, JPEG], IMPLICIT),
        ([BIG, IMPLICIT], BIG),
        (["1.2.3", J2K, JPEG], J2K),
        (["1.2.840.10008.1.2.4.94", EXPLICIT], EXPLICIT),
        (["1.2.3"], None),
    ],
)
def test_the_first_syntax_that_we_store_wins_but_explicit_before_implicit_and_big(
    proposed: list[str], chosen: str | None
) -> None:
    assert choose_syntax(proposed, negotiation.STORED_SYNTAXES) == chosen


def test_a_peers_own_order_comes_first() -> None:
    assert choose_syntax([JPEG, EXPLICIT], negotiation.STORED_SYNTAXES, (EXPLICIT,)) == EXPLICIT


def test_every_standard_syntax_is_stored_video_included_but_not_jpip_and_smpte() -> None:
    stored = negotiation.STORED_SYNTAXES
    assert {IMPLICIT, BIG, uids.DEFLATED_LITTLE_ENDIAN, JPEG, "1.2.840.10008.1.2.4.102", J2K} <= stored
    assert not stored & {"1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.7.1"}


async def test_unknown_and_private_syntaxes_are_refused_unless_settings_name_them() -> None:
    private = Proposal(CT, ("1.2.3.4.5",))
    refused = (await agreed(private)).refused[1]
    assert refused.result == 4
    named = replace(POLICY, transfer_syntaxes=negotiation.STORED_SYNTAXES | {"1.2.3.4.5"})
    assert (await agreed(private, policy=named)).contexts[1].transfer_syntax == "1.2.3.4.5"


async def test_queries_take_only_the_syntaxes_in_which_we_write() -> None:
    answer = await agreed(Proposal(STUDY_FIND, (JPEG, IMPLICIT)), Proposal(STUDY_FIND, (BIG,)))
    assert answer.contexts[1].transfer_syntax == IMPLICIT
    assert answer.refused[3].result == 4


async def test_a_refused_context_still_names_a_syntax() -> None:
    pdu = decoded(await agreed(Proposal(CT, ("1.2.3.4.5",)), Proposal(ECHO)))
    refused, accepted = pdu.presentation_context
    assert (refused.result_reason, refused.transfer_syntax) == (4, "1.2.3.4.5")
    assert accepted.result_reason == 0


# -- abstract syntaxes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sop_class", "result"),
    [
        (CT, 0),
        ("1.2.840.10008.5.1.4.1.1.5", 0),  # retired Nuclear Medicine
        ("1.3.12.2.1107.5.9.1", 0),  # private
        (uids.MEDIA_STORAGE_DIRECTORY, 0),  # refused by the status of its C-STORE
        (STUDY_FIND, 0),
        ("1.2.840.10008.5.1.1.9", 3),  # printing
        ("1.2.840.10008.1.20.1", 3),  # storage commitment
        ("1.2.840.10008.5.1.4.31", 3),  # worklist
    ],
)
async def test_storage_of_any_kind_is_accepted_and_other_services_only_if_served(
    sop_class: str, result: int
) -> None:
    answer = await agreed(Proposal(sop_class))
    assert {**answer.contexts, **answer.refused}[1].result == result


async def test_unknown_classes_can_be_refused_by_setting() -> None:
    answer = await agreed(Proposal("1.2.3.4"), policy=replace(POLICY, unknown_sop_classes=False))
    assert answer.refused[1].result == 3


# -- roles ------------------------------------------------------------------------------------------


async def test_for_c_get_the_peer_may_take_objects() -> None:
    answer = await agreed(Proposal(STUDY_GET), Proposal(CT, scp=True), Proposal(CT, (JPEG,), scp=True))
    assert [(each.scu, each.scp) for each in answer.contexts.values()] == [
        (False, True),
        (True, True),
        (True, True),
    ]
    roles = [each for each in decoded(answer).user_information.user_data if each.item_type == 0x54]
    assert [(each.sop_class_uid, each.scu_role, each.scp_role) for each in roles] == [(CT, 1, 1)]


async def test_only_the_scp_role_asked_leaves_only_that() -> None:
    answer = await agreed(Proposal(CT, scu=False, scp=True))
    assert (answer.contexts[1].scu, answer.contexts[1].scp) == (True, False)


async def test_no_role_is_answered_that_was_not_proposed() -> None:
    answer = decoded(await agreed(Proposal(CT)))
    assert not [each for each in answer.user_information.user_data if each.item_type == 0x54]


async def test_nobody_takes_the_scp_role_of_a_service_that_we_only_serve() -> None:
    answer = await agreed(Proposal(STUDY_FIND, scp=True))
    assert (answer.contexts[1].scu, answer.contexts[1].scp) == (False, True)


# -- extended negotiation, identity, window -----------------------------------------------------------


async def test_extended_negotiation_answers_what_both_support_byte_by_byte() -> None:
    answer = await agreed(Proposal(STUDY_FIND), extended={STUDY_FIND: bytes((1, 1, 0, 1, 1, 1, 1, 1))})
    assert answer.extended == {STUDY_FIND: bytes((1, 1, 0, 0, 0, 1, 1, 0))}
    assert answer.supports(STUDY_FIND, 1)
    assert not answer.supports(STUDY_FIND, 3)
    assert not answer.supports(STUDY_FIND, 9)


async def test_extended_negotiation_is_answered_only_when_proposed() -> None:
    answer = decoded(await agreed(Proposal(STUDY_FIND)))
    assert not [each for each in answer.user_information.user_data if each.item_type == 0x56]


async def test_a_user_identity_is_told_to_who_decides_and_answered_when_asked() -> None:
    seen: list[Caller] = []

    def admit(caller: Caller) -> Admitted:
        seen.append(caller)
        return Admitted(b"ticket")

    identity = UserIdentity(2, b"name", b"secret", response_requested=True)
    answer = await negotiate(asked(identity=identity), POLICY, admit)
    assert seen == [Caller("CALLED", "CALLING", identity)]
    assert "secret" not in repr(seen)
    items = [each for each in decoded(answer).user_information.user_data if each.item_type == 0x59]
    assert [each.server_response for each in items] == [b"ticket"]


async def test_requests_with_an_identity_are_not_kept() -> None:
    before = len(negotiation._decisions)
    await agreed(identity=UserIdentity(2, b"name", b"a passcode nobody else has"))
    assert len(negotiation._decisions) == before


async def test_a_window_of_asynchronous_operations_is_not_answered() -> None:
    window = b"\x53\x00\x00\x04\x00\x05\x00\x05"
    pdu = asked()
    at = pdu.index(b"\x50\x00")
    length = int.from_bytes(pdu[at + 2 : at + 4], "big") + len(window)
    answer = await negotiate(resized(changed(pdu, at + 2, length.to_bytes(2, "big")) + window), POLICY)
    assert not [each for each in decoded(answer).user_information.user_data if each.item_type == 0x53]


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rejection", [negotiation.CALLED_UNKNOWN, negotiation.CALLING_UNKNOWN, negotiation.TOO_MANY]
)
async def test_who_may_not_come_in_is_rejected_as_the_standard_says(rejection: Rejection) -> None:
    async def admit(caller: Caller) -> Rejection:
        return rejection

    answer = await negotiate(asked(), POLICY, admit)
    assert not answer.accepted
    pdu = theirs.A_ASSOCIATE_RJ()
    pdu.decode(answer.pdu)
    assert (pdu.result, pdu.source, pdu.reason_diagnostic) == (
        rejection.result,
        rejection.source,
        rejection.reason,
    )


async def test_an_identity_that_is_refused_is_refused_for_good() -> None:
    assert negotiation.IDENTITY_REFUSED.result == 1


async def test_another_application_context_is_rejected() -> None:
    pdu = asked()
    at = pdu.index(b"1.2.840.10008.3.1.1.1")
    answer = await negotiate(changed(pdu, at, b"1.2.840.10008.3.1.1.9"), POLICY)
    assert answer.rejection == Rejection(1, 1, 2)


@pytest.mark.parametrize(
    ("version", "accepted"), [(1, True), (3, True), (0xFFFF, True), (2, False), (0, False)]
)
async def test_only_bit_0_of_the_protocol_version_counts(version: int, accepted: bool) -> None:
    answer = await negotiate(changed(asked(), 6, version.to_bytes(2, "big")), POLICY)
    assert answer.accepted is accepted
    assert accepted or answer.rejection == Rejection(1, 2, 2)


@pytest.mark.parametrize("ids", [(1, 1), (1, 2), (2, 3), (0, 1)])
async def test_context_ids_that_are_even_or_used_twice_abort(ids: Sequence[int]) -> None:
    pdu = asked(Proposal(ECHO), Proposal(CT))
    first = pdu.index(b"\x20\x00", 74) + 4
    second = pdu.index(b"\x20\x00", first) + 4
    pdu = changed(changed(pdu, first, bytes((ids[0],))), second, bytes((ids[1],)))
    with pytest.raises(MalformedAssociate):
        await negotiate(pdu, POLICY)


@pytest.mark.parametrize("cut", [1, 60, 75, 90, 120, 200])
async def test_a_request_that_is_cut_off_aborts(cut: int) -> None:
    with pytest.raises(MalformedAssociate):
        await negotiate(resized(asked()[:cut]) if cut > 6 else asked()[:cut], POLICY)


async def test_a_request_without_contexts_aborts() -> None:
    pdu = associate.pack_request("A", "B", (), UserInformation(max_length=1))
    with pytest.raises(MalformedAssociate):
        await negotiate(pdu, POLICY)


# -- tolerance ----------------------------------------------------------------------------------------


async def test_unknown_items_and_reserved_bytes_are_ignored() -> None:
    pdu = asked()
    at = pdu.index(b"\x50\x00")
    extra = b"\x7a\x00\x00\x02ab"
    length = int.from_bytes(pdu[at + 2 : at + 4], "big") + len(extra)
    pdu = changed(pdu, at + 2, length.to_bytes(2, "big")) + extra + b"\x99\xff\x00\x03abc"
    answer = await negotiate(resized(changed(pdu, 42, bytes(range(32)))), POLICY)
    assert answer.accepted


async def test_titles_are_echoed_as_sent_bytes_above_7f_included() -> None:
    titles = b"T\xe4TEL           " + b" LEADING        " + bytes(range(32))
    answer = await negotiate(changed(asked(), 10, titles), POLICY)
    assert answer.pdu[10:74] == titles
    assert (answer.called_ae, answer.calling_ae) == ("TäTEL", "LEADING")


async def test_a_kept_answer_serves_other_titles() -> None:
    first = await negotiate(propose("ONE", "A", [Proposal(CT)]), POLICY)
    second = await negotiate(propose("TWO", "B", [Proposal(CT)]), POLICY)
    assert second.called_ae == "TWO"
    assert second.pdu[74:] == first.pdu[74:]
    assert second.contexts is first.contexts


async def test_128_contexts_with_every_syntax_are_answered() -> None:
    many = [Proposal(f"1.2.3.{n}", tuple(sorted(negotiation.STORED_SYNTAXES))) for n in range(128)]
    assert len((await agreed(*many)).contexts) == 128


# -- requestor ----------------------------------------------------------------------------------------


def test_a_request_is_read_by_pynetdicom_as_meant() -> None:
    identity = UserIdentity(1, b"name")
    pdu = theirs.A_ASSOCIATE_RQ()
    sent = asked(Proposal(CT, (JPEG,), scp=True), Proposal(ECHO), extended={CT: b"\x01"}, identity=identity)
    pdu.decode(sent)
    assert pdu.encode() == sent
    read: A_ASSOCIATE = pdu.to_primitive()
    contexts = read.presentation_context_definition_list
    assert [(each.context_id, each.abstract_syntax) for each in contexts] == [(1, CT), (3, ECHO)]
    assert (read.called_ae_title, read.calling_ae_title) == ("CALLED", "CALLING")
    assert read.maximum_length_received == 131072


@pytest.mark.parametrize("count", [0, 129])
def test_an_association_has_1_to_128_contexts(count: int) -> None:
    with pytest.raises(ValueError, match="128"):
        propose("A", "B", [Proposal(CT)] * count)


async def test_both_sides_agree_on_what_was_agreed() -> None:
    proposals = [Proposal(CT, (JPEG, EXPLICIT), scp=True), Proposal("1.2.840.10008.5.1.1.9"), Proposal(ECHO)]
    acceptor = await agreed(*proposals)
    requestor = read_answer(acceptor.pdu, proposals)
    assert set(requestor.contexts) == {1, 5}
    assert set(requestor.refused) == {3}
    assert (requestor.contexts[1].scu, requestor.contexts[1].scp) == (True, True)
    assert requestor.contexts[1].transfer_syntax == acceptor.contexts[1].transfer_syntax == JPEG
    assert (requestor.contexts[5].scu, requestor.contexts[5].scp) == (True, False)
    assert requestor.max_length == 131072


def test_an_answer_in_a_syntax_that_was_not_proposed_is_not_used() -> None:
    items = associate.pack_accept_items(
        [Decided(1, 0, JPEG), Decided(3, 0, EXPLICIT), Decided(9, 0, EXPLICIT)], UserInformation(max_length=0)
    )
    answer = read_answer(
        associate.pack_accept(bytes(64), items), [Proposal(CT), Proposal(ECHO), Proposal(CT)]
    )
    assert set(answer.contexts) == {3}
    assert set(answer.refused) == {1, 5}


def test_a_rejection_is_read() -> None:
    answer = read_answer(associate.pack_reject(Rejection(2, 3, 1)), [Proposal(CT)])
    assert answer.rejection == Rejection(2, 3, 1)


def test_bytes_that_are_no_answer_are_refused() -> None:
    with pytest.raises(MalformedAssociate):
        read_answer(b"\x02" + bytes(80), [Proposal(CT)])
