"""Progress of long work: what is done of what there is, how fast, and how long it will take.

One counter for storing, downloading, reading and jobs. Not here: how it looks (`display.progress`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from isocenter.client.display.html import bytes_text
from isocenter.client.display.progress import Display, Told, choose
from isocenter.client.options import options

_EVERY = 0.2  # seconds between two looks: what changes faster cannot be read
_WINDOW = 8.0  # seconds over which the rate is taken: it follows the network, and does not jump


class Progress:
    """So much done of a total; `advance` and `reach` may be called from any thread.

    A context manager: at its end one line remains that says how much it was and how long it took.

    Args:
        label: what is being done (`Storing`).
        total: how much there is; 0 while that is not known.
        wanted: false is silent; a function is called with done and total.
        unit: what is counted, in the plural (`instances`).
    """

    def __init__(
        self,
        label: str,
        total: int,
        wanted: bool | Callable[[int, int], None] = True,
        *,
        unit: str = "bytes",
    ) -> None:
        self.label, self.total, self.done, self.unit = label, total, 0, unit
        self.note = ""
        self.failed = False
        self._display: Display | None = None
        if callable(wanted):
            self._display = Told(wanted)
        elif wanted and options.progress:
            self._display = choose()
        self._lock = threading.Lock()
        self._began = self._shown = time.monotonic()
        self._seconds: float | None = None
        self._recent: deque[tuple[float, int]] = deque([(self._began, 0)])

    @property
    def seconds(self) -> float:
        """From its beginning until now, or until its end."""
        return time.monotonic() - self._began if self._seconds is None else self._seconds

    @property
    def rate(self) -> float:
        """Units a second: of the last seconds while it runs, of all of it at the end."""
        if self._seconds is not None:
            return self.done / max(self._seconds, 1e-9)
        then, done = self._recent[0]
        return (self.done - done) / max(time.monotonic() - then, 1e-9)

    @property
    def fraction(self) -> float | None:
        """Done of the total, 0 to 1; None while the total is not known."""
        return min(self.done / self.total, 1.0) if self.total else None

    def expect(self, count: int) -> None:
        """So much more is to be done than was known."""
        with self._lock:
            self.total += count

    def advance(self, count: int) -> None:
        """So much more is done."""
        with self._lock:
            self.done += count
            self._look()

    def reach(self, done: int, total: int | None = None, note: str = "") -> None:
        """So much is done in all, as a job tells it, perhaps of another total than was thought.

        Args:
            done: in all.
            total: the new total, if it is another.
            note: what is being done at the moment.
        """
        with self._lock:
            self.done, self.note = done, note
            self.total = self.total if total is None else total
            self._look()

    def __enter__(self) -> Progress:
        if self._display is not None:
            self._display.begin(self)  # here, not in the thread of an upload, is the cell that it belongs to
            self._began = self._shown = time.monotonic()  # loading widgets is not the work
            self._recent = deque([(self._began, 0)])
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._seconds = self.seconds
            self.failed = error is not None
            if self._display is not None:
                self._display.end(self)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._shown < _EVERY or self._seconds is not None:
            return
        self._shown = now
        self._recent.append((now, self.done))
        while len(self._recent) > 2 and now - self._recent[0][0] > _WINDOW:
            self._recent.popleft()
        if self._display is not None:
            self._display.show(self)

    # --- in words

    @property
    def amount(self) -> str:
        """`1.2 GB of 3.4 GB`."""
        if not self.total:
            return self._told(self.done)
        of = f" of {self._told(self.total)}" if self.unit == "bytes" else f" of {self.total:,} {self.unit}"
        return (self._told(self.done) if self.unit == "bytes" else f"{self.done:,}") + of

    @property
    def speed(self) -> str:
        """`38 MB/s, 1:05 left`; empty before there is anything to tell."""
        rate = self.rate
        if rate <= 0:
            return ""
        told = f"{bytes_text(rate)}/s" if self.unit == "bytes" else f"{rate:,.{1 if rate < 10 else 0}f}/s"
        left = (self.total - self.done) / rate if self.total else 0
        return f"{told}, {_clock(left)} left" if left > 0 and self._seconds is None else told

    @property
    def line(self) -> str:
        """All of it in one line; at the end what remains of it."""
        if self._seconds is None:
            return ", ".join(part for part in (f"{self.label}: {self.amount}", self.speed, self.note) if part)
        if self.failed:
            return f"{self.label}: stopped after {_duration(self._seconds)}, {self.amount}"
        return f"{self.label}: {self._told(self.done)} in {_duration(self._seconds)}, {self.speed}".rstrip(
            ", "
        )

    def _told(self, count: int) -> str:
        return bytes_text(count) if self.unit == "bytes" else f"{count:,} {self.unit}"


def _clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _duration(seconds: float) -> str:
    """`0.04 s`, `3.2 s`, `38 s`, `2 min 5 s`."""
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 1 else 1}f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute} min" if hours else f"{minute} min {second} s"
