"""A little viewer, packed as npm packs, in the place of a real one of fifty megabytes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.explorer import packages
from isocenter.explorer.packages import Package, digest_of

PAGE = (
    '<!doctype html><html><head><link rel="icon" href="/icon.svg">'
    '<link rel="stylesheet" href="https://fonts.example.org/css?family=Roboto"/>'
    '<script>window.PUBLIC_URL="/"</script><script src="/app.bundle.0123456789ab.js"></script></head></html>'
)
FILES = {
    "package/package.json": "{}",
    "package/dist/index.html": PAGE.replace("fonts.example.org", "fonts.googleapis.com"),
    "package/dist/app.bundle.0123456789ab.js": '__webpack_require__.p = "/";',
    "package/dist/app.bundle.0123456789ab.js.map": "{}",
    "package/dist/app.css": "@font-face { src: url(/font.woff2) }",
    "package/dist/assets/module.wasm": "\0asm",
}

Pack = Callable[..., Path]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Packs files (name to text), and other members as they are given."""

    def packs(files: dict[str, str] = FILES, *others: tarfile.TarInfo, name: str = "viewer.tgz") -> Path:
        path = tmp_path / name
        with tarfile.open(path, "w:gz") as archive:
            for member, text in files.items():
                told = tarfile.TarInfo(member)
                told.size = len(text)
                archive.addfile(told, io.BytesIO(text.encode()))
            for other in others:
                archive.addfile(other)
        return path

    return packs


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a package file the tested version of `ohif`."""

    def trust(file: Path, version: str = "1.0.0") -> None:
        real = packages.VIEWERS["ohif"][0]
        mine = Package(real.name, version, digest_of(file), real.inside, patches=real.patches)
        monkeypatch.setitem(packages.VIEWERS, "ohif", (mine,))  # type: ignore[arg-type]

    return trust
