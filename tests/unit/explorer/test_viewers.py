"""An installed viewer is served at its own address, looks into this archive, and loads from nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_archive import LiveArchive, serving
from tests.unit.explorer.conftest import Pack

from isocenter.explorer import packages


@pytest.fixture
def web(tmp_path: Path, pack: Pack, trusted: Callable[[Path], None]) -> Iterator[LiveArchive]:
    file = pack()
    trusted(file)
    packages.install(tmp_path / "data", "ohif", [file])
    with serving(tmp_path / "data") as start:
        yield start(datasets={"lab": {"ae_title": "LAB"}})


def test_the_page_is_isolated_and_may_load_from_here_only(web: LiveArchive) -> None:
    answer = web.get("/viewers/ohif/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "https://" not in answer.text


def test_addresses_in_the_page_are_those_of_the_viewer(web: LiveArchive) -> None:
    page = web.get("/datasets/lab/viewers/ohif/").text
    assert '<base href="/datasets/lab/viewers/ohif/">' in page
    assert 'window.PUBLIC_URL="/datasets/lab/viewers/ohif/"' in page
    assert 'src="/datasets/lab/viewers/ohif/app.bundle.0123456789ab.js"' in page


@pytest.mark.parametrize("prefix", ["", "/datasets/lab"])
def test_it_is_set_to_the_dicomweb_root_of_its_dataset(web: LiveArchive, prefix: str) -> None:
    settings = web.get(f"{prefix}/viewers/ohif/app-config.js")
    assert settings.headers["Content-Type"].startswith("text/javascript")
    assert f'"wadoRoot": "{prefix}/dicom-web"' in settings.text
    assert f'"routerBasename": "{prefix}/viewers/ohif"' in settings.text


def test_a_place_inside_the_viewer_is_its_page(web: LiveArchive) -> None:
    assert web.get("/viewers/ohif/viewer?StudyInstanceUIDs=1.2").text == web.get("/viewers/ohif/").text


def test_files_are_sent_with_their_type_and_may_be_kept_when_their_name_holds_a_digest(
    web: LiveArchive,
) -> None:
    script = web.get("/viewers/ohif/app.bundle.0123456789ab.js")
    assert script.headers["Content-Type"] == "text/javascript"
    assert "immutable" in script.headers["Cache-Control"]
    wasm = web.get("/viewers/ohif/assets/module.wasm")
    assert wasm.headers["Content-Type"] == "application/wasm"
    assert wasm.headers["Cache-Control"] == "no-cache"
    again = web.get("/viewers/ohif/assets/module.wasm", headers={"If-None-Match": wasm.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["missing.js", "../../state.db", "%2e%2e/%2e%2e/state.db", "assets/..%2f..%2fx.js"]
)
def test_what_is_no_file_of_the_viewer_is_404(web: LiveArchive, path: str) -> None:
    assert web.get(f"/viewers/ohif/{path}").status_code == 404


def test_its_address_without_the_slash_leads_to_it(web: LiveArchive) -> None:
    answer = web.get("/viewers/ohif", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, "/viewers/ohif/")


def test_a_viewer_that_is_not_installed_is_told_how(web: LiveArchive) -> None:
    answer = web.get("/viewers/volview/")
    assert answer.status_code == 404
    assert answer.json()["error"]["hint"] == "isocenter viewer install volview"
    assert web.get("/viewers/weasis/").json()["error"]["hint"] == "there are: ohif, volview"


def test_behind_a_proxy_with_a_path_of_its_own_page_and_settings_name_that_path(web: LiveArchive) -> None:
    told = {"X-Forwarded-Prefix": "/user/ada/isocenter/proxy"}
    page = web.get("/viewers/ohif/", headers=told).text
    assert '<base href="/user/ada/isocenter/proxy/viewers/ohif/">' in page
    settings = web.get("/datasets/lab/viewers/ohif/app-config.js", headers=told).text
    assert '"wadoRoot": "/user/ada/isocenter/proxy/datasets/lab/dicom-web"' in settings
    bare = web.get("/viewers/ohif", headers=told, allow_redirects=False)
    assert bare.headers["Location"] == "/user/ada/isocenter/proxy/viewers/ohif/"
