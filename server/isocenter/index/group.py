"""Group commit: what queued while the last commit ran becomes the next transaction.

No timer and no company waited for: a lone sender commits alone, many share one fsync.  One thread per index
and process; the writers of other processes take turns with it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from isocenter.errors import Damaged, NoSpace, Unavailable
from isocenter.index.records import OnConflict, Outcome, Put
from isocenter.index.writer import Writer

LARGEST = 64


class GroupCommit:
    """A thread that commits objects in groups.

    Args:
        writer: commits.
        before: called with each group before its transaction, in the committing thread (directory fsyncs);
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
        self._waiting: queue.SimpleQueue[tuple[Put, Future[Outcome]] | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="isocenter-group-commit", daemon=True)
        self._thread.start()

    def submit(self, put: Put) -> Future[Outcome]:
        """Queue an object; the future resolves when its group is durable, or fails with its error.

        Raises Unavailable after `close`.
        """
        future: Future[Outcome] = Future()
        with self._closing:
            if self._closed:
                raise Unavailable("The archive is closing")
            self._waiting.put((put, future))
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
            if group is None:
                return
            ended = group[-1] is None
            members = [member for member in group if member is not None]
            if members:
                self._commit(members)
            if ended:
                return

    def _next_group(self) -> list[tuple[Put, Future[Outcome]] | None] | None:
        first = self._waiting.get()
        group = [first]
        while group[-1] is not None and len(group) < self.largest:
            try:
                group.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return group

    def _commit(self, members: Sequence[tuple[Put, Future[Outcome]]]) -> None:
        members = [member for member in members if member[1].set_running_or_notify_cancel()]
        puts = [put for put, _ in members]
        if not puts:
            return
        try:
            if self.before is not None:
                self.before(puts)
            outcomes = self.writer.commit(puts, on_conflict=self.on_conflict)
        except Exception as error:  # noqa: BLE001 (it belongs to whoever waits for the future)
            self._fail(members, error)
            return
        for (_, future), outcome in zip(members, outcomes, strict=True):
            future.set_result(outcome)

    def _fail(self, members: Sequence[tuple[Put, Future[Outcome]]], error: Exception) -> None:
        """What ails the index ails all; what ails one object must not fail the others of its group."""
        if len(members) == 1 or isinstance(error, (Unavailable, NoSpace, Damaged, OSError)):
            for _, future in members:
                future.set_exception(error)
            return
        for put, future in members:
            try:
                future.set_result(self._alone(put))
            except Exception as alone:  # noqa: BLE001 (it belongs to whoever waits for the future)
                future.set_exception(alone)

    def _alone(self, put: Put) -> Outcome:
        if self.before is not None:
            self.before([put])
        return self.writer.commit([put], on_conflict=self.on_conflict)[0]
