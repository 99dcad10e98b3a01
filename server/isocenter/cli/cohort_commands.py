"""`isocenter cohort` and its options. What a command does is in `cohort`, imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli.options import AsJson, Dataset, Token, Url

cohort = typer.Typer(help="Frozen cohorts of a running server.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="NAME (the latest version) or NAME@VERSION.")]
Level = Annotated[str | None, typer.Option("--level", help="study, series or instance.")]


@cohort.command("list")
def cohort_list(
    versions: Annotated[
        bool, typer.Option("--versions", help="Every version, not the latest alone.")
    ] = False,
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """List the cohorts of a dataset."""
    from isocenter.cli.cohort import Cohorting

    with Cohorting(url, token, dataset, as_json) as do:
        do.show_all(versions)


@cohort.command("freeze")
def cohort_freeze(
    name: Annotated[str, typer.Argument(help="Its name; one that is taken gets its next version.")],
    expression: Annotated[str, typer.Argument(help="For example: Modality=CT and SliceThickness<2")] = "",
    level: Annotated[str, typer.Option("--level", help="study, series or instance.")] = "instance",
    description: Annotated[str, typer.Option("--description", help="What it is for.")] = "",
    uids: Annotated[
        Path | None,
        typer.Option("--uids", help="A file of UIDs of that level, one a line; - is standard input."),
    ] = None,
    within: Annotated[str | None, typer.Option("--within", help="Among the members of this cohort.")] = None,
    pinned: Annotated[bool, typer.Option("--pinned", help="It survives a reset of the dataset.")] = False,
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """Freeze what an expression selects now, or the UIDs of a file."""
    from isocenter.cli.cohort import Cohorting, Freeze

    asked = Freeze(name, expression, level, description, uids, within, pinned)
    with Cohorting(url, token, dataset, as_json) as do:
        do.freeze(asked)


@cohort.command("show")
def cohort_show(
    name: Name,
    members: Annotated[bool, typer.Option("--members", help="Its UIDs, as CSV or JSON lines.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="What is missing or changed since.")] = False,
    level: Level = None,
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """Show what was frozen, by which question, when and by whom, and the line to cite it by."""
    from isocenter.cli.cohort import Cohorting

    with Cohorting(url, token, dataset, as_json) as do:
        do.show(name, members=members, missing=missing, level=level)


@cohort.command("verify")
def cohort_verify(
    name: Name, url: Url = None, token: Token = None, dataset: Dataset = "main", as_json: AsJson = False
) -> None:
    """Check that all that was frozen is there, unchanged; exit code 1 if not."""
    from isocenter.cli.cohort import Cohorting

    with Cohorting(url, token, dataset, as_json) as do:
        raise typer.Exit(do.verify(name))


@cohort.command("diff")
def cohort_diff(
    old: Name,
    new: Name,
    level: Level = None,
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """Show what the second cohort has more (+) and less (-) than the first."""
    from isocenter.cli.cohort import Cohorting

    with Cohorting(url, token, dataset, as_json) as do:
        do.diff(old, new, level)


@cohort.command("delete")
def cohort_delete(
    name: Annotated[str, typer.Argument(help="NAME@VERSION, or NAME for all versions.")],
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """Delete a version of a cohort, or all of them. What it holds stays in the dataset."""
    from isocenter.cli.cohort import Cohorting

    with Cohorting(url, token, dataset, as_json) as do:
        do.delete(name)
