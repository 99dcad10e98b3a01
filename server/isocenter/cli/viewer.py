"""`isocenter viewer`: install, list and remove viewers by others; see `explorer.packages`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from isocenter.cli import output
from isocenter.config import Settings
from isocenter.errors import NotFound, Unavailable
from isocenter.explorer.packages import VIEWERS, folder_of, packages_of
from isocenter.explorer.packages import install as unpack
from isocenter.explorer.packages import remove as take_away

_FETCHED_WITHIN = 600


def install(settings: Settings, viewer: str, files: Sequence[Path], *, as_json: bool) -> None:
    """Install a viewer, from package files or, without them, from npm."""
    packages = packages_of(viewer)
    with tempfile.TemporaryDirectory(prefix="isocenter-viewer-") as folder:
        given = list(files) or _fetched(viewer, Path(folder))
        placed = unpack(settings.data, viewer, given)
    if as_json:
        output.tell_json({"viewer": viewer, "version": packages[0].version, "folder": str(placed)})
        return
    output.err.print(f"Installed {packages[0].specifier} ({packages[0].licence})", highlight=False)
    output.out.print(f"http://{settings.http.host}:{settings.http.port}/viewers/{viewer}/", highlight=False)


def show(settings: Settings, *, as_json: bool) -> None:
    """Which viewers there are, and which are installed."""
    rows = [
        (name, packages[0].specifier, packages[0].licence, folder_of(settings.data, name).is_dir())
        for name, packages in VIEWERS.items()
    ]
    if as_json:
        names = ("viewer", "package", "licence", "installed")
        output.tell_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    shown = [(*row[:3], "yes" if row[3] else "no") for row in rows]
    output.table(("viewer", "package", "licence", "installed"), shown)


def remove(settings: Settings, viewer: str) -> None:
    """Remove an installed viewer."""
    packages_of(viewer)
    if not take_away(settings.data, viewer):
        raise NotFound(f"The viewer {viewer!r} is not installed in {settings.data}")
    output.err.print(f"Removed {viewer}", highlight=False)


def _fetched(viewer: str, folder: Path) -> list[Path]:
    """The packages of a viewer as npm gives them."""
    packages = packages_of(viewer)
    names = " ".join(package.specifier for package in packages)
    by_hand = (
        f"on a machine with npm: npm pack {names}; then here: isocenter viewer install {viewer} --from FILE"
    )
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("Fetching a viewer needs npm, which is not here", hint=by_hand)
    command = [npm, "pack", "--silent", "--pack-destination", str(folder), *names.split()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_FETCHED_WITHIN, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm gave no answer within {_FETCHED_WITHIN} s", hint=by_hand) from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it does not say why"]
        raise Unavailable(f"npm could not fetch {names}: {last[0]}", hint=by_hand)
    return sorted(folder.glob("*.tgz"))
