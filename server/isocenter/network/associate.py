"""A-ASSOCIATE-RQ, -AC and -RJ as bytes (PS3.8 9.3.2 to 9.3.4, PS3.7 Annex D).

Reading is pynetdicom's codec, made safe: AE titles stay out of it (it refuses bytes over 7Fh), items that
it does not know are dropped first (PS3.8 9.3.1 has them ignored), and whatever it raises becomes
:class:`MalformedAssociate`. Writing is ours. What is accepted is decided in
:mod:`isocenter.network.negotiation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from isocenter.dicom.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The DICOM application context name (PS3.7 A.2.1), the only one there is."""

_RQ, _AC, _RJ = 1, 2, 3
_HEADER = 74  # PDU header, version, AE titles and reserved bytes, before the variable items
_ITEM = Struct(">BxH")
_FIXED = Struct(">BxLHxx")  # type, length, protocol version
_TOP_ITEMS = frozenset({0x10, 0x20, 0x21, 0x50})
_USER_ITEMS = frozenset({0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59})


class MalformedAssociate(ValueError):
    """This A-ASSOCIATE PDU breaks PS3.8: to be answered by A-ABORT, source 2, reason 6."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    result: int
    source: int
    reason: int

    def __str__(self) -> str:
        return f"rejected ({self.result}, {self.source}, {self.reason})"


@dataclass(frozen=True, slots=True)
class Requested:
    """One presentation context of a request."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """One presentation context of an answer; the transfer syntax means something only at result 0."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who asks (PS3.7 D.3.3.7): 1 name, 2 name and passcode, 3 Kerberos, 4 SAML, 5 JSON web token."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    response_requested: bool = False


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item of a request or an answer (PS3.7 Annex D.3.3)."""

    max_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    """SOP class -> (requestor is SCU, requestor is SCP)"""
    extended: Mapping[str, bytes] = field(default_factory=dict)
    """SOP class -> service class application information"""
    identity: UserIdentity | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """The variable items of a request or answer."""

    application_context: str
    requested: tuple[Requested, ...]
    decided: tuple[Decided, ...]
    user: UserInformation


@dataclass(frozen=True, slots=True)
class Fixed:
    """What stands before the variable items: titles as sent, and without their padding."""

    protocol_version: int
    titles: bytes
    """Called title, calling title and the reserved bytes after them (64 bytes), to be echoed."""
    variable: bytes = field(repr=False)

    @property
    def called_ae(self) -> str:
        """Called AE title without padding."""
        return self.titles[:16].decode("latin-1").strip(" \0")

    @property
    def calling_ae(self) -> str:
        """Calling AE title without padding."""
        return self.titles[16:32].decode("latin-1").strip(" \0")


def split(pdu: bytes) -> Fixed:
    """The fixed fields of an A-ASSOCIATE-RQ or -AC, and its variable items not looked at.

    Raises:
        MalformedAssociate: shorter than its fixed fields, or its length field is wrong.
    """
    if len(pdu) < _HEADER:
        raise MalformedAssociate("the PDU ends inside its fixed fields")
    _, length, version = _FIXED.unpack_from(pdu)
    if length != len(pdu) - 6:
        raise MalformedAssociate("the PDU length is wrong")
    return Fixed(version, bytes(pdu[10:_HEADER]), bytes(pdu[_HEADER:]))


def read_variable(variable: bytes, *, answer: bool = False) -> Variable:
    """The variable items of a request, or of an answer.

    Takes milliseconds for many contexts (13 ms for 128): call it in a thread.

    Raises:
        MalformedAssociate: whatever the codec says about bytes that are no such items.
    """
    from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

    try:
        known = _known_items(variable)
        pdu: Any = A_ASSOCIATE_AC() if answer else A_ASSOCIATE_RQ()
        head = _FIXED.pack(_AC if answer else _RQ, _HEADER - 6 + len(known), 1)
        pdu.decode(head + b"A".ljust(16) * 2 + bytes(32) + known)
        return Variable(
            application_context=str(pdu.application_context_name or ""),
            requested=() if answer else tuple(_requested(pdu.presentation_context)),
            decided=tuple(_decided(pdu.presentation_context)) if answer else (),
            user=_user(pdu.user_information.user_data),
        )
    except Exception as error:  # the codec raises AssertionError, KeyError, struct.error and more
        raise MalformedAssociate(f"the items cannot be read: {type(error).__name__}") from error


def _known_items(variable: bytes) -> bytes:
    """The items that PS3.8 and PS3.7 name; the codec fails on others, which are to be ignored."""
    kept = []
    for kind, content in _items(variable):
        if kind in _TOP_ITEMS:
            if kind == 0x50:
                content = b"".join(_item(k, c) for k, c in _items(content) if k in _USER_ITEMS)
            kept.append(_item(kind, content))
    return b"".join(kept)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = _ITEM.unpack_from(data, at)
        at += 4
        if at + length > len(data):
            raise MalformedAssociate("an item is longer than what holds it")
        yield kind, data[at : at + length]
        at += length


def _requested(items: Iterable[Any]) -> Iterator[Requested]:
    for item in items:
        syntaxes = tuple(str(uid) for uid in item.transfer_syntax)
        yield Requested(item.context_id, str(item.abstract_syntax), syntaxes)


def _decided(items: Iterable[Any]) -> Iterator[Decided]:
    for item in items:
        yield Decided(item.context_id, item.result_reason, str(item.transfer_syntax or ""))


def _user(items: Iterable[Any]) -> UserInformation:
    """Each kind of item once; of items that repeat the last one counts."""
    found: dict[str, Any] = {}
    roles: dict[str, tuple[bool, bool]] = {}
    extended: dict[str, bytes] = {}
    for item in items:
        match item.item_type:
            case 0x51:
                found["max_length"] = item.maximum_length_received
            case 0x52:
                found["implementation_class_uid"] = str(item.implementation_class_uid)
            case 0x54:
                roles[str(item.sop_class_uid)] = (bool(item.scu_role), bool(item.scp_role))
            case 0x55:
                found["implementation_version_name"] = str(item.implementation_version_name)
            case 0x56:
                extended[str(item.sop_class_uid)] = item.service_class_application_information
            case 0x58:
                found["identity"] = UserIdentity(
                    item.user_identity_type,
                    item.primary_field or b"",
                    item.secondary_field or b"",
                    bool(item.positive_response_requested),
                )
    return UserInformation(roles=roles, extended=extended, **found)


def pack_request(
    called: str,
    calling: str,
    requested: Iterable[Requested],
    user: UserInformation,
) -> bytes:
    """An A-ASSOCIATE-RQ; titles are padded to 16 bytes, and cut there."""
    contexts = (
        _item(
            0x20,
            bytes((each.id, 0, 0, 0))
            + _item(0x30, each.abstract_syntax.encode("ascii"))
            + b"".join(_item(0x40, uid.encode("ascii")) for uid in each.transfer_syntaxes),
        )
        for each in requested
    )
    variable = b"".join((_application_context(), *contexts, _user_item(user)))
    return _pack(_RQ, _title(called) + _title(calling) + bytes(32), variable)


def pack_accept_items(decided: Iterable[Decided], user: UserInformation) -> bytes:
    """The variable items of an A-ASSOCIATE-AC."""
    contexts = (
        _item(0x21, bytes((each.id, 0, each.result, 0)) + _item(0x40, each.transfer_syntax.encode("latin-1")))
        for each in decided
    )
    return b"".join((_application_context(), *contexts, _user_item(user)))


def pack_accept(titles: bytes, variable: bytes) -> bytes:
    """An A-ASSOCIATE-AC that echoes the request's titles and reserved bytes (PS3.8 9.3.3)."""
    return _pack(_AC, titles, variable)


def pack_reject(rejection: Rejection) -> bytes:
    """An A-ASSOCIATE-RJ."""
    return bytes((_RJ, 0, 0, 0, 0, 4, 0, rejection.result, rejection.source, rejection.reason))


def read_reject(pdu: bytes) -> Rejection:
    """What an A-ASSOCIATE-RJ says; MalformedAssociate when it is none."""
    if len(pdu) != 10 or pdu[0] != _RJ:
        raise MalformedAssociate("this is no A-ASSOCIATE-RJ")
    return Rejection(pdu[7], pdu[8], pdu[9])


def pack_user_response(server_response: bytes) -> bytes:
    """The user identity item of an answer (PS3.7 D.3.3.7.2)."""
    return _item(0x59, len(server_response).to_bytes(2, "big") + server_response)


def with_user_response(variable: bytes, server_response: bytes) -> bytes:
    """The items of an answer with a user identity response put last into the user information."""
    *before, (kind, content) = _items(variable)
    grown = content + pack_user_response(server_response)
    return b"".join(_item(k, c) for k, c in before) + _item(kind, grown)


def _pack(kind: int, titles: bytes, variable: bytes) -> bytes:
    return _FIXED.pack(kind, _HEADER - 6 + len(variable), 1) + titles + variable


def _title(text: str) -> bytes:
    return text.encode("latin-1", "replace")[:16].ljust(16)


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def _application_context() -> bytes:
    return _item(0x10, APPLICATION_CONTEXT.encode("ascii"))


def _user_item(user: UserInformation) -> bytes:
    """User information with our implementation's names; sub-items in the order of their types."""
    parts = [
        _item(0x51, user.max_length.to_bytes(4, "big")),
        _item(0x52, IMPLEMENTATION_CLASS_UID.encode("ascii")),
    ]
    for sop_class, (scu, scp) in user.roles.items():
        parts.append(_item(0x54, _sized(sop_class) + bytes((scu, scp))))
    parts.append(_item(0x55, IMPLEMENTATION_VERSION_NAME.encode("ascii")))
    for sop_class, information in user.extended.items():
        parts.append(_item(0x56, _sized(sop_class) + information))
    if user.identity is not None:
        parts.append(_item(0x58, _identity(user.identity)))
    return _item(0x50, b"".join(parts))


def _sized(uid: str) -> bytes:
    raw = uid.encode("latin-1")
    return len(raw).to_bytes(2, "big") + raw


def _identity(identity: UserIdentity) -> bytes:
    return b"".join(
        (
            bytes((identity.kind, identity.response_requested)),
            len(identity.primary).to_bytes(2, "big"),
            identity.primary,
            len(identity.secondary).to_bytes(2, "big"),
            identity.secondary,
        )
    )
