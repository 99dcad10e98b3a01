"""Progress of long work: a bar in a notebook, a line in a terminal, the caller's function, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from html import escape
from typing import Any

from isocenter.client.display.html import bytes_text
from isocenter.client.options import options

_EVERY = 0.2


class Progress:
    """Bytes done of a total; `advance` may be called from any thread.

    Args:
        label: what is being done.
        total: bytes in all.
        wanted: false is silent; a function is called with bytes done and total.
    """

    def __init__(self, label: str, total: int, wanted: bool | Callable[[int, int], None] = True) -> None:
        self.label, self.total, self.done = label, total, 0
        self._show: Callable[[bool], None] = self._silently
        if callable(wanted):
            self._told = wanted
            self._show = self._tell
        elif wanted and options.progress:
            self._show = self._choose()
        self._lock = threading.Lock()
        self._began = self._shown = time.monotonic()
        self._handle: Any = None

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def expect(self, count: int) -> None:
        """So many bytes more are to be done than was known."""
        with self._lock:
            self.total += count

    def advance(self, count: int) -> None:
        """So many bytes more are done."""
        with self._lock:
            self.done += count
            now = time.monotonic()
            if now - self._shown >= _EVERY:
                self._shown = now
                self._show(False)

    def __enter__(self) -> Progress:
        if self._show == self._in_notebook:
            self._show(False)  # here, not in the thread of an upload, is the cell that it belongs to
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._show(True)

    def _choose(self) -> Callable[[bool], None]:
        shell = sys.modules.get("IPython")
        running = shell.get_ipython() if shell is not None else None
        if running is not None and hasattr(running, "kernel"):
            return self._in_notebook
        if sys.stderr is not None and sys.stderr.isatty():
            return self._in_terminal
        return self._silently

    def _silently(self, last: bool) -> None:
        """Nobody looks."""

    def _tell(self, last: bool) -> None:
        self._told(self.done, self.total)

    def _text(self) -> str:
        done = min(self.done, self.total)
        rate = done / self.seconds if self.seconds > 0 else 0.0
        left = f", {(self.total - done) / rate:.0f} s left" if rate > 0 and done < self.total else ""
        return f"{self.label}: {bytes_text(done)} of {bytes_text(self.total)}, {bytes_text(rate)}/s{left}"

    def _in_terminal(self, last: bool) -> None:
        end = "\n" if last else ""
        sys.stderr.write(f"\r{self._text():<78}{end}")
        sys.stderr.flush()

    def _in_notebook(self, last: bool) -> None:
        from IPython.display import HTML, display

        bar = f'<progress value="{self.done}" max="{max(self.total, 1)}"></progress> {escape(self._text())}'
        html = HTML(f'<div style="color:var(--jp-ui-font-color1)">{bar}</div>')  # type: ignore[no-untyped-call]
        if self._handle is None:
            self._handle = display(html, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(html)
