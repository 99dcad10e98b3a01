"""`isocenter job` and its options. What a command does is in `job`, imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli.options import AsJson, Dataset, Token, Url

job = typer.Typer(help="Jobs of a running server.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Its id, or how it begins.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Save the file that it made here, a file or a folder.")
]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Seconds to wait at most.")]


@job.command("list")
def job_list(
    running: Annotated[bool, typer.Option("--running", help="Only those that are not over.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List the jobs that you may know of, the newest first."""
    from isocenter.cli.job import Jobbing

    with Jobbing(url, token, as_json=as_json) as do:
        do.show_all(running)


@job.command("show")
def job_show(id: Id, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Show how a job stands, what it made, or why it failed."""
    from isocenter.cli.job import Jobbing

    with Jobbing(url, token, as_json=as_json) as do:
        do.show(id)


@job.command("start")
def job_start(
    kind: Annotated[str, typer.Argument(help="verify, compact or archive.")],
    parameters: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, the value as JSON or text: digests=false")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is over.")] = False,
    output: Output = None,
    priority: Annotated[int, typer.Option("--priority", help="A higher one is begun earlier.")] = 0,
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """Start a job, and with --wait or --output wait for it; exit code 1 if it fails."""
    from isocenter.cli.job import Jobbing

    with Jobbing(url, token, dataset, as_json=as_json) as do:
        raise typer.Exit(do.start(kind, parameters or [], priority, wait=wait, output=output))


@job.command("wait")
def job_wait(
    id: Id,
    output: Output = None,
    timeout: Timeout = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Wait until a job is over, showing its progress; exit code 1 if it failed."""
    from isocenter.cli.job import Jobbing

    with Jobbing(url, token, as_json=as_json) as do:
        raise typer.Exit(do.wait(id, output=output, timeout=timeout))


@job.command("cancel")
def job_cancel(id: Id, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """End a job: at once when it waits, soon when it runs."""
    from isocenter.cli.job import Jobbing

    with Jobbing(url, token, as_json=as_json) as do:
        do.cancel(id)
