"""What commands print: tables and progress for people, JSON for programs, errors that say what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from isocenter.errors import IsocenterError, NoServer

out = Console()
err = Console(stderr=True)


def tell_error(error: IsocenterError) -> None:
    """The message in red, the hint below it, on standard error."""
    err.print(f"[bold red]Error:[/] {escape(error.message)}", highlight=False, soft_wrap=True)
    if isinstance(error, NoServer):
        for line in error.tried:
            err.print(f"       - {escape(line)}", highlight=False, soft_wrap=True)
    if error.hint:
        err.print(f"       {escape(error.hint)}", highlight=False, soft_wrap=True)


def tell_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=1, default=str, ensure_ascii=False)
    sys.stdout.write("\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    right: set[str] | None = None,
) -> None:
    """A table for people; columns named in `right` are right-aligned."""
    made = Table(*(), title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in (right or set()) else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    out.print(made)


def progress() -> Progress:
    """A progress bar on standard error, so that standard output stays clean."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=not err.is_terminal,
    )
