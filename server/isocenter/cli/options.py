"""Options that commands of several modules share: which server, as whom, which dataset, in which form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Url = Annotated[
    str | None, typer.Option("--url", help="The server; found by its connection file when absent.")
]
Token = Annotated[str | None, typer.Option("--token", help="Bearer token.", envvar="ISOCENTER_TOKEN")]
Dataset = Annotated[str, typer.Option("--dataset", help="The dataset.")]
Data = Annotated[Path | None, typer.Option("--data", help="The data folder (default ./isocenter-data).")]
Config = Annotated[
    Path | None, typer.Option("--config", help="A settings file instead of <data>/isocenter.toml.")
]
