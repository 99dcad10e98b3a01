"""Command sets: the bytes are those of pynetdicom's encoder, and what comes in is read without trust."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom.uid import UID
from pynetdicom import dimse_messages as theirs
from pynetdicom import dimse_primitives as primitives

from isocenter.network.messages import (
    COMMENT_LIMIT,
    ELEMENTS,
    NO_DATA_SET,
    Command,
    Field,
    MalformedCommand,
    has_data_set,
    pack_command,
    parse_command,
    response,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
INSTANCE = "1.2.826.0.1.3680043.8.498.1"
COUNTS = {
    "NumberOfRemainingSuboperations": 65535,
    "NumberOfCompletedSuboperations": 1,
    "NumberOfFailedSuboperations": 0,
    "NumberOfWarningSuboperations": 2,
}


def by_pynetdicom(message: Any, primitive: Any, data_set: bool) -> bytes:
    """The command set as pynetdicom would send it, from its first fragment."""
    if data_set:
        name = next(n for n in ("DataSet", "Identifier") if hasattr(primitive, n))
        setattr(primitive, name, BytesIO(b"\x08\x00\x05\x00\x00\x00\x00\x00"))
    message.primitive_to_message(primitive)
    fragments = list(message.encode_msg(1, 65536))
    return bytes(fragments[0].presentation_data_value_list[0][1][1:])


def primitive(kind: type[Any], **fields: Any) -> Any:
    made = kind()
    for name, value in fields.items():
        setattr(made, name, UID(value) if name.endswith("UID") else value)
    return made


REQUESTS = [
    (
        theirs.C_ECHO_RQ,
        primitives.C_ECHO,
        Field.C_ECHO_RQ,
        {"AffectedSOPClassUID": "1.2.840.10008.1.1"},
        False,
    ),
    (
        theirs.C_STORE_RQ,
        primitives.C_STORE,
        Field.C_STORE_RQ,
        {"AffectedSOPClassUID": CT, "AffectedSOPInstanceUID": INSTANCE, "Priority": 2},
        True,
    ),
    (
        theirs.C_STORE_RQ,
        primitives.C_STORE,
        Field.C_STORE_RQ,
        {
            "AffectedSOPClassUID": CT,
            "AffectedSOPInstanceUID": INSTANCE + ".12",
            "Priority": 0,
            "MoveOriginatorApplicationEntityTitle": "PACS",
            "MoveOriginatorMessageID": 7,
        },
        True,
    ),
    (
        theirs.C_FIND_RQ,
        primitives.C_FIND,
        Field.C_FIND_RQ,
        {"AffectedSOPClassUID": FIND, "Priority": 1},
        True,
    ),
    (theirs.C_GET_RQ, primitives.C_GET, Field.C_GET_RQ, {"AffectedSOPClassUID": FIND, "Priority": 2}, True),
    (
        theirs.C_MOVE_RQ,
        primitives.C_MOVE,
        Field.C_MOVE_RQ,
        {"AffectedSOPClassUID": FIND, "Priority": 2, "MoveDestination": "ODDLY"},
        True,
    ),
]


@pytest.mark.parametrize(
    ("message", "kind", "field", "fields", "data_set"),
    REQUESTS,
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_request_has_pynetdicoms_bytes(
    message: Any, kind: Any, field: Field, fields: dict[str, Any], data_set: bool
) -> None:
    command = {
        "CommandField": field,
        "MessageID": 517,
        "CommandDataSetType": 1 if data_set else NO_DATA_SET,
        **fields,
    }
    expected = by_pynetdicom(message(), primitive(kind, MessageID=517, **fields), data_set)
    assert pack_command(command) == expected
    assert parse_command(expected) == command


RESPONSES = [
    (theirs.C_ECHO_RSP, primitives.C_ECHO, Field.C_ECHO_RQ, 0x0000, {}, False),
    (theirs.C_STORE_RSP, primitives.C_STORE, Field.C_STORE_RQ, 0x0000, {}, False),
    (theirs.C_STORE_RSP, primitives.C_STORE, Field.C_STORE_RQ, 0xA700, {"ErrorComment": "no space"}, False),
    (theirs.C_FIND_RSP, primitives.C_FIND, Field.C_FIND_RQ, 0xFF00, {}, True),
    (theirs.C_FIND_RSP, primitives.C_FIND, Field.C_FIND_RQ, 0xA900, {"ErrorComment": "odd"}, False),
    (theirs.C_MOVE_RSP, primitives.C_MOVE, Field.C_MOVE_RQ, 0xFF00, COUNTS, False),
    (theirs.C_GET_RSP, primitives.C_GET, Field.C_GET_RQ, 0xB000, COUNTS, True),
    (
        theirs.C_GET_RSP,
        primitives.C_GET,
        Field.C_GET_RQ,
        0xC000,
        {"OffendingElement": (0x0020000D, 0x00080052)},
        False,
    ),
]


@pytest.mark.parametrize(
    ("message", "kind", "field", "status", "fields", "data_set"),
    RESPONSES,
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_response_has_pynetdicoms_bytes(
    message: Any, kind: Any, field: Field, status: int, fields: dict[str, Any], data_set: bool
) -> None:
    request: Command = {
        "CommandField": field,
        "AffectedSOPClassUID": CT,
        "AffectedSOPInstanceUID": INSTANCE,
        "MessageID": 65535,
    }
    command = response(request, status, data_set=data_set)
    command.update(fields)  # type: ignore[typeddict-item]
    known = {name: list(value) if name == "OffendingElement" else value for name, value in fields.items()}
    if field == Field.C_STORE_RQ:
        known["AffectedSOPInstanceUID"] = INSTANCE
    made = primitive(kind, MessageIDBeingRespondedTo=65535, AffectedSOPClassUID=CT, Status=status, **known)
    expected = by_pynetdicom(message(), made, data_set)
    assert pack_command(command) == expected
    assert parse_command(expected) == command


def test_a_cancel_has_pynetdicoms_bytes() -> None:
    command: Command = {
        "CommandField": Field.C_CANCEL_RQ,
        "MessageIDBeingRespondedTo": 3,
        "CommandDataSetType": NO_DATA_SET,
    }
    made = primitive(primitives.C_CANCEL, MessageIDBeingRespondedTo=3)
    assert pack_command(command) == by_pynetdicom(theirs.C_CANCEL_RQ(), made, False)


def test_elements_come_in_the_order_of_their_tags_whatever_the_order_of_keys() -> None:
    command = {
        "Status": 0,
        "CommandField": 0x8030,
        "MessageIDBeingRespondedTo": 1,
        "CommandDataSetType": 0x0101,
    }
    assert pack_command(command) == pack_command(dict(reversed(command.items())))


def test_padding_of_uids_and_titles_goes_and_all_else_stays() -> None:
    odd = {
        "CommandField": 1,
        "CommandDataSetType": 1,
        "AffectedSOPClassUID": "not.a.uid",
        "MoveOriginatorApplicationEntityTitle": "LOWER case\xe9",
    }
    assert parse_command(pack_command(odd)) == odd


def test_an_error_comment_is_cut_at_64_characters_and_ascii() -> None:
    request: Command = {"CommandField": Field.C_ECHO_RQ, "MessageID": 1}
    packed = pack_command(response(request, 0x0110, comment="ä" * 100))
    assert parse_command(packed)["ErrorComment"] == "?" * COMMENT_LIMIT


def test_unknown_elements_are_passed_over() -> None:
    known = {"CommandField": 0x30, "CommandDataSetType": 0x0101}
    unknown = b"\x00\x00\x99\x99\x04\x00\x00\x00abcd" + b"\x08\x00\x05\x00\x00\x00\x00\x00"
    assert parse_command(pack_command(known) + unknown) == known


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x00\x00\x00\x01\x02\x00\x00\x00",
        b"\x00\x00\x00\x01\xff\xff\xff\xff\x30\x00",
        b"\x00\x00\x00\x01\x01\x00\x00\x00\x30",
        b"\x00\x00\x00\x01\x02\x00\x00\x00\x30\x00",
        b"\x00\x00\x01\x09\x03\x00\x00\x00abc",
    ],
    ids=["empty", "a byte", "cut", "too long", "one byte number", "no data set type", "half a tag"],
)
def test_bytes_that_are_no_command_set_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedCommand):
        parse_command(data)


def test_only_0101_says_that_no_data_set_follows() -> None:
    assert not has_data_set({"CommandDataSetType": 0x0101})
    assert all(has_data_set({"CommandDataSetType": value}) for value in (0, 1, 0x0100, 0x0102, 0xFFFF))


def test_the_table_agrees_with_pydicoms_dictionary() -> None:
    from pydicom.datadict import dictionary_keyword, dictionary_VR

    for keyword, (element, vr) in ELEMENTS.items():
        assert dictionary_keyword(element) == keyword
        assert dictionary_VR(element) == vr
