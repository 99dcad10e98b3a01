"""`isocenter find`: any attribute, by an expression, as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from isocenter.cli import output
from isocenter.client.connect import connect
from isocenter.client.frame import Frame
from isocenter.errors import BadRequest

LEVELS = {"patient": "patients", "study": "studies", "series": "series", "instance": "instances"}
FORMATS = ("table", "csv", "json", "parquet")
FILE_FORMATS = FORMATS[1:]
SCREEN_ROWS = 1000


@dataclass(frozen=True)
class Request:
    """What was asked on the command line.

    `columns` None: those of the index. `format` None: as the output's name ends, a table on the screen.
    """

    expression: str
    level: str
    columns: tuple[str, ...] | None
    limit: int | None
    format: str | None
    output: Path | None
    count: bool


def run(asked: Request, *, url: str | None, token: str | None, dataset: str) -> int:
    """Ask and print; exit code 0, also when nothing is found."""
    if asked.level not in LEVELS:
        raise BadRequest(f"No level {asked.level!r}", hint="one of " + ", ".join(LEVELS))
    form = _format(asked)
    with connect(url, token, dataset=dataset) as archive:
        frame: Frame = getattr(archive, LEVELS[asked.level])
        if asked.expression:
            frame = frame.where(asked.expression)
        if asked.count:
            output.tell_json({"count": frame.count()}) if form == "json" else print(frame.count())
            return 0
        if asked.columns:
            frame = frame.select(*asked.columns)
        if asked.limit is not None:
            frame = frame.head(asked.limit)
        _WRITERS[form](frame, asked)
    return 0


def _format(asked: Request) -> str:
    """The format that was asked for, or that the name of the output says; BadRequest when it does not fit."""
    if asked.format is not None and asked.format not in FORMATS:
        raise BadRequest(f"No format {asked.format!r}", hint="one of " + ", ".join(FORMATS))
    if asked.output is None:
        if asked.format == "parquet" and sys.stdout.isatty():
            raise BadRequest("Parquet is binary", hint="name a file: --output studies.parquet")
        return asked.format or "table"
    if asked.count:
        raise BadRequest("--count prints a number and writes no file", hint="leave --output or --count out")
    form = asked.format or asked.output.suffix.lower().removeprefix(".")
    if form not in FILE_FORMATS:
        hint = "one of --format " + ", ".join(FILE_FORMATS) + ", or a name that ends so"
        raise BadRequest(f"{asked.output} is to be written in which format?", hint=hint)
    return form


def _table(frame: Frame, asked: Request) -> None:
    shown = frame.preview(SCREEN_ROWS)
    output.table(shown.columns, ([_text(row.get(name)) for name in shown.columns] for row in shown.rows))
    if shown.total is not None and shown.total > len(shown.rows):
        output.err.print(f"{len(shown.rows)} of {shown.total} rows; --format csv gives all", style="dim")


def _csv(frame: Frame, asked: Request) -> None:
    """As it comes from the server, in blocks."""
    with _opened(asked, "wb") as file:
        frame.to_csv(file)
        file.flush()


def _json(frame: Frame, asked: Request) -> None:
    """A JSON array, written row by row."""
    with _opened(asked, "w") as file:
        between = "[\n"
        for row in frame.rows():
            file.write(between + json.dumps(row, default=str, ensure_ascii=False))
            between = ",\n"
        file.write("\n]\n" if between == ",\n" else "[]\n")


def _parquet(frame: Frame, asked: Request) -> None:
    import pyarrow.parquet

    with _opened(asked, "wb") as file:
        pyarrow.parquet.write_table(frame.to_arrow(), file, compression="zstd")


_WRITERS = {"table": _table, "csv": _csv, "json": _json, "parquet": _parquet}


@contextlib.contextmanager
def _opened(asked: Request, mode: str) -> Iterator[IO[Any]]:
    if asked.output is None:
        yield sys.stdout.buffer if "b" in mode else sys.stdout
        return
    with open(asked.output, mode, newline=None if "b" in mode else "") as file:
        yield file


def _text(value: object) -> str:
    if value is None:
        return ""
    return "\\".join(map(str, value)) if isinstance(value, list) else str(value)
