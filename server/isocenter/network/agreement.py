"""What an association agreed on: presentation contexts, roles, limits, or why there is none (PS3.8 7.1).

Both sides of a negotiation give an :class:`Answer`. Not here: how it comes about
(:mod:`isocenter.network.negotiation`, :mod:`isocenter.network.proposing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isocenter.dicom import uids
from isocenter.network.associate import Rejection, UserIdentity

ACCEPTED, ABSTRACT_SYNTAX_REFUSED, TRANSFER_SYNTAXES_REFUSED = 0, 3, 4


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as agreed; `scu` and `scp` are our own roles in it."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    result: int = ACCEPTED
    scu: bool = False
    scp: bool = True

    @property
    def accepted(self) -> bool:
        """Whether it may be used."""
        return self.result == ACCEPTED


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context to ask for; `scu` and `scp` are our own roles."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = (uids.EXPLICIT_LITTLE_ENDIAN, uids.IMPLICIT_LITTLE_ENDIAN)
    scu: bool = True
    scp: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a negotiation, on either side."""

    pdu: bytes = field(repr=False)
    """The A-ASSOCIATE-AC or -RJ, to be sent or as received."""
    called_ae: str = ""
    calling_ae: str = ""
    rejection: Rejection | None = None
    contexts: Mapping[int, Context] = field(default_factory=dict)
    """Accepted contexts by id."""
    refused: Mapping[int, Context] = field(default_factory=dict)
    max_length: int = 0
    """The longest P-DATA-TF that the peer takes; 0: no limit said."""
    extended: Mapping[str, bytes] = field(default_factory=dict)
    """SOP class -> what both sides support."""
    identity: UserIdentity | None = None
    implementation_class_uid: str = ""
    implementation_version_name: str = ""

    @property
    def accepted(self) -> bool:
        """Whether there is an association."""
        return self.rejection is None

    def supports(self, sop_class: str, byte: int) -> bool:
        """Whether byte number `byte`, from 1, of the extended negotiation of `sop_class` was agreed."""
        agreed = self.extended.get(sop_class, b"")
        return len(agreed) >= byte and agreed[byte - 1] == 1
