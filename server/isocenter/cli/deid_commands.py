"""`isocenter deid` and its options. What it does is in `deid`, imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli.options import AsJson

PixelRules = Annotated[
    list[Path] | None,
    typer.Option("--pixel-rules", help="Where text lies: TOML, CTP script or deid recipe; may repeat."),
]
TrustBurnedIn = Annotated[bool, typer.Option("--trust-burned-in", help="Believe Burned In Annotation NO.")]
Vault = Annotated[
    Path | None, typer.Option("--vault", help="Keep who is who in this file, sealed for --vault-key.")
]
VaultKey = Annotated[
    Path | None, typer.Option("--vault-key", help="Public key of whoever may read it (deid-vault new-keys).")
]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="The project's key.", envvar="ISOCENTER_DEID_KEY_FILE")
]

Ocr = Annotated[
    bool,
    typer.Option("--ocr", help="Quarantine where Tesseract, if installed, sees text in what is cleared."),
]


def deid(
    source: Annotated[Path | None, typer.Argument(metavar="IN", help="A folder, or one file.")] = None,
    target: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Where results go; a file if IN is one.")
    ] = None,
    key_file: KeyFile = None,
    new_key: Annotated[
        Path | None, typer.Option("--new-key", help="Make this key file, and use it if IN and OUT are given.")
    ] = None,
    profile: Annotated[str, typer.Option("--profile", help="basic: PS3.15 E.2.")] = "basic",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="Such as modified-dates or clean-descriptors; repeat for more."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Rules and options on top of the profile, a TOML file.")
    ] = None,
    pixels: Annotated[
        str, typer.Option("--pixels", help="Risky pixels: quarantine, or keep (you have looked at them).")
    ] = "quarantine",
    faces: Annotated[
        bool, typer.Option("--faces", help="Quarantine CT, MR and PET of the head, which show a face.")
    ] = False,
    pixel_rules: PixelRules = None,
    trust_burned_in: TrustBurnedIn = False,
    ocr: Ocr = False,
    vault: Vault = None,
    vault_key: VaultKey = None,
    documents: Annotated[
        str, typer.Option("--documents", help="Encapsulated documents: refuse, drop or keep.")
    ] = "refuse",
    birth_date: Annotated[str, typer.Option("--birth-date", help="empty, year or shift.")] = "empty",
    pattern: Annotated[
        str, typer.Option("--pattern", help='Of patient IDs, such as "SITE1-{id:10}".')
    ] = "{id:12}",
    weeks: Annotated[
        bool, typer.Option("--weeks", help="Dates move by whole weeks: days of the week stay.")
    ] = False,
    quarantine: Annotated[
        Path | None, typer.Option("--quarantine", help="Where the list of what stays behind goes.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the signed report: .json, or .html to read.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write no results.")] = False,
    dicomdir: Annotated[bool, typer.Option("--dicomdir/--no-dicomdir", help="Make a DICOMDIR.")] = True,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; one a core for many files.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """De-identify a folder or a file by PS3.15 Annex E. Exit code 1 if something has to be looked at."""
    from isocenter.cli.deid import Wanted, run

    given = (source, target, key_file, new_key, profile, tuple(option or ()), config, pixels, faces)
    judge = (tuple(pixel_rules or ()), trust_burned_in, ocr, vault, vault_key)
    wanted = Wanted(
        *given, *judge, documents, birth_date, pattern, weeks, quarantine, report, dry_run, dicomdir, workers
    )
    raise typer.Exit(run(wanted, as_json=as_json))
