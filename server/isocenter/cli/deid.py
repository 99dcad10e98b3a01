"""`isocenter deid`: a folder or a file de-identified, and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import typer

from isocenter.cli import output
from isocenter.deid import Deidentifier, Key, Recipe
from isocenter.deid.region_scripts import read_scripts
from isocenter.deid.rules import load_rules
from isocenter.deid.run import Run
from isocenter.deid.signature import Signer, read_signer
from isocenter.errors import BadRequest


@dataclass(frozen=True)
class Wanted:
    """What was asked for, in the words of the options."""

    source: Path | None
    target: Path | None
    key_file: Path | None
    new_key: Path | None
    profile: str
    options: tuple[str, ...]
    config: Path | None
    pixels: str
    residual: str
    faces: bool
    pixel_rules: tuple[Path, ...]
    trust_burned_in: bool
    ocr: bool
    vault: Path | None
    vault_key: Path | None
    documents: str
    birth_date: str
    times: str
    pattern: str
    weeks: bool
    encrypt_for: tuple[Path, ...]
    trial: tuple[str, ...]
    quarantine: Path | None
    report: Path | None
    report_title: str
    report_unlocked: bool
    report_signer: Path | None
    dry_run: bool
    dicomdir: bool
    workers: int | None
    file_seconds: float


def run(wanted: Wanted, *, as_json: bool) -> int:
    """Do it; exit code 1 if something was quarantined."""
    if wanted.new_key is not None:
        made = Key.generate()
        made.write(wanted.new_key)
        output.err.print(
            f"Made {wanted.new_key}: keep it safe, it cannot be made again. Fingerprint {made.fingerprint}",
            highlight=False,
            soft_wrap=True,
        )
        if wanted.source is None:
            return 0
    if wanted.source is None or wanted.target is None:
        raise BadRequest("IN and OUT are missing", hint="isocenter deid IN OUT --key-file FILE")
    deidentifier, signer = _deidentifier(wanted), _signer(wanted)
    if wanted.source.is_file():
        return _file(deidentifier, wanted, wanted.source, wanted.target, as_json=as_json)
    done = _folder(deidentifier, wanted, wanted.source, wanted.target, quiet=as_json)
    if wanted.report is not None:
        _write_report(wanted.report, done, deidentifier, signer)
    if as_json:
        output.tell_json(done.to_json())
    else:
        _print(done, wanted)
    return 1 if done.quarantined or done.residual else 0


def _signer(wanted: Wanted) -> Signer | None:
    """The key of whoever vouches for the report; asks for its password if it has one."""
    told = wanted.report_title or wanted.report_unlocked or wanted.report_signer
    if told and wanted.report is None:
        raise BadRequest("--report-title, --report-unlocked and --report-signer go with --report FILE")
    if wanted.report_signer is None:
        return None
    return read_signer(wanted.report_signer, lambda: typer.prompt("Password", hide_input=True, err=True))


def _write_report(path: Path, done: Run, deidentifier: Deidentifier, signer: Signer | None) -> None:
    """The signed report: a page if the name ends so, else JSON."""
    if done.report is None:
        return
    signed = done.report.sign(deidentifier.setup.key, signer)
    html = path.suffix.lower() in (".html", ".htm")
    text = done.report.to_html(signed) if html else json.dumps(signed, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _deidentifier(wanted: Wanted) -> Deidentifier:
    key_file = wanted.key_file or wanted.new_key
    if key_file is None:
        hint = "--key-file FILE; `isocenter deid --new-key FILE` makes one"
        raise BadRequest("A key is needed, from which all new identifiers follow", hint=hint)
    if (wanted.vault is None) != (wanted.vault_key is None):
        raise BadRequest(
            "--vault and --vault-key go together", hint="isocenter deid-vault new-keys makes keys"
        )
    recipe = Recipe(
        profile=wanted.profile,
        options=wanted.options,
        birth_date=wanted.birth_date,
        times=wanted.times,
        documents=wanted.documents,
        pixels=wanted.pixels,
        residual=wanted.residual,
        pattern=wanted.pattern,
        weeks=wanted.weeks,
        faces=wanted.faces,
        trust_burned_in=wanted.trust_burned_in,
        trial=_trial(wanted.trial),
        ocr=wanted.ocr,
        rules=load_rules(wanted.config) if wanted.config else {},
    )
    return recipe.deidentifier(
        Key.read(key_file),
        regions=[rule for path in wanted.pixel_rules for rule in read_scripts(path)],
        vault=(wanted.vault, wanted.vault_key) if wanted.vault and wanted.vault_key else None,
        encrypt_for=wanted.encrypt_for,
    )


def _trial(told: tuple[str, ...]) -> dict[str, str]:
    """Keywords and values of `Keyword=VALUE`."""
    pairs = [one.partition("=") for one in told]
    if wrong := [keyword for keyword, sign, _ in pairs if not (keyword and sign)]:
        hint = '--trial "ClinicalTrialProtocolID=P-1"'
        raise BadRequest(f"--trial is Keyword=VALUE, not {wrong[0]!r}", hint=hint)
    return {keyword: value for keyword, _, value in pairs}


def _folder(deidentifier: Deidentifier, wanted: Wanted, source: Path, target: Path, *, quiet: bool) -> Run:
    with output.progress() as bar:
        task = bar.add_task("files", total=None, visible=not quiet)
        return deidentifier.folder(
            source,
            target,
            quarantine=wanted.quarantine,
            workers=wanted.workers,
            dry_run=wanted.dry_run,
            dicomdir=wanted.dicomdir,
            file_seconds=wanted.file_seconds,
            title=wanted.report_title,
            unlocked=wanted.report_unlocked,
            progress=lambda number: bar.advance(task, number),
        )


def _file(deidentifier: Deidentifier, wanted: Wanted, source: Path, target: Path, *, as_json: bool) -> int:
    if wanted.dry_run or wanted.report is not None:
        raise BadRequest("--dry-run and --report go with a folder")
    done = deidentifier.file(source, target)
    if as_json:
        findings = [finding._asdict() for finding in done.findings]
        output.tell_json(
            {"end": done.end, "reason": done.reason, "cleared": done.cleared, "findings": findings}
        )
    else:
        line = f"{done.end}: {done.reason}" if done.reason else f"{done.end}: {target}"
        output.out.print(line, highlight=False, soft_wrap=True, markup=False)
    return 0 if done.target is not None else 1


def _print(done: Run, wanted: Wanted) -> None:
    line = f"{done.files} files = {done.out} out + {done.quarantined} quarantined + {done.skipped} skipped"
    output.out.print(line + (" (rehearsal: nothing written)" if wanted.dry_run else ""), highlight=False)
    if done.uncleared:
        words = f"{done.uncleared} left with pixels that nobody cleared: Patient Identity Removed is NO there"
        output.out.print(words, style="yellow", highlight=False)
    if done.residual:
        words = f"{done.residual} left with values of the originals (finding residual): look at them first"
        output.out.print(words, style="yellow", highlight=False)
    rows = [
        (end, times, reason)
        for end, reasons in done.reasons.items()
        for reason, times in reasons.most_common()
    ]
    if rows:
        output.table(("end", "files", "because"), rows, right={"files"})
    if done.findings:
        rows = [
            (kind, times, f"{attribute} {words}")
            for (kind, attribute, words), times in done.findings.most_common(20)
        ]
        output.table(("finding", "times", "what"), rows, right={"times"})
    if done.listed is not None and (done.quarantined or done.skipped):
        output.out.print(
            f"Which files: {done.listed} (it names them: keep it with the originals)", soft_wrap=True
        )
