"""The actions of the upper layer's state machine on one connection (PS3.8 9.2, Tables 9-6 to 9-9).

What happens when is in ``state_table``; the indications and confirmations of the standard are methods that
``association`` fills. P-DATA goes to ``incoming`` fragment by fragment, so DT-2 and AR-6 do nothing here.
ARTIM is the standard's timer; `_patience` is ours, for what the standard leaves to the local user: when it
expires the association is aborted. Not here: messages.
"""

from __future__ import annotations

import logging
from typing import Any

from isocenter.network import pdu
from isocenter.network.connection import Connection
from isocenter.network.incoming import Incoming
from isocenter.network.limits import Limits
from isocenter.network.pdu import Malformed, Pdu, Reason, Source
from isocenter.network.service import End, Ending
from isocenter.network.state_table import NEXT, TABLE, Action, Event, State
from isocenter.network.stream import PduStream
from isocenter.network.timers import Timer

log = logging.getLogger(__name__)

_WITHOUT_BODY = {Action.AA_1, Action.AA_6, Action.AA_7, Action.AA_8}
"""Actions for which a PDU's type is enough: its body is passed over."""

_MOST_REPEATED_ABORTS = 3
"""AA-7 answers each PDU that arrives after the end; a stream of rubbish gets no endless answer."""


class UpperLayer(Connection):
    """State, timers and PDUs of one association."""

    def __init__(self, limits: Limits, *, requestor: bool) -> None:
        super().__init__(limits)
        self.requestor = requestor
        self._state = State.IDLE
        self._stream = PduStream(self)
        self._incoming = self._make_incoming()
        self._ending: Ending | None = None
        self._artim = Timer(lambda: self._fire(Event.ARTIM_EXPIRED))
        self._patience = Timer(self._impatient)
        self._repeated_aborts = 0
        self._holding = False
        self._kept = bytearray()
        self._received_at = self._sent_at = self._loop.time()

    @property
    def state(self) -> State:
        """Where the association stands."""
        return self._state

    def _fire(self, event: Event, argument: Any = None) -> bool:
        """Carry out what the table says; False if this event has no meaning in this state."""
        action = TABLE[event][self._state]
        if action is None:
            return False
        self._state = NEXT[action][0]
        getattr(self, _METHODS[action])(argument)
        return True

    # -- what `association` fills ------------------------------------------------------------------

    def _make_incoming(self) -> Incoming:
        raise NotImplementedError

    def _request_bytes(self) -> bytes:
        """Requestor: the A-ASSOCIATE-RQ."""
        raise NotImplementedError

    def _refusal(self) -> bytes | None:
        """Acceptor: an A-ASSOCIATE-RJ if the provider takes no request now (AE-6)."""
        return None

    def _associate_indication(self, request: bytes) -> None:
        raise NotImplementedError

    def _associate_confirmation(self, answer: bytes) -> None:
        raise NotImplementedError

    def _established(self) -> None:
        raise NotImplementedError

    def _release_indication(self) -> None:
        raise NotImplementedError

    def _over(self, ending: Ending) -> None:
        """The association ended; the connection may still be open. Called once."""
        raise NotImplementedError

    # -- from the connection -----------------------------------------------------------------------

    def _connected(self) -> None:
        if self._ending is not None:
            self.close_now()  # given up while it was being connected
            return
        self._fire(Event.CONNECTED if self.requestor else Event.CONNECTION_INDICATION)

    def _received(self, view: memoryview) -> None:
        if self._stream.between_pdus:
            self._received_at = self._loop.time()
        used = self._stream.feed(view)
        if self._holding:
            self._kept += view[used:]

    def _hold(self) -> None:
        """Take in nothing more until `_proceed`; what arrived already is kept."""
        self._holding = self._stream.stopped = True
        self.pause_reading()

    def _proceed(self) -> None:
        """Go on with what was kept."""
        self._holding = self._stream.stopped = False
        kept, self._kept = self._kept, bytearray()
        self._received(memoryview(kept))
        self.resume_reading()

    def _disconnected(self) -> None:
        self._fire(Event.CONNECTION_CLOSED)

    def _gone(self) -> None:
        self._artim.stop()
        self._patience.stop()
        self._stream.stopped = True

    # -- from the stream ---------------------------------------------------------------------------

    def pdu_header(self, kind: int, length: int) -> bool:
        """Stream: a PDU begins."""
        pdu.check_header(kind, length, self.limits)
        if kind == Pdu.P_DATA_TF:
            # DT-2 and AR-6 leave the state as it is and the data to its fragments
            if self._state == State.ESTABLISHED or self._state == State.RELEASING:
                return True
            self._fire(Event.DATA_RECEIVED, Reason.UNEXPECTED_PDU)
            return False
        event = pdu.EVENTS[kind]
        if TABLE[event][self._state] not in _WITHOUT_BODY:
            return True
        self._fire(event, Reason.UNEXPECTED_PDU)
        return False

    def pdu_body(self, kind: int, body: bytes) -> None:
        """Stream: a PDU other than P-DATA-TF is complete."""
        event = pdu.EVENTS[kind]
        if TABLE[event][self._state] in _WITHOUT_BODY:  # the state changed since its header
            self._fire(event, Reason.UNEXPECTED_PDU)
        else:
            self._fire(event, pdu.HEADER.pack(kind, len(body)) + body)

    def fragment_header(self, context_id: int, control: int) -> None:
        """Stream: a presentation data value begins."""
        self._incoming.fragment_header(context_id, control)

    def fragment_data(self, view: memoryview) -> None:
        """Stream: bytes of it."""
        self._incoming.fragment_data(view)

    def fragment_end(self) -> None:
        """Stream: it is complete."""
        self._received_at = self._loop.time()
        self._incoming.fragment_end()

    def malformed(self, problem: Malformed) -> None:
        """Stream: the protocol is broken."""
        log.info("%s broke the protocol: %s", self.peer.host, problem)
        self._fire(Event.INVALID_PDU, problem.reason)

    # -- actions -----------------------------------------------------------------------------------

    def _ae_1(self, _: object) -> None:
        """Connecting is the requestor's (``requestor``)."""

    def _ae_2(self, _: object) -> None:
        self._write(self._request_bytes())
        self._patience.start(self.limits.accept)

    def _ae_3(self, answer: bytes) -> None:
        self._patience.stop()
        self._associate_confirmation(answer)

    def _ae_4(self, rejection: bytes) -> None:
        self._patience.stop()
        result, source, reason = rejection[7:10]
        self._associate_confirmation(rejection)
        self._end(Ending(End.REJECTED, True, source, reason, f"rejected ({result}, {source}, {reason})"))
        self._close()

    def _ae_5(self, _: object) -> None:
        self._artim.start(self.limits.artim)

    def _ae_6(self, request: bytes) -> None:
        self._artim.stop()
        refusal = self._refusal()
        if refusal is None:
            self._associate_indication(request)
        else:
            self._state = NEXT[Action.AE_6][1]
            self._reject(refusal)

    def _ae_7(self, accept: bytes) -> None:
        self._write(accept)
        self._established()

    def _ae_8(self, rejection: bytes) -> None:
        self._reject(rejection)

    def _reject(self, rejection: bytes) -> None:
        result, source, reason = rejection[7:10]
        self._write(rejection)
        self._artim.start(self.limits.artim)
        self._end(Ending(End.REJECTED, False, source, reason, f"rejected ({result}, {source}, {reason})"))

    def _dt_1(self, data: bytes | memoryview) -> None:
        self._sent_at = self._loop.time()
        self._write(data)

    _ar_7 = _dt_1

    def _dt_2(self, _: object) -> None:
        """Data is handed on by its fragments."""

    _ar_6 = _dt_2

    def _ar_1(self, _: object) -> None:
        self._write(pdu.RELEASE_RQ)
        self._patience.start(self.limits.closing)

    def _ar_2(self, _: object) -> None:
        self._patience.start(self.limits.message)  # for what is being answered still
        self._release_indication()

    def _ar_3(self, _: object) -> None:
        self._patience.stop()
        self._end(Ending(End.RELEASED, False))
        self._close()

    def _ar_4(self, _: object) -> None:
        self._write(pdu.RELEASE_RP)
        self._patience.stop()
        self._artim.start(self.limits.closing)
        self._end(Ending(End.RELEASED, True))

    def _ar_5(self, _: object) -> None:
        self._artim.stop()
        self._close()

    def _ar_8(self, _: object) -> None:
        if self.requestor:
            self._release_indication()
        else:
            self._state = NEXT[Action.AR_8][1]  # the requestor answers first

    def _ar_9(self, _: object) -> None:
        self._write(pdu.RELEASE_RP)

    def _ar_10(self, _: object) -> None:
        self._release_indication()

    def _aa_1(self, what: object) -> None:
        ending = what if isinstance(what, Ending) else _misused(what)
        source = ending.source if isinstance(what, Ending) else Source.USER
        self._abort_with(pdu.abort_pdu(source, ending.reason if source else 0))
        self._end(ending)

    def _aa_2(self, what: object) -> None:
        self._artim.stop()
        self._patience.stop()
        late = Ending(End.PROVIDER_ABORTED, True, text="nothing that ends an association arrived in time")
        self._end(what if isinstance(what, Ending) else late)
        self._stream.stopped = True
        self.close_now()

    def _aa_3(self, abort: bytes) -> None:
        source, reason = abort[8:10]
        kind = End.ABORTED if source == Source.USER else End.PROVIDER_ABORTED
        self._patience.stop()
        self._stream.stopped = True
        self._end(Ending(kind, True, source, reason, f"aborted (source {source}, reason {reason})"))
        self.close_now()

    def _aa_4(self, _: object) -> None:
        self._patience.stop()
        self._end(Ending(End.PROVIDER_ABORTED, True, text="the connection was closed"))
        self.close_now()

    def _aa_5(self, _: object) -> None:
        self._artim.stop()
        self._end(Ending(End.PROVIDER_ABORTED, True, text="the connection was closed before a request"))
        self._close()

    def _aa_6(self, _: object) -> None:
        """A PDU after the end is ignored."""

    def _aa_7(self, reason: object) -> None:
        if self._repeated_aborts < _MOST_REPEATED_ABORTS:
            self._repeated_aborts += 1
            self._write(pdu.abort_pdu(Source.PROVIDER, _reason(reason)))

    def _aa_8(self, reason: object) -> None:
        ending = _misused(reason)
        self._abort_with(pdu.abort_pdu(Source.PROVIDER, ending.reason))
        self._end(ending)

    # -- shared by actions -------------------------------------------------------------------------

    def _abort_with(self, abort: bytes) -> None:
        self._patience.stop()
        self._stream.skip_rest()
        self._write(abort)
        self._artim.start(self.limits.closing)

    def _impatient(self) -> None:
        ending = Ending(End.ABORTED, False, text="the peer did not answer in time")
        self._fire(Event.ABORT_REQUEST, ending)

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
            self._holding, self._kept = False, bytearray()
            self._incoming.forget()
            self._read_on()
            self._over(ending)


def _reason(told: object) -> Reason:
    return told if isinstance(told, Reason) else Reason.UNEXPECTED_PDU


def _misused(reason: object) -> Ending:
    told = _reason(reason)
    text = f"protocol error: {told.name.lower().replace('_', ' ')}"
    return Ending(End.PROVIDER_ABORTED, False, Source.PROVIDER, told, text)


_METHODS = {action: "_" + action.lower().replace("-", "_") for action in Action}
