"""`isocenter doctor`: what is wrong with the installation, settings, data folder or running server."""

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from isocenter.cli import output
from isocenter.client.server_info import ServerInfo
from isocenter.client.transport import Transport
from isocenter.config import MEBIBYTE, Settings, load
from isocenter.errors import IsocenterError

PACKAGES = (
    "pydicom",
    "pynetdicom",
    "highdicom",
    "tornado",
    "sqlalchemy",
    "deltalake",
    "pyarrow",
    "duckdb",
    "pandas",
)
CODECS = {"JPEG, RLE": "gdcm", "JPEG 2000, HTJ2K": "openjpeg", "JPEG-LS": "jpeg_ls"}
LITTLE_SPACE = 1024 * MEBIBYTE


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `verdict` is ok, warn or fail."""

    what: str
    verdict: str
    told: str


def run(*, data: Path | None, config: Path | None, as_json: bool) -> int:
    """Look at everything and print it; exit code 1 if something fails."""
    findings = list(examine(data, config))
    if as_json:
        output.tell_json([asdict(finding) for finding in findings])
    else:
        colours = {"ok": "green", "warn": "yellow", "fail": "red"}
        for f in findings:
            output.out.print(f"[{colours[f.verdict]}]{f.verdict:4}[/] {f.what}: {f.told}", highlight=False)
    return 1 if any(f.verdict == "fail" for f in findings) else 0


def examine(data: Path | None, config: Path | None) -> Iterator[Finding]:
    """Every finding, from the installation outwards."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok" if sys.version_info >= (3, 11) else "fail", version)
    yield from _packages()
    try:
        settings = load({"data": data} if data else {}, file=config)
    except IsocenterError as error:
        yield Finding("settings", "fail", str(error))
        return
    yield Finding(
        "settings", "ok", f"{len(settings.all_datasets())} dataset(s), {len(settings.peers)} peer(s)"
    )
    yield from _peers(settings)
    yield from _folder(settings.data)
    yield from _server(settings.data)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        yield _imported(name, name, missing="fail")
    for what, module in CODECS.items():
        yield _imported(f"codec {what}", module, missing="warn")
    yield Finding(
        "sqlite", "ok" if sqlite3.sqlite_version_info >= (3, 35) else "fail", sqlite3.sqlite_version
    )


def _imported(what: str, module: str, *, missing: str) -> Finding:
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        return Finding(what, missing, f"cannot be imported: {error}")
    return Finding(what, "ok", str(getattr(found, "__version__", "present")))


def _peers(settings: Settings) -> Iterator[Finding]:
    if settings.dicom.promiscuous:
        yield Finding("peers", "warn", "dicom.promiscuous: any AE title may store, find and move")
    elif not settings.peers:
        yield Finding("peers", "warn", "no peers are set: only programs on this machine may associate")


def _folder(data: Path) -> Iterator[Finding]:
    place = next(p for p in (data.resolve(), *data.resolve().parents) if p.exists())
    checks: tuple[tuple[str, Callable[[Path], tuple[str, str]]], ...] = (
        ("data folder", _writable),
        ("disk space", _space),
        ("file system", _file_system),
    )
    for what, check in checks:
        verdict, told = check(place)
        yield Finding(what, verdict, told)


def _writable(place: Path) -> tuple[str, str]:
    ok = os.access(place, os.W_OK | os.X_OK)
    return ("ok", f"{place} can be written") if ok else ("fail", f"{place} cannot be written by this user")


def _space(place: Path) -> tuple[str, str]:
    free = shutil.disk_usage(place).free
    return "ok" if free > LITTLE_SPACE else "warn", f"{free / 1e9:.1f} GB free"


def _file_system(place: Path) -> tuple[str, str]:
    """SQLite's locks are not to be trusted on network file systems: index and catalog need a local one."""
    mounts = (
        [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        if sys.platform == "linux"
        else []
    )
    within = [m for m in mounts if str(place) == m[1] or str(place).startswith(m[1].rstrip("/") + "/")]
    kind = max(within, key=lambda m: len(m[1]))[2] if within else "unknown"
    network = kind.startswith(("nfs", "cifs", "smb", "fuse.sshfs", "9p"))
    return ("fail", f"{kind}: index and catalog need a local file system") if network else ("ok", kind)


def _server(data: Path) -> Iterator[Finding]:
    path = data / "run" / "connection.json"
    if not path.exists():
        yield Finding("server", "warn", f"none runs on {data}")
        return
    told = ServerInfo.read(path)
    if told is None:
        yield Finding("server", "fail", f"its connection file {path} cannot be read")
        return
    try:
        Transport(told.url, told.token).request("GET", "/healthz").close()
    except IsocenterError as error:
        yield Finding("server", "fail", f"its connection file is there, but it does not answer: {error}")
        return
    dicom = f"{told.ae_title} at {told.dicom_host}:{told.dicom_port}" if told.dicom_port else "no DICOM"
    yield Finding("server", "ok", f"{told.url}, {dicom}")
