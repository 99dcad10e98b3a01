"""Write the generated pages of `server/docs`. With `--check`, only say which differ."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from page_tables import tables
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from isocenter import errors
from isocenter.cli.application import application
from isocenter.config import DatasetSettings, JupyterHubSettings, PeerSettings, Settings, TlsSettings

DOCS = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Written by `make docs` from the code: change it there. -->\n\n"


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    return {
        "settings.md": _settings(),
        "commands.md": _commands(),
        "errors.md": _errors(),
        **{name: _filled(_read(DOCS / name)) for name in ("conformance.md", "http.md", "python.md")},
    }


def main() -> int:
    """Write them, or compare."""
    differ = [name for name, text in pages().items() if _read(DOCS / name) != text]
    if "--check" in sys.argv:
        print("\n".join(f"server/docs/{name} is not what the code says: run make docs" for name in differ))
        return 1 if differ else 0
    for name in differ:
        (DOCS / name).write_text(pages()[name])
        print(f"wrote server/docs/{name}")
    return 0


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _filled(page: str) -> str:
    """The page with what stands between `<!-- table: NAME -->` and `<!-- end -->` made anew."""
    made = tables()
    return re.sub(
        r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{made[found[2]]}\n{found[3]}",
        page,
        flags=re.DOTALL,
    )


def _settings() -> str:
    lines = [
        NOTE + "# Settings\n",
        "Defaults, then `isocenter.toml` in the data folder (or the file of `--config`, `ISOCENTER_CONFIG`),",
        "then the environment (`ISOCENTER_DICOM__PORT=11113` sets `dicom.port`), then flags: later ones win.",
        "Times are seconds, sizes bytes.\n",
        "| key | type | default | meaning |\n|---|---|---|---|",
    ]
    lines += _rows(Settings, "")
    for title, model, prefix in (
        ("TLS, when `dicom.tls` is set", TlsSettings, "dicom.tls."),
        ("Each dataset besides `main`", DatasetSettings, "datasets.NAME."),
        ("Each peer", PeerSettings, "peers.AE_TITLE."),
        ("JupyterHub, when `jupyterhub` is set", JupyterHubSettings, "jupyterhub."),
    ):
        lines += [
            f"\n## {title}\n",
            "| key | type | default | meaning |\n|---|---|---|---|",
            *_rows(model, prefix),
        ]
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(kind, f"{prefix}{name}.")
        elif not isinstance(field.default, BaseModel):
            yield f"| `{prefix}{name}` | {_kind(kind)} | {_default(field)} | {field.description or ''} |"


def _kind(kind: Any) -> str:
    text = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    for noise in ("typing.", "pathlib._local.", "pathlib.", "isocenter.config."):
        text = text.replace(noise, "")
    return "`" + text.replace("|", "or") + "`"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return f"`{value}`" if value not in (None, (), {}, "") else ""


def _commands() -> str:
    root = typer.main.get_command(application)
    lines = [NOTE + "# Commands\n", "Every command explains itself with `--help`.", ""]
    lines += [
        "Exit codes: 0 done; 1 done, and something is not as it should be; 2 not done; 130 interrupted.\n"
    ]
    for path, command in _walk(root, "isocenter"):
        lines += [f"## `{path}`\n", (command.help or "").strip(), ""]
        lines += [_parameter(p) for p in command.params if p.name not in ("help", "version")]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _walk(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, below in sorted(group.commands.items()):
        if hasattr(below, "commands"):
            yield from _walk(below, f"{path} {name}")
        else:
            yield f"{path} {name}", below


def _parameter(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    name = parameter.name.upper() if argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    shown = "" if callable(default) or default in (None, False, "", ()) else f" (default `{default}`)"
    return f"- `{name}` {getattr(parameter, 'help', None) or ''}{shown}".rstrip()


def _errors() -> str:
    lines = [
        NOTE + "# Errors\n",
        "Outside PS3.18 every error of the HTTP interface has one body; the Python client raises the class:",
        '`{"error": {"code": …, "message": …, "hint": …, "detail": …}}`.\n',
        "| code | HTTP status | class | meaning |\n|---|---|---|---|",
    ]
    for kind in _below(errors.IsocenterError):
        if kind.__module__ == errors.__name__:
            meaning = (kind.__doc__ or "").splitlines()[0]
            lines.append(
                f"| `{kind.code}` | {kind.status} | `isocenter.errors.{kind.__name__}` | {meaning} |"
            )
    return "\n".join(lines) + "\n"


def _below(kind: type[errors.IsocenterError]) -> Iterator[type[errors.IsocenterError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _below(below)


if __name__ == "__main__":
    sys.exit(main())
