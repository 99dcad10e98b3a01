"""Fragments joined to messages (PS3.7 6.3.1, PS3.8 Annex E): one at a time, command first, then data set.

What breaks these rules is malformed: two messages or contexts interleaved, a data set that no command
announced, a command after its data set began, a context that was not accepted. Not here: PDUs (``stream``),
what a message asks (``association``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from isocenter.network import messages
from isocenter.network.limits import Limits
from isocenter.network.pdu import COMMAND, LAST, Malformed, Reason

if TYPE_CHECKING:
    from isocenter.network.messages import Command
    from isocenter.network.negotiation import Context
    from isocenter.network.service import DataSink


class Owner(Protocol):
    """Who gets the messages."""

    def message_begins(self, context: Context, command: Command) -> DataSink | None:
        """A data set follows this command: who takes it; None: collect it."""

    def message_arrived(self, context: Context, command: Command, data: DataSink | bytes | None) -> None:
        """A message is complete; `data` is the sink, the collected data set, or None without one."""

    def sink_failed(self, problem: Exception) -> None:
        """A sink raised; it is aborted already."""


class Incoming:
    """The message that is arriving, if any."""

    __slots__ = (
        "_collected",
        "_command",
        "_context",
        "_is_command",
        "_is_last",
        "_limits",
        "_owner",
        "_sink",
        "contexts",
    )

    def __init__(self, owner: Owner, limits: Limits) -> None:
        self._owner = owner
        self._limits = limits
        self.contexts: Mapping[int, Context] = {}
        """The accepted ones."""
        self._context: Context | None = None  # of the message under way
        self._command: Command | None = None  # once it is complete and a data set follows
        self._collected = bytearray()  # of the command, then of a data set without sink
        self._sink: DataSink | None = None
        self._is_command = False
        self._is_last = False

    @property
    def under_way(self) -> bool:
        """A message began and is not complete."""
        return self._context is not None

    def forget(self) -> None:
        """The message under way will not be completed."""
        sink, self._sink = self._sink, None
        self._context = self._command = None
        self._collected = bytearray()
        if sink is not None:
            sink.abort()

    def fragment_header(self, context_id: int, control: int) -> None:
        """A fragment begins; bits 2 to 7 of its control header are never checked (PS3.8 E.2)."""
        context = self.contexts.get(context_id)
        if context is None:
            raise Malformed(Reason.INVALID_PARAMETER, f"context {context_id} was not accepted")
        if self._context is not None and context is not self._context:
            raise Malformed(Reason.INVALID_PARAMETER, "messages of two contexts are interleaved")
        self._is_command = bool(control & COMMAND)
        self._is_last = bool(control & LAST)
        if self._is_command and self._command is not None:
            raise Malformed(Reason.INVALID_PARAMETER, "a command fragment where a data set is awaited")
        if not self._is_command and self._command is None:
            raise Malformed(Reason.INVALID_PARAMETER, "a data set fragment without a command before it")
        self._context = context

    def fragment_data(self, view: memoryview) -> None:
        """Bytes of the fragment."""
        if self._sink is not None:
            try:
                self._sink.feed(view)
            except Exception as problem:  # noqa: BLE001 - handed to the owner, who logs and aborts
                self.forget()
                self._owner.sink_failed(problem)
            return
        limit = self._limits.command if self._is_command else self._limits.collected
        if len(self._collected) + len(view) > limit:
            raise Malformed(Reason.NOT_SPECIFIED, f"more than {limit} bytes to collect")
        self._collected += view

    def fragment_end(self) -> None:
        """The fragment is complete."""
        if not self._is_last or self._context is None:
            return
        collected = bytes(self._collected)
        self._collected.clear()
        if self._is_command:
            self._command_complete(self._context, collected)
        elif self._command is not None:
            context, command = self._context, self._command
            data = self._sink if self._sink is not None else collected
            self._context = self._command = self._sink = None
            self._owner.message_arrived(context, command, data)

    def _command_complete(self, context: Context, collected: bytes) -> None:
        try:
            command = messages.parse_command(collected)
        except messages.MalformedCommand as problem:
            raise Malformed(Reason.INVALID_PARAMETER, str(problem)) from problem
        if messages.has_data_set(command):
            self._command = command
            sink = self._owner.message_begins(context, command)
            if self._command is command:
                self._sink = sink
            elif sink is not None:
                sink.abort()  # the owner ended the association meanwhile
        else:
            self._context = None
            self._owner.message_arrived(context, command, None)
