"""`isocenter deid` and its options. What it does is in `deid`, imported when it runs."""

from __future__ import annotations

from typing import Any

import typer

from isocenter.cli import deid_options as wanted
from isocenter.cli.options import AsJson


def deid(
    source: wanted.Source = None,
    target: wanted.Target = None,
    key_file: wanted.KeyFile = None,
    new_key: wanted.NewKey = None,
    profile: wanted.ProfileName = "basic",
    option: wanted.Option = None,
    config: wanted.Config = None,
    pixels: wanted.PixelsOption = "quarantine",
    residual: wanted.ResidualOption = "quarantine",
    faces: wanted.Faces = False,
    pixel_rules: wanted.PixelRules = None,
    trust_burned_in: wanted.TrustBurnedIn = False,
    ocr: wanted.Ocr = False,
    vault: wanted.VaultFile = None,
    vault_key: wanted.VaultKey = None,
    documents: wanted.DocumentsOption = "refuse",
    birth_date: wanted.BirthDateOption = "empty",
    times: wanted.TimesOption = "keep",
    pattern: wanted.Pattern = "{id:12}",
    weeks: wanted.Weeks = False,
    encrypt_for: wanted.EncryptFor = None,
    trial: wanted.Trial = None,
    quarantine: wanted.Quarantine = None,
    report: wanted.ReportFile = None,
    report_title: wanted.ReportTitle = "",
    report_unlocked: wanted.ReportUnlocked = False,
    report_signer: wanted.ReportSigner = None,
    dry_run: wanted.DryRun = False,
    dicomdir: wanted.Dicomdir = True,
    workers: wanted.Workers = None,
    file_seconds: wanted.FileSeconds = 900,
    as_json: AsJson = False,
) -> None:
    """De-identify a folder or a file by PS3.15 Annex E. Exit code 1 if something has to be looked at."""
    told: dict[str, Any] = dict(locals())  # the options by their names, which are those of Wanted
    from isocenter.cli.deid import Wanted, run

    del told["as_json"]
    told["options"] = told.pop("option")
    told |= {name: tuple(told[name] or ()) for name in ("options", "pixel_rules", "encrypt_for", "trial")}
    raise typer.Exit(run(Wanted(**told), as_json=as_json))
