"""Group commit: what queued while the last commit ran becomes the next transaction.

No timer and no company waited for: a lone sender commits alone, many share one fsync.  One thread per index
and process; the writers of other processes take turns with it.

An object may be handed over while its file is still being made durable: its rows are written meanwhile, and
committed when the file is.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from isocenter.errors import Damaged, NoSpace, Unavailable
from isocenter.index.records import OnConflict, Outcome, Put
from isocenter.index.writer import Writer

LARGEST = 64


class Landing:
    """A file that is being made durable: first it has its name, then it is durable. Both come soon.

    Attributes:
        named: settled when it has its name: its folder can be synced while it is.
        durable: settled when it is durable.
    """

    def __init__(self) -> None:
        self.named: Future[None] = Future()
        self.durable: Future[None] = Future()

    def fail(self, error: BaseException) -> None:
        """It will not be durable."""
        for stage in (self.named, self.durable):
            if not stage.done():
                stage.set_exception(error)


class _Member(NamedTuple):
    """One object of a group, who waits for it, and how far its file is (None: it is durable)."""

    put: Put
    outcome: Future[Outcome]
    landing: Landing | None = None


class _Handed(NamedTuple):
    """An object as it was handed over: what its row says may still have to be made."""

    put: Put | Callable[[], Put]
    outcome: Future[Outcome]
    landing: Landing | None

    def member(self) -> _Member | None:
        """It as one of a group; None where nobody waits for it any more, or making its row failed."""
        if not self.outcome.set_running_or_notify_cancel():
            return None
        try:
            put = self.put if isinstance(self.put, Put) else self.put()
        except Exception as error:  # noqa: BLE001 (it belongs to whoever waits for the future)
            self.outcome.set_exception(error)
            return None
        return _Member(put, self.outcome, self.landing)


class GroupCommit:
    """A thread that commits objects in groups.

    Args:
        writer: commits.
        before: called with each group before its commit, in the committing thread (directory fsyncs);
            what it raises fails the group.
        on_conflict: what to do with other bytes of a known SOP instance.
        largest: most objects of one group.
    """

    def __init__(
        self,
        writer: Writer,
        before: Callable[[Sequence[Put]], None] | None = None,
        *,
        on_conflict: OnConflict = "keep",
        largest: int = LARGEST,
    ) -> None:
        self.writer = writer
        self.before = before
        self.on_conflict: OnConflict = on_conflict
        self.largest = largest
        self._waiting: queue.SimpleQueue[_Handed | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="isocenter-group-commit", daemon=True)
        self._thread.start()

    def submit(self, put: Put | Callable[[], Put], landing: Landing | None = None) -> Future[Outcome]:
        """Queue an object; the future resolves when its group is durable, or fails with its error.

        Args:
            put: the object, or what makes it, in the committing thread.
            landing: of its file: every other writer waits for it. Its error is the object's. Without it the
                file is durable already.

        Raises:
            Unavailable: after `close`.
        """
        future: Future[Outcome] = Future()
        with self._closing:
            if self._closed:
                raise Unavailable("The archive is closing")
            self._waiting.put(_Handed(put, future, landing))
        return future

    def close(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            group = self._next_group()
            ended = group[-1] is None
            members = [member for one in group if one is not None and (member := one.member()) is not None]
            if members:
                self._commit(members)
            if ended:
                return

    def _next_group(self) -> list[_Handed | None]:
        group = [self._waiting.get()]
        while group[-1] is not None and len(group) < self.largest:
            try:
                group.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return group

    def _commit(self, members: Sequence[_Member]) -> None:
        try:
            outcomes = self._together(members)
        except Exception as error:  # noqa: BLE001 (it belongs to whoever waits for the future)
            self._fail(members, error)
            return
        for member, outcome in zip(members, outcomes, strict=True):
            member.outcome.set_result(outcome)

    def _together(self, members: Sequence[_Member]) -> list[Outcome]:
        """One transaction. Writers elsewhere wait for no more of it than they must."""
        puts = [member.put for member in members]
        if all(one.landing is None or one.landing.durable.done() for one in members):
            self._make_sure(members)
            return self.writer.commit(puts, on_conflict=self.on_conflict)
        return self.writer.commit(
            puts, on_conflict=self.on_conflict, before_end=lambda: self._make_sure(members)
        )

    def _make_sure(self, members: Sequence[_Member]) -> None:
        """Return when the files of all are durable, and their names."""
        landings = [member.landing for member in members if member.landing is not None]
        for landing in landings:
            landing.named.result()
        if self.before is not None:
            self.before([member.put for member in members])
        for landing in landings:
            landing.durable.result()

    def _fail(self, members: Sequence[_Member], error: Exception) -> None:
        """What ails the index ails all; what ails one object must not fail the others of its group."""
        files = [
            one.landing.durable for one in members if one.landing is not None and one.landing.durable.done()
        ]
        ours = any(file.exception() is error for file in files)
        if len(members) == 1 or (not ours and isinstance(error, (Unavailable, NoSpace, Damaged, OSError))):
            for member in members:
                member.outcome.set_exception(error)
            return
        for member in members:
            try:
                member.outcome.set_result(self._together([member])[0])
            except Exception as alone:  # noqa: BLE001 (it belongs to whoever waits for the future)
                member.outcome.set_exception(alone)
