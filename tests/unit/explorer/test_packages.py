"""Viewers are installed in the version that was tested, whole or not at all, and write nothing elsewhere."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.explorer.conftest import FILES, Pack

from isocenter.errors import BadRequest, NotFound, Unavailable
from isocenter.explorer import packages

Trust = Callable[..., None]


def test_a_viewer_is_unpacked_into_the_data_folder(tmp_path: Path, pack: Pack, trusted: Trust) -> None:
    file = pack()
    trusted(file)
    placed = packages.install(tmp_path / "data", "ohif", [file])
    assert placed == packages.folder_of(tmp_path / "data", "ohif")
    assert sorted(path.relative_to(placed).as_posix() for path in placed.rglob("*") if path.is_file()) == [
        "app.bundle.0123456789ab.js",
        "app.css",
        "assets/module.wasm",
        "index.html",
    ]


def test_its_scripts_and_styles_load_others_from_where_they_are_served(
    tmp_path: Path, pack: Pack, trusted: Trust
) -> None:
    file = pack()
    trusted(file)
    placed = packages.install(tmp_path / "data", "ohif", [file])
    assert "self.PUBLIC_URL" in (placed / "app.bundle.0123456789ab.js").read_text()
    assert "url(./font.woff2)" in (placed / "app.css").read_text()


def test_what_is_not_the_tested_package_is_refused_and_the_digest_told(tmp_path: Path, pack: Pack) -> None:
    with pytest.raises(BadRequest, match=r"@ohif/app@.* as it was tested") as refused:
        packages.install(tmp_path / "data", "ohif", [pack()])
    assert "SHA-512" in refused.value.hint
    assert not (tmp_path / "data").exists()


def test_a_new_version_takes_the_place_of_the_old_one(tmp_path: Path, pack: Pack, trusted: Trust) -> None:
    file = pack()
    trusted(file, "1.0.0")
    old = packages.install(tmp_path / "data", "ohif", [file])
    trusted(file, "2.0.0")
    new = packages.install(tmp_path / "data", "ohif", [file])
    assert (old.exists(), (new / "index.html").exists()) == (False, True)
    assert [path.name for path in new.parent.iterdir()] == ["2.0.0"]


@pytest.mark.parametrize("name", ["package/dist/../../outside.js", "package/dist//outside.js"])
def test_a_package_that_would_write_elsewhere_is_refused_and_leaves_nothing(
    tmp_path: Path, pack: Pack, trusted: Trust, name: str
) -> None:
    file = pack({**FILES, name: "x"})
    trusted(file)
    with pytest.raises(BadRequest, match="cannot be installed"):
        packages.install(tmp_path / "data", "ohif", [file])
    assert list((tmp_path / "data").rglob("*.js")) == []


def test_links_in_a_package_are_left_out(tmp_path: Path, pack: Pack, trusted: Trust) -> None:
    link = tarfile.TarInfo("package/dist/passwd")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    file = pack(FILES, link)
    trusted(file)
    assert not (packages.install(tmp_path / "data", "ohif", [file]) / "passwd").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, pack: Pack, trusted: Trust) -> None:
    file = pack()
    trusted(file)
    (tmp_path / "data").write_text("a file")
    with pytest.raises(Unavailable, match="install the viewer"):
        packages.install(tmp_path / "data", "ohif", [file])


def test_an_unknown_viewer_is_told_which_there_are() -> None:
    with pytest.raises(NotFound) as unknown:
        packages.packages_of("weasis")
    assert "ohif, volview" in unknown.value.hint


def test_a_removed_viewer_is_gone(tmp_path: Path, pack: Pack, trusted: Trust) -> None:
    file = pack()
    trusted(file)
    placed = packages.install(tmp_path / "data", "ohif", [file])
    assert packages.remove(tmp_path / "data", "ohif") is True
    assert not placed.exists()
    assert packages.remove(tmp_path / "data", "ohif") is False
