"""The options of `isocenter deid`, as Typer reads them. What they do is in `deid`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[Path | None, typer.Argument(metavar="IN", help="A folder, or one file.")]
Target = Annotated[Path | None, typer.Argument(metavar="OUT", help="Where results go; a file if IN is one.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="The project's key.", envvar="ISOCENTER_DEID_KEY_FILE")
]
NewKey = Annotated[
    Path | None, typer.Option("--new-key", help="Make this key file, and use it if IN and OUT are given.")
]
ProfileName = Annotated[str, typer.Option("--profile", help="basic: PS3.15 E.2.")]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", help="Such as modified-dates or clean-descriptors; repeat for more."),
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Rules and options on top of the profile, a TOML file.")
]
PixelsOption = Annotated[
    str, typer.Option("--pixels", help="Risky pixels: quarantine, or keep (you have looked at them).")
]
ResidualOption = Annotated[
    str,
    typer.Option(
        "--residual", help="Where a value of the original is found in the result: quarantine or keep."
    ),
]
Faces = Annotated[
    bool, typer.Option("--faces", help="Quarantine CT, MR and PET of the head, which show a face.")
]
PixelRules = Annotated[
    list[Path] | None,
    typer.Option("--pixel-rules", help="Where text lies: TOML, CTP script or deid recipe; may repeat."),
]
TrustBurnedIn = Annotated[bool, typer.Option("--trust-burned-in", help="Believe Burned In Annotation NO.")]
Ocr = Annotated[
    bool,
    typer.Option("--ocr", help="Quarantine where Tesseract, if installed, sees text in what is cleared."),
]
VaultFile = Annotated[
    Path | None, typer.Option("--vault", help="Keep who is who in this file, sealed for --vault-key.")
]
VaultKey = Annotated[
    Path | None, typer.Option("--vault-key", help="Public key of whoever may read it (deid-vault new-keys).")
]
DocumentsOption = Annotated[
    str, typer.Option("--documents", help="Encapsulated documents: refuse, drop or keep.")
]
BirthDateOption = Annotated[str, typer.Option("--birth-date", help="empty, year or shift.")]
TimesOption = Annotated[
    str, typer.Option("--times", help="Times of day where dates stay or move: keep, or drop (midnight).")
]
Pattern = Annotated[str, typer.Option("--pattern", help='Of patient IDs, such as "SITE1-{id:10}".')]
Weeks = Annotated[bool, typer.Option("--weeks", help="Dates move by whole weeks: days of the week stay.")]
EncryptFor = Annotated[
    list[Path] | None,
    typer.Option(
        "--encrypt-for",
        help="Certificate (PEM, RSA) of who may open the originals, sealed within each result; repeat.",
    ),
]
Trial = Annotated[
    list[str] | None,
    typer.Option("--trial", help="Clinical Trial attribute, Keyword=VALUE; {patient} is the new ID; repeat."),
]
Quarantine = Annotated[
    Path | None, typer.Option("--quarantine", help="Where the list of what stays behind goes.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write the signed report: .json, or .html to read.")
]
ReportTitle = Annotated[str, typer.Option("--report-title", help="Of the report: which cohort or run.")]
ReportUnlocked = Annotated[
    bool,
    typer.Option(
        "--report-unlocked", help="Show values in which something was found: as confidential as the data."
    ),
]
ReportSigner = Annotated[
    Path | None,
    typer.Option("--report-signer", help="Your private key (Ed25519, PEM), to vouch for the report with."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write no results.")]
Dicomdir = Annotated[bool, typer.Option("--dicomdir/--no-dicomdir", help="Make a DICOMDIR.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; one a core for many files.")
]
FileSeconds = Annotated[
    float, typer.Option("--file-seconds", min=0, help="A file that takes longer is quarantined; 0: no limit.")
]
