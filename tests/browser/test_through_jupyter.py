"""A viewer at the origin of a Jupyter below /user/ada/: its pages and scripts, and what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from live_jupyter import TOKEN, Jupyter, jupyter
from tests.browser.conftest import Seen
from tests.browser.test_viewers import PATIENCE, _drawn, nothing_failed
from viewer_objects import studies

from isocenter.cli.throwaway import Running

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def ada(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """It is attached to the server that holds the studies."""
    options = ["--ServerApp.base_url=/user/ada/", f"--Isocenter.url={running.url}"]
    options += [f"--Isocenter.token={running.token}"]
    with jupyter(tmp_path_factory.mktemp("home"), *options) as started:
        yield started


def test_ohif_shows_a_ct_through_the_proxy(
    see: Callable[[str], Seen], ada: Jupyter, installed: Callable[[str], str]
) -> None:
    installed("ohif")
    seen = see(f"{ada.url}api?token={TOKEN}")  # logs in
    address = f"{ada.proxy}/viewers/ohif/viewer?StudyInstanceUIDs={studies()['ct'][0].StudyInstanceUID}"
    seen.page.goto(address, timeout=PATIENCE)
    skip = seen.page.get_by_text("Skip all")
    skip.wait_for(timeout=PATIENCE)
    skip.click()
    seen.page.get_by_text("(1/20)").wait_for(timeout=PATIENCE)
    _drawn(seen.page)
    seen.picture("jupyter-ohif-ct")
    nothing_failed(seen)
