"""How progress looks: in a notebook, in a terminal, in a log, or told to a function.

Chosen by where it runs: HTML in a notebook (in a widget where ipywidgets is installed), a bar by Rich in a
terminal, else a line; and in a log, which nobody watches, a line now and then.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable
from html import escape
from typing import Any, Protocol

_LOG_FIRST = 10.0  # seconds; then whenever twice as long has passed


class State(Protocol):
    """What is shown: `isocenter.client.progress.Progress`."""

    label: str
    total: int
    done: int

    @property
    def seconds(self) -> float:
        """Since it began."""

    @property
    def fraction(self) -> float | None:
        """0 to 1, if known."""

    @property
    def amount(self) -> str:
        """How much of how much."""

    @property
    def speed(self) -> str:
        """How fast, and how long."""

    @property
    def line(self) -> str:
        """All in one line."""


class Display(Protocol):
    """One way to show it. `show` is called from any thread, one at a time."""

    def begin(self, state: State) -> None:
        """Once, in the thread that works."""

    def show(self, state: State) -> None:
        """Now and then."""

    def end(self, state: State) -> None:
        """Once, whatever happened."""


def choose() -> Display:
    """The way that fits where this runs."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    if running is not None and hasattr(running, "kernel"):
        return Notebook()
    if sys.stderr is None:
        return Silent()
    if not sys.stderr.isatty():
        return Log()
    try:
        import rich.progress  # noqa: F401 (whether it is there)
    except ImportError:
        return Line()
    return Bar()


class Silent:
    """Nobody looks."""

    def begin(self, state: State) -> None:
        """Nothing."""

    show = end = begin


class Told:
    """A function of the caller, called with done and total."""

    def __init__(self, told: Callable[[int, int], None]) -> None:
        self._told = told

    def begin(self, state: State) -> None:
        """Nothing yet."""

    def show(self, state: State) -> None:
        """Call it."""
        self._told(state.done, state.total)

    end = show


class Log:
    """Lines on standard error that is no terminal: few, however long it takes."""

    def __init__(self) -> None:
        self._next = _LOG_FIRST

    def begin(self, state: State) -> None:
        """Nothing: most work is over soon."""

    def show(self, state: State) -> None:
        """A line when the time has come."""
        if state.seconds >= self._next:
            self._next = 2 * state.seconds
            print(state.line, file=sys.stderr, flush=True)

    def end(self, state: State) -> None:
        """The last line, if it took long enough for others."""
        if self._next > _LOG_FIRST:
            print(state.line, file=sys.stderr, flush=True)


class Line:
    """One line of a terminal, written over itself."""

    def begin(self, state: State) -> None:
        """Nothing yet."""

    def show(self, state: State) -> None:
        """The line, as wide as the terminal at most: a wrapped one could not be written over."""
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{state.line[:width]:<{width}}")
        sys.stderr.flush()

    def end(self, state: State) -> None:
        """The line that remains."""
        if state.done or state.total:
            self.show(state)
            sys.stderr.write("\n")
            sys.stderr.flush()


class Bar:
    """A bar of a terminal, by Rich."""

    def __init__(self) -> None:
        self._rich: Any = None
        self._task: Any = None

    def begin(self, state: State) -> None:
        """Show it, unless the program shows a live display of Rich of its own."""
        from rich.console import Console
        from rich.errors import LiveError
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[amount]}", style="progress.percentage"),
            TextColumn("{task.fields[speed]}", style="progress.remaining"),
        )
        made = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._task = made.add_task(state.label, **self._facts(state))
        with contextlib.suppress(LiveError):
            made.start()
            self._rich = made

    def show(self, state: State) -> None:
        """Move it."""
        if self._rich is not None:
            self._rich.update(self._task, **self._facts(state), refresh=True)

    def end(self, state: State) -> None:
        """One line in its place."""
        if self._rich is not None:
            self._rich.stop()
            if state.done or state.total:
                print(state.line, file=sys.stderr, flush=True)

    @staticmethod
    def _facts(state: State) -> dict[str, Any]:
        return {
            "total": state.total or None,
            "completed": min(state.done, state.total or state.done),
            "amount": state.amount,
            "speed": state.speed,
        }


class Notebook:
    """HTML below a cell, updated in place; what is saved with the notebook is the last line alone."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._widget: Any = None

    def begin(self, state: State) -> None:
        """Show it in the cell that runs; front ends without widgets show the HTML beside it."""
        from IPython.display import display

        bundle = self._bundle(state)
        with contextlib.suppress(ImportError):
            from ipywidgets import HTML

            self._widget = HTML(bundle["text/html"])
            view = "application/vnd.jupyter.widget-view+json"
            bundle[view] = self._widget._repr_mimebundle_()[view]
        self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def show(self, state: State) -> None:
        """Update it."""
        if self._widget is not None:
            self._widget.value = self._bundle(state)["text/html"]
        elif self._handle is not None:
            self._handle.update(self._bundle(state), raw=True)

    def end(self, state: State) -> None:
        """The last line in its place."""
        if self._handle is not None:
            text = state.line if state.done or state.total else f"{state.label}: nothing to do"
            self._handle.update({"text/html": _div(escape(text)), "text/plain": text}, raw=True)
        if self._widget is not None:
            self._widget.close()

    @staticmethod
    def _bundle(state: State) -> dict[str, Any]:
        return {"text/html": progress_html(state), "text/plain": state.line}


def progress_html(state: State) -> str:
    """A bar with its words, in the colours of the theme."""
    at = f' value="{state.done}" max="{max(state.total, state.done, 1)}"' if state.total else ""
    style = "width:16em;vertical-align:middle"
    bar = f'<progress aria-label="{escape(state.label)}"{at} style="{style}"></progress>'
    words = " · ".join(part for part in (state.amount, state.speed) if part)
    quiet = "color:var(--jp-ui-font-color2,#616161);font-variant-numeric:tabular-nums"
    return _div(f'{escape(state.label)} {bar} <span style="{quiet}">{escape(words)}</span>')


def _div(content: str) -> str:
    style = "color:var(--jp-ui-font-color1,inherit);font-family:var(--jp-ui-font-family,sans-serif)"
    return f'<div style="{style};font-size:var(--jp-ui-font-size1,13px)">{content}</div>'
