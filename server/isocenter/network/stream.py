"""A byte stream cut into PDUs and the fragments of P-DATA-TF as it arrives (PS3.8 9.3.1, 9.3.5, E.2).

Type and length of a PDU are judged before any of it is kept; data of a P-DATA-TF is handed on as it
comes, not when its PDU is complete. Not here: what a PDU means (``upper_layer``), which fragments make a
message (``incoming``).
"""

from __future__ import annotations

from struct import Struct
from typing import Protocol

from isocenter.network.pdu import HEADER, Malformed, Pdu, Reason

_ITEM = Struct(">LBB")
"""Presentation data value item: length, context id, message control header."""

# what the next bytes are
_IN_HEADER, _IN_BODY, _IN_ITEM, _IN_DATA, _IN_SKIPPED = range(5)


class Receiver(Protocol):
    """What the stream calls. All but `malformed` may raise Malformed; it is then called."""

    def pdu_header(self, kind: int, length: int) -> bool:
        """A PDU begins. False: pass over its body."""

    def pdu_body(self, kind: int, body: bytes) -> None:
        """A PDU other than P-DATA-TF is complete; `body` is what follows its header."""

    def fragment_header(self, context_id: int, control: int) -> None:
        """A presentation data value begins."""

    def fragment_data(self, view: memoryview) -> None:
        """Bytes of it; never for an empty one, several times if it arrives so."""

    def fragment_end(self) -> None:
        """It is complete."""

    def malformed(self, problem: Malformed) -> None:
        """The current PDU breaks the protocol; its rest is passed over."""


class PduStream:
    """Cuts what :meth:`feed` gets; keeps at most one header or one body between calls."""

    __slots__ = ("_item_left", "_kind", "_mode", "_part", "_pdu_left", "_receiver", "_wanted", "stopped")

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.stopped = False
        """Nothing that follows matters: the connection is closed."""
        self._mode = _IN_HEADER
        self._wanted = HEADER.size  # bytes until the current mode is done
        self._kind = 0
        self._pdu_left = 0  # bytes of the current PDU's body not yet seen
        self._part = bytearray()  # of a header or body that has not all arrived

    @property
    def between_pdus(self) -> bool:
        """Not a byte of an incomplete PDU is here."""
        return self._mode == _IN_HEADER and not self._part

    def feed(self, view: memoryview) -> int:
        """Take what arrived; gives how much of it was used: all, unless `stopped` was set meanwhile."""
        at, end = 0, len(view)
        while at < end and not self.stopped:
            size = min(self._wanted, end - at)
            piece = view[at : at + size]
            at += size
            self._wanted -= size
            if self._mode != _IN_HEADER:
                self._pdu_left -= size
            try:
                self._take(piece)
            except Malformed as problem:
                self.skip_rest()
                self._receiver.malformed(problem)
        return at

    def skip_rest(self) -> None:
        """Pass over what is still to come of the current PDU; the next one is read as ever."""
        if self._mode != _IN_HEADER:
            self._part.clear()
            if self._pdu_left:
                self._mode, self._wanted = _IN_SKIPPED, self._pdu_left
            else:
                self._mode, self._wanted = _IN_HEADER, HEADER.size

    def _take(self, piece: memoryview) -> None:
        mode = self._mode
        if mode == _IN_DATA:
            self._receiver.fragment_data(piece)
            if not self._wanted and self._mode == _IN_DATA:
                self._end_item()
        elif mode == _IN_SKIPPED:
            if not self._wanted:
                self.skip_rest()
        elif self._wanted:
            self._part += piece
        else:
            whole: bytes | memoryview = piece
            if self._part:
                self._part += piece
                whole = bytes(self._part)
                self._part.clear()
            if mode == _IN_HEADER:
                self._begin(*HEADER.unpack(whole))
            elif mode == _IN_ITEM:
                self._begin_item(*_ITEM.unpack(whole))
            else:
                self._mode, self._wanted = _IN_HEADER, HEADER.size
                self._receiver.pdu_body(self._kind, bytes(whole))

    def _begin(self, kind: int, length: int) -> None:
        self._kind, self._pdu_left = kind, length
        # until the receiver agrees; it may also end things from within its answer
        self._mode, self._wanted = _IN_BODY, length
        if not self._receiver.pdu_header(kind, length):
            self.skip_rest()
        elif kind == Pdu.P_DATA_TF:
            if length < _ITEM.size:
                raise Malformed(Reason.INVALID_PARAMETER, "a P-DATA-TF without a fragment")
            self._mode, self._wanted = _IN_ITEM, _ITEM.size

    def _begin_item(self, length: int, context_id: int, control: int) -> None:
        size = length - 2  # the length counts context id and control header
        if not 0 <= size <= self._pdu_left:
            raise Malformed(Reason.INVALID_PARAMETER, f"a fragment of length {length}")
        self._mode, self._wanted = _IN_DATA, size
        self._receiver.fragment_header(context_id, control)
        if not size and self._mode == _IN_DATA:
            self._end_item()

    def _end_item(self) -> None:
        if self._pdu_left:
            self._mode, self._wanted = _IN_ITEM, _ITEM.size
        else:
            self._mode, self._wanted = _IN_HEADER, HEADER.size
        self._receiver.fragment_end()
        if 0 < self._pdu_left < _ITEM.size:
            raise Malformed(Reason.INVALID_PARAMETER, "bytes after the last fragment of a P-DATA-TF")
