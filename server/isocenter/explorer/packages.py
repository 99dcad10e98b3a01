"""Viewers by others, as they come from npm: which, in which version, and how they get into the data folder.

A version is known by the digest of its package, so what is served is what was tested. Fetching a package is
the caller's work; here it is checked and unpacked. No viewer is part of this distribution.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from isocenter.errors import BadRequest, NotFound
from isocenter.objects.faults import storage_errors

_PIECE = 1024 * 1024
_MOST_BYTES = 1024**3
_MOST_FILES = 20_000


@dataclass(frozen=True)
class Package:
    """One version of an npm package, and what of it is served.

    Attributes:
        name: on npm.
        version: the one that was tested.
        sha512: of the package file, base64 as npm writes it.
        inside: the folder in the package whose files are served.
        below: where they are served, below the viewer's own address.
        licence: SPDX identifier.
        patches: file names (`*.js`), the text in them, and what takes its place.
    """

    name: str
    version: str
    sha512: str
    inside: str
    below: str = ""
    licence: str = "MIT"
    patches: Sequence[tuple[str, bytes, bytes]] = ()

    @property
    def specifier(self) -> str:
        """As npm takes it."""
        return f"{self.name}@{self.version}"


# OHIF is built to be served at the root. Its scripts then load others from the address of its page, or, in a
# worker, from beside themselves; its styles load fonts from beside themselves.
_ANYWHERE = (
    (
        "*.js",
        b'__webpack_require__.p = "/"',
        b'__webpack_require__.p = self.PUBLIC_URL || self.location.pathname.replace(/[^/]*$/, "")',
    ),
    ("*.css", b"url(/", b"url(./"),
)

VIEWERS: Mapping[str, Sequence[Package]] = {
    "ohif": (
        Package(
            "@ohif/app",
            "3.13.2",
            "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==",
            "package/dist",
            patches=_ANYWHERE,
        ),
    ),
    "volview": (
        Package(
            "volview",
            "4.4.1",
            "dYFSHLzBZXDz5Cb/QX3oMndSrVO9cClHlpO0xNobZ2L6UDlMpNF5U1M1j67oFwbmT+trrhueulXHFHekeIlxVg==",
            "package/dist",
            licence="Apache-2.0",
        ),
        Package(
            "@mdi/font",
            "7.4.47",
            "43MtGpd585SNzHZPcYowu/84Vz2a2g31TvPMTm9uTiCSWzaheQySUcSyUH/46fPnuPQWof2yd0pGBtzee/IQWw==",
            "package",
            below="icons",
            licence="Apache-2.0",
        ),
    ),
}
"""What can be installed: a viewer, and what it would otherwise load from other hosts."""


def packages_of(viewer: str) -> Sequence[Package]:
    """The packages of a viewer. Raises NotFound."""
    try:
        return VIEWERS[viewer]
    except KeyError:
        raise NotFound(f"There is no viewer {viewer!r}", hint="there are: " + ", ".join(VIEWERS)) from None


def folder_of(data: Path, viewer: str) -> Path:
    """Where the version of a viewer that this server knows is, or would be."""
    return data / "viewers" / viewer / packages_of(viewer)[0].version


def install(data: Path, viewer: str, files: Sequence[Path]) -> Path:
    """Check and unpack the packages of a viewer; older versions of it are removed.

    Args:
        data: the data folder.
        viewer: a name of `VIEWERS`.
        files: a package file for each package of it, in any order.

    Returns:
        the folder that is served.

    Raises:
        BadRequest: a file is not the package that was tested, or one is missing.
        NoSpace, Unavailable: the folder cannot be written.
    """
    chosen = [(package, _file_of(package, files)) for package in packages_of(viewer)]
    target = folder_of(data, viewer)
    with storage_errors("install the viewer"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _fresh(target) as made:
            for package, file in chosen:
                _unpack(file, package.inside, made / package.below)
                for patch in package.patches:
                    _patch(made / package.below, *patch)
        for other in target.parent.iterdir():
            if other != target:
                shutil.rmtree(other)
    return target


def remove(data: Path, viewer: str) -> bool:
    """Remove a viewer; False when it was not installed."""
    folder = folder_of(data, viewer).parent
    if not folder.is_dir():
        return False
    with storage_errors("remove the viewer"):
        shutil.rmtree(folder)
    return True


def digest_of(file: Path) -> str:
    """SHA-512 of a file, base64."""
    with file.open("rb") as opened:
        return base64.b64encode(hashlib.file_digest(opened, "sha512").digest()).decode()


def _file_of(package: Package, files: Sequence[Path]) -> Path:
    for file in files:
        if file.is_file() and digest_of(file) == package.sha512:
            return file
    raise BadRequest(
        f"None of the given files is {package.specifier} as it was tested",
        hint=f"its SHA-512 is {package.sha512}; get it with: npm pack {package.specifier}",
    )


@contextmanager
def _fresh(target: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of `target` at once."""
    made = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    made.mkdir()
    try:
        yield made
        if target.exists():
            shutil.rmtree(target)
        os.rename(made, target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _unpack(file: Path, inside: str, target: Path) -> None:
    """Regular files only, by plain names, without maps for debuggers, within limits."""
    size = count = 0
    with tarfile.open(file, "r:gz") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if not member.isfile() or not name.startswith(inside + "/") or name.endswith(".map"):
                continue
            parts = name[len(inside) + 1 :].split("/")
            size, count = size + member.size, count + 1
            if ".." in parts or "" in parts or size > _MOST_BYTES or count > _MOST_FILES:
                raise BadRequest("The package holds what cannot be installed")
            path = target.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            source = archive.extractfile(member)
            assert source is not None
            with source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy, _PIECE)


def _patch(folder: Path, names: str, text: bytes, other: bytes) -> None:
    for file in folder.glob(names):
        content = file.read_bytes()
        if text in content:
            file.write_bytes(content.replace(text, other))
