"""`isocenter deid-report`: who signed a report, whether it was changed, and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def deid_report(
    path: Annotated[Path, typer.Argument(metavar="REPORT", help="A report, as JSON.")],
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="The project's key.", envvar="ISOCENTER_DEID_KEY_FILE")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="Of a person who signed it (Ed25519, PEM).")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write its page.")] = None,
) -> None:
    """Check the signatures of a de-identification report. Exit code 1 if it was changed."""
    from isocenter.cli.output import out
    from isocenter.deid.key import Key
    from isocenter.deid.report import read_report
    from isocenter.deid.report_page import page
    from isocenter.deid.signature import check_person
    from isocenter.errors import BadRequest, NotFound

    try:
        text = path.read_bytes()
        report = read_report(text, Key.read(key_file) if key_file else None)
        if public_key is not None:
            check_person(report, public_key.read_bytes())
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {error.filename}") from None
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from None
    checked = [*(["the project's key"] if key_file else []), *(["the person's key"] if public_key else [])]
    words = f"As {' and '.join(checked)} signed it." if checked else "Not checked: no key was given."
    out.print(words, highlight=False)
    if html is not None:
        html.write_text(page(report), encoding="utf-8")
        out.print(f"Wrote {html}.", highlight=False, soft_wrap=True)
