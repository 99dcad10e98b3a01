"""`isocenter deid-vault`: keys of a vault, and who a subject is. What it does is in `deid.vault`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from isocenter.cli.options import AsJson

vault = typer.Typer(help="The crosswalk of real and new identifiers.", no_args_is_help=True)

Vault = Annotated[Path, typer.Argument(metavar="VAULT", help="The vault's file.")]


@vault.command("new-keys")
def vault_new_keys(
    private: Annotated[Path, typer.Argument(help="The private key's file; it stays with its holder.")],
    public: Annotated[Path, typer.Argument(help="The public key's file, for those who de-identify.")],
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password of the private key.")
    ] = False,
    rsa: Annotated[bool, typer.Option("--rsa", help="RSA of 3072 bits instead of X25519.")] = False,
) -> None:
    """Make a pair of keys for a vault."""
    from isocenter.cli.output import out
    from isocenter.deid.envelope import fingerprint, write_pair

    told = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if password else None
    made = write_pair(private, public, password=told, rsa=rsa)
    out.print(
        f"Made {private} and {public} (fingerprint {fingerprint(made)}).", highlight=False, soft_wrap=True
    )


@vault.command("list")
def vault_list(path: Vault, as_json: AsJson = False) -> None:
    """List the subjects by their new patient IDs; no key is needed."""
    from isocenter.cli.output import out, tell_json
    from isocenter.deid.vault import subjects

    found = subjects(path)
    if as_json:
        tell_json(found)
    else:
        out.print("\n".join(found) or "No subjects yet.", highlight=False)


@vault.command("find")
def vault_find(
    path: Vault,
    subject: Annotated[str, typer.Argument(help="The new patient ID.")],
    private_key: Annotated[Path, typer.Option("--private-key", help="The holder's key (PEM).")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is written to the audit log.")],
    password: Annotated[bool, typer.Option("--password", help="Ask for the key's password.")] = False,
    audit: Annotated[Path | None, typer.Option("--audit", help="The log; VAULT.audit by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say who a subject is. Every look-up is in the audit log."""
    from isocenter.cli.output import table, tell_json
    from isocenter.deid.envelope import read_private
    from isocenter.deid.vault import reidentify

    told = typer.prompt("Password", hide_input=True, err=True) if password else None
    found = reidentify(path, subject, read_private(private_key, told), reason=reason, audit=audit)
    if as_json:
        tell_json([asdict(entry) for entry in found])
        return
    columns = ("Patient ID", "Name", "Birth date", "Accession", "Study", "New study")
    rows = [(e.patient_id, e.name, e.birth_date, e.accession, e.study, e.new_study) for e in found]
    table(columns, rows, title=f"{subject} is")


@vault.command("log")
def vault_log(
    path: Vault,
    audit: Annotated[Path | None, typer.Option("--audit", help="The log; VAULT.audit by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the look-ups, and say if the log was changed."""
    from isocenter.cli.output import table, tell_json
    from isocenter.deid.audit_log import read_audit
    from isocenter.deid.vault import audit_of

    lines = read_audit(audit or audit_of(path))
    if as_json:
        tell_json(lines)
        return
    names = ("time", "user", "what", "subject", "reason")
    table([name.capitalize() for name in names], [[line[name] for name in names] for line in lines])
