"""The commands and their options. What a command does is in the module it imports when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isocenter import __version__
from isocenter.cli.cohort_commands import cohort
from isocenter.cli.deid_commands import deid
from isocenter.cli.deid_key_commands import deid_key
from isocenter.cli.job_commands import job
from isocenter.cli.options import AsJson, Config, Data, Dataset, Token, Url
from isocenter.cli.report_commands import deid_report
from isocenter.cli.vault_commands import vault

application = typer.Typer(
    name="isocenter",
    help="Research data server for medical images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
token = typer.Typer(help="Tokens that clients present.", no_args_is_help=True)
application.add_typer(token, name="token")
viewer = typer.Typer(help="Viewers for the browser.", no_args_is_help=True)
application.add_typer(viewer, name="viewer")
application.add_typer(cohort, name="cohort")
application.add_typer(job, name="job")
application.command("deid")(deid)
application.command("deid-report")(deid_report)
application.add_typer(deid_key, name="deid-key")
application.add_typer(vault, name="deid-vault")

Slices = Annotated[int, typer.Option("--slices", min=1, help="Slices of the generated head CT.")]
HttpPort = Annotated[int | None, typer.Option("--http-port", help="0 takes a free one.")]
DicomPort = Annotated[int | None, typer.Option("--dicom-port", help="0 takes a free one.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isocenter {__version__}")
        raise typer.Exit


@application.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def _flags(**given: Any) -> dict[str, Any]:
    """Settings by dotted key, of those options that were given (`http_port` is `http.port`)."""
    dotted = {"http_host": "http.host", "http_port": "http.port"}
    dotted |= {"dicom_host": "dicom.host", "dicom_port": "dicom.port"}
    dotted |= {"http_socket": "http.socket", "dicom_listen": "dicom.listen"}
    return {dotted.get(name, name): value for name, value in given.items() if value is not None}


@application.command()
def serve(
    data: Data = None,
    config: Config = None,
    http_host: Annotated[str | None, typer.Option("--http-host")] = None,
    http_port: HttpPort = None,
    dicom_host: Annotated[str | None, typer.Option("--dicom-host")] = None,
    dicom_port: DicomPort = None,
    ae_title: Annotated[
        str | None, typer.Option("--ae-title", help="AE title of the dataset `main`.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Server processes.")] = None,
    http_socket: Annotated[
        Path | None, typer.Option("--http-socket", help="HTTP on a unix socket for its owner alone.")
    ] = None,
    dicom: Annotated[
        bool | None, typer.Option("--dicom/--no-dicom", help="Listen for DICOM associations.")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--listed/--unlisted", help="Let `isocenter.connect()` find it by itself.")
    ] = True,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="Stop when the process that started it is gone.")
    ] = False,
    throw_away: Annotated[
        bool, typer.Option("--throw-away", help="Remove the data folder, empty at first, at the end.")
    ] = False,
) -> None:
    """Run the server until it is told to stop (SIGTERM or Ctrl-C)."""
    from isocenter import app
    from isocenter.config import load
    from isocenter.life import Life

    flags = _flags(
        data=data,
        http_host=http_host,
        http_port=http_port,
        dicom_host=dicom_host,
        dicom_port=dicom_port,
        ae_title=ae_title,
        workers=workers,
        http_socket=http_socket,
        dicom_listen=dicom,
    )
    life = Life(listed=listed, with_parent=with_parent, throw_away=throw_away)
    app.serve(load(flags, file=config), life)


@application.command()
def demo(
    as_json: AsJson = False,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the data in this folder.")] = None,
    slices: Slices = 40,
) -> None:
    """Send real files to a throw-away server by C-STORE and STOW, and find them again."""
    from isocenter.cli.demo import run

    raise typer.Exit(run(as_json=as_json, keep=keep, slices=slices))


@application.command()
def lab(
    notebook: Annotated[Path | None, typer.Option("--notebook", help="Open this notebook.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Serve this folder, not a throw-away one.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    slices: Slices = 40,
) -> None:
    """Start a server with the demonstration files and JupyterLab beside it."""
    from isocenter.cli.lab import run

    raise typer.Exit(run(notebook=notebook, data=data, browser=browser, slices=slices))


@application.command()
def store(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders or zip files.")],
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """Store files in a running server."""
    from isocenter.cli.store import run

    raise typer.Exit(run(paths, url=url, token=token, dataset=dataset, as_json=as_json))


@application.command()
def find(
    expression: Annotated[str, typer.Argument(help="For example: Modality=CT and SliceThickness<2")] = "",
    level: Annotated[str, typer.Option("--level", help="patient, study, series or instance.")] = "study",
    columns: Annotated[str | None, typer.Option("--columns", help="Keywords, separated by commas.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=0, help="At most so many rows.")] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="table, csv, json or parquet (default: as --output ends, else table)."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of the screen.")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Only how many there are.")] = False,
    url: Url = None,
    token: Token = None,
    dataset: Dataset = "main",
    as_json: AsJson = False,
) -> None:
    """Find studies, series or instances by an expression over any attribute."""
    from isocenter.cli.find import Request, run

    wanted = tuple(name.strip() for name in columns.split(",")) if columns else None
    asked = Request(expression, level, wanted, limit, "json" if as_json else format, output, count)
    raise typer.Exit(run(asked, url=url, token=token, dataset=dataset))


@application.command()
def reindex(
    data: Data = None,
    config: Config = None,
    dataset: Dataset = "main",
    source: Annotated[
        str, typer.Option("--from", help="catalog (index only) or objects (index and catalog).")
    ] = "catalog",
    as_json: AsJson = False,
) -> None:
    """Rebuild the index, or index and catalog, of a stopped server. Can be interrupted and run again."""
    from isocenter.cli.upkeep import reindex as run
    from isocenter.config import load

    raise typer.Exit(run(load(_flags(data=data), file=config), dataset, source=source, as_json=as_json))


@application.command()
def verify(
    data: Data = None,
    config: Config = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended without loss.")] = False,
    digests: Annotated[bool, typer.Option("--digests/--no-digests", help="Read every object.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check digests, orphans, missing objects, and the index against the catalog. The server may run."""
    from isocenter.cli.upkeep import verify as run
    from isocenter.config import load

    raise typer.Exit(
        run(load(_flags(data=data), file=config), repair=repair, digests=digests, as_json=as_json)
    )


@application.command()
def doctor(data: Data = None, config: Config = None, as_json: AsJson = False) -> None:
    """Check the installation, the settings, the data folder and a running server."""
    from isocenter.cli.doctor import run

    raise typer.Exit(run(data=data, config=config, as_json=as_json))


@application.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context, as_json: AsJson = False) -> None:
    """Measure this installation beside Orthanc and DCMTK, and print ratios (run in a checkout)."""
    from isocenter.cli.bench import run

    raise typer.Exit(run(context.args, as_json=as_json))


@token.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: Annotated[
        str, typer.Option(help="reader, contributor, deidentifier, curator or admin.")
    ] = "reader",
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only this one; repeat for more.")
    ] = None,
    days: Annotated[float | None, typer.Option("--days", help="Expires after so many days.")] = None,
    data: Data = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it once. From then on every request needs one."""
    from isocenter.cli.token import create
    from isocenter.config import load

    create(
        load(_flags(data=data), file=config),
        name,
        role=role,
        datasets=dataset or [],
        days=days,
        as_json=as_json,
    )


@token.command("list")
def token_list(data: Data = None, config: Config = None, as_json: AsJson = False) -> None:
    """List tokens, without their secrets."""
    from isocenter.cli.token import show
    from isocenter.config import load

    show(load(_flags(data=data), file=config), as_json=as_json)


@token.command("revoke")
def token_revoke(
    id: Annotated[str, typer.Argument(help="Its id, as `isocenter token list` shows it.")],
    data: Data = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a token, in effect at once."""
    from isocenter.cli.token import revoke
    from isocenter.config import load

    revoke(load(_flags(data=data), file=config), id, as_json=as_json)


@viewer.command("install")
def viewer_install(
    name: Annotated[str, typer.Argument(help="ohif or volview.")],
    source: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A package file that npm gave; repeat for more. Fetched by npm without."),
    ] = None,
    data: Data = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Install a viewer, in the version that was tested; the server then has it at /viewers/NAME/."""
    from isocenter.cli.viewer import install
    from isocenter.config import load

    install(load(_flags(data=data), file=config), name, source or [], as_json=as_json)


@viewer.command("list")
def viewer_list(data: Data = None, config: Config = None, as_json: AsJson = False) -> None:
    """List the viewers there are, and which of them are installed."""
    from isocenter.cli.viewer import show
    from isocenter.config import load

    show(load(_flags(data=data), file=config), as_json=as_json)


@viewer.command("remove")
def viewer_remove(
    name: Annotated[str, typer.Argument(help="ohif or volview.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Remove an installed viewer."""
    from isocenter.cli.viewer import remove
    from isocenter.config import load

    remove(load(_flags(data=data), file=config), name)
