"""The panel in JupyterLab and Notebook 7, in a real browser with a real Jupyter Server and data server."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_jupyter import TOKEN, Jupyter
from live_panel import PANEL, lab
from pydicom.data import get_testdata_file
from side_bar import FILES, Page, at_rest, count, last_activity, settings_of, store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CLEARED = """async () => {
  const { shell, commands } = window.jupyterapp;
  for (const widget of [...shell.widgets("main")]) widget.dispose();
  await commands.execute("launcher:create");
}"""

LITERAL = """async (text) => {
  const told = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const { literal } = await import(`${told.fullLabextensionsUrl}/isocenter-jupyterlab/modules/cells.js`);
  return literal(text);
}"""

QUIET = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """It looks at the server twice a second, so that tests need not wait."""
    settings = {**QUIET, PANEL: {"poll_interval": 0.5}}
    options = ("--LabApp.expose_app_in_browser=True",)
    more = {"ISOCENTER_DATASETS__lesson__AE_TITLE": "LESSON"}
    with lab(tmp_path_factory.mktemp("lab"), settings, *options, **more) as running:
        yield running


@pytest.fixture(scope="module")
def opens(context: Any, pictures: Path, jupyter: Jupyter) -> Callable[..., Page]:
    """Opens a page of Jupyter, which its user closes."""

    def opens(path: str = "lab", width: int = 1400, height: int = 900) -> Page:
        one = Page(context.new_page(), pictures)
        one.page.set_viewport_size({"width": width, "height": height})
        one.page.on("request", lambda request: "/isocenter/" in request.url and one.asked.append(request.url))
        one.page.on("pageerror", lambda error: one.errors.append(f"{error} {error.stack}"))
        one.page.on("console", lambda said: said.type == "error" and one.errors.append(said.text))
        one.page.goto(f"{jupyter.url}{path}?token={TOKEN}&reset", timeout=60_000)
        one.page.locator("#isocenter-panel").wait_for(state="attached")
        return one

    return opens


@pytest.fixture
def opened(opens: Callable[..., Page]) -> Iterator[Callable[..., Page]]:
    """Opens pages of one test: those that stay open look at the server again and again."""
    made: list[Page] = []

    def opened(*given: Any) -> Page:
        made.append(opens(*given))
        return made[-1]

    yield opened
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def used(opens: Callable[..., Page]) -> Iterator[Page]:
    """JupyterLab, opened once: it takes seconds."""
    one = opens()
    yield one
    one.close()


@pytest.fixture
def in_lab(used: Page) -> Page:
    """JupyterLab with the panel beside a running data server, nothing else open, typed or chosen."""
    used.page.bring_to_front()
    used.page.evaluate(CLEARED)
    panel = used.wait_for_server()
    panel.get_by_role("radio", name=re.compile("^main")).check()
    panel.locator("#isocenter-search").fill("")
    panel.get_by_label("What is searched for").select_option("series")
    if panel.get_by_label("Close this report").is_visible():
        panel.get_by_label("Close this report").click()
        panel.get_by_label("Close this report").wait_for(state="hidden")
    return used


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders within a folder: objects, one that is cut off, and what is no DICOM."""
    root = tmp_path_factory.mktemp("chosen") / "discs"
    for number, name in enumerate(FILES):
        inside = root / f"patient {number}" / "series"
        inside.mkdir(parents=True)
        shutil.copy(str(get_testdata_file(name)), inside / name)
    (root / "notes.txt").write_text("no DICOM")
    (root / "cut.dcm").write_bytes(Path(str(get_testdata_file(FILES[0]))).read_bytes()[:300])
    return root


def test_nothing_is_asked_before_the_panel_is_seen_and_a_stopped_server_can_be_started(
    opened: Callable[..., Page], jupyter: Jupyter
) -> None:
    assert jupyter.ask("isocenter/server/stop", "POST", b"").status == 200
    one = opened()
    one.page.get_by_text("Launcher").first.wait_for()
    assert [url for url in one.asked if "/isocenter/server" in url or "/isocenter/proxy" in url] == []
    panel = one.open_panel()
    panel.get_by_text("Stopped").wait_for()
    one.picture("side-bar-stopped")
    panel.get_by_role("button", name="Start", exact=True).click()
    panel.get_by_text("Running").wait_for(timeout=60_000)
    panel.get_by_text("by this Jupyter").wait_for()
    panel.get_by_text("Datasets").wait_for()


def test_looking_at_the_server_again_and_again_is_no_activity(
    opened: Callable[..., Page], jupyter: Jupyter
) -> None:
    """Asked once more without JupyterLab, which counts as activity itself, and before there are kernels."""
    one = opened()
    one.wait_for_server()
    asked = len(one.asked)
    one.until(lambda: len(one.asked) > asked + 20)
    again = {url.removeprefix(jupyter.url) for url in one.asked if not url.endswith("server/start")}
    assert {"isocenter/proxy/api/statistics?dataset=main", "isocenter/proxy/api/datasets"} <= again
    one.page.close()
    before = at_rest(jupyter)
    for path in again:
        assert jupyter.ask(path).status == 200
    assert last_activity(jupyter) == before


def test_a_search_counts_while_one_types_and_writes_a_cell(in_lab: Page, jupyter: Jupyter) -> None:
    store(jupyter, *FILES)
    page = in_lab.page
    box = page.get_by_label("Search, a condition by keywords")
    box.fill("Modality=CT and SliceThickness<8")
    page.locator("#isocenter-found", has_text=re.compile(r"^\d+ series$")).wait_for()
    box.press("Enter")
    in_lab.until(lambda: page.locator(".jp-Notebook").count() == 1)
    in_lab.until(lambda: 'archive.series.where("Modality=CT and SliceThickness<8")' in in_lab.code())
    in_lab.until(lambda: "archive = isocenter.connect()" in in_lab.code()[0])  # cells are drawn in any order
    box.fill('PatientName~"*^Compress*"')
    page.get_by_label("What is searched for").select_option("study")
    page.locator("#isocenter-found", has_text=re.compile(r"^\d+ stud")).wait_for()
    page.get_by_role("button", name="Insert cell").click()
    in_lab.until(lambda: in_lab.code()[2:] == ["archive.studies.where('PatientName~\"*^Compress*\"')"])
    in_lab.picture("side-bar-search")


@pytest.mark.parametrize(
    "text",
    ["Modality=CT", 'PatientName~"d*"', "PatientName='x' and Rows=\"2\"", "a\\b\n\t\u2028\x85é😀", "'"],
)
def test_a_cell_holds_the_very_text(used: Page, text: str) -> None:
    assert ast.literal_eval(used.page.evaluate(LITERAL, text)) == text


def test_a_search_that_is_wrong_says_where_and_writes_nothing(in_lab: Page) -> None:
    box = in_lab.page.get_by_label("Search, a condition by keywords")
    box.fill("Modality=CT and SliceThicknes<8")
    found = in_lab.page.locator("#isocenter-found")
    found.get_by_text("did you mean SliceThickness").wait_for()
    box.press("Enter")
    in_lab.until(lambda: box.get_attribute("aria-invalid") == "true")
    assert in_lab.page.locator(".jp-Notebook").count() == 0


def test_a_folder_that_is_chosen_is_stored_and_what_was_refused_is_told(
    in_lab: Page, jupyter: Jupyter, folder: Path
) -> None:
    in_lab.page.locator("[data-pick=folder]").set_input_files(str(folder))
    panel = in_lab.page.locator("#isocenter-panel")
    panel.get_by_text("4 files stored, 1 refused, 1 left out").wait_for()
    panel.get_by_text("cut.dcm").wait_for()
    assert count(jupyter) == len(FILES)
    in_lab.picture("side-bar-upload")
    panel.get_by_label("Close this report").click()
    panel.get_by_text("cut.dcm").wait_for(state="hidden")


def test_a_folder_that_is_dropped_is_read_with_all_folders_in_it(in_lab: Page, folder: Path) -> None:
    place = in_lab.page.locator(".iso-drop").bounding_box()
    session = in_lab.page.context.new_cdp_session(in_lab.page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"x": place["x"] + 20, "y": place["y"] + 20}
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})
    in_lab.page.get_by_text("4 files stored, 1 refused, 1 left out").wait_for()


def test_an_upload_can_be_canceled(in_lab: Page, folder: Path) -> None:
    held: list[Any] = []
    in_lab.page.route("**/dicom-web/studies", lambda route: held.append(route))
    in_lab.page.locator("[data-pick=folder]").set_input_files(str(folder))
    in_lab.until(lambda: bool(held))
    in_lab.page.get_by_role("button", name="Cancel").click()
    in_lab.page.get_by_text("Canceled: 0 files stored").wait_for()
    in_lab.page.unroute_all(behavior="ignoreErrors")


def test_a_dataset_returns_to_its_snapshot_once_one_is_sure(in_lab: Page, jupyter: Jupyter) -> None:
    page = in_lab.page
    store(jupyter, *FILES)
    page.get_by_label("Take a snapshot of main").click()
    page.locator(".jp-Dialog input").fill("exam 1")
    page.locator(".jp-Dialog").get_by_role("button", name="Take").click()
    page.get_by_label("Reset main to exam 1").wait_for()
    store(jupyter, "OBXXXX1A.dcm")
    assert count(jupyter) == len(FILES) + 1
    page.get_by_label("Reset main to exam 1").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Cancel").click()
    assert count(jupyter) == len(FILES) + 1
    page.get_by_label("Reset main to exam 1").click()
    page.locator(".jp-Dialog").get_by_text("is undone").wait_for()
    in_lab.picture("side-bar-reset")
    page.locator(".jp-Dialog").get_by_role("button", name="Reset").click()
    in_lab.until(lambda: count(jupyter) == len(FILES))
    page.get_by_label("Forget the snapshot exam 1 of main").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Forget").click()
    page.get_by_text("No snapshot yet").wait_for()


def test_a_cohort_is_listed_and_opened_by_a_cell(in_lab: Page, jupyter: Jupyter) -> None:
    store(jupyter, *FILES)
    body = json.dumps({"name": "thin-ct", "level": "series", "expression": "Modality=CT"}).encode()
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    assert jupyter.ask("isocenter/proxy/api/cohorts", "POST", body, headers).status == 201
    in_lab.page.get_by_label("Look at the server again").click()
    row = in_lab.page.get_by_role("button", name="thin-ct").filter(has_text=re.compile(r"\d+ series"))
    row.click()
    in_lab.until(lambda: in_lab.page.locator(".jp-Notebook").count() == 1)
    in_lab.until(lambda: 'cohort = archive.cohorts["thin-ct"]\ncohort' in in_lab.code())


def test_what_is_chosen_is_searched_and_uploaded_into(in_lab: Page, jupyter: Jupyter, folder: Path) -> None:
    page = in_lab.page
    page.get_by_role("radio", name=re.compile("^lesson")).check()
    page.locator(".iso-drop", has_text="into lesson").wait_for()
    page.locator("[data-pick=folder]").set_input_files(str(folder))
    page.get_by_text("4 files stored, 1 refused, 1 left out").wait_for()
    assert count(jupyter, "lesson") == len(FILES)
    page.get_by_label("Search, a condition by keywords").fill("Modality=CT")
    page.get_by_role("button", name="Insert cell").click()
    in_lab.until(lambda: in_lab.page.locator(".jp-Notebook").count() == 1)
    in_lab.until(lambda: 'archive.dataset("lesson").series.where("Modality=CT")' in in_lab.code())
    page.get_by_role("radio", name=re.compile("^main")).check()
    page.locator(".iso-drop", has_text="into main").wait_for()
    in_lab.until(lambda: settings_of(jupyter)["dataset"] == "main")


def test_a_job_shows_how_far_it_is_and_what_it_made(in_lab: Page, jupyter: Jupyter) -> None:
    store(jupyter, *FILES)
    body = json.dumps({"Where": {"op": "equal", "path": ["Modality"], "value": "CT"}, "Filename": "ct.zip"})
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    answer = jupyter.ask("isocenter/proxy/api/tools/create-archive", "POST", body.encode(), headers)
    assert answer.status == 200, answer.body
    row = in_lab.page.locator(".iso-job", has_text="ct.zip")
    row.get_by_role("link", name="Download").wait_for()
    in_lab.picture("side-bar-job")
    with in_lab.page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "ct.zip"


def test_the_other_side_is_a_setting(opened: Callable[..., Page], jupyter: Jupyter) -> None:
    page = opened().page
    change = "values => window.jupyterapp.serviceManager.settings.save('isocenter-jupyterlab:panel', values)"
    before = settings_of(jupyter)
    page.evaluate(change, json.dumps({**before, "side": "right"}))
    page.reload()
    page.locator('.jp-SideBar.jp-mod-right [data-id="isocenter-panel"]').wait_for()
    page.evaluate(change, json.dumps({**before, "side": "left"}))


def test_a_panel_that_is_hidden_asks_for_nothing(in_lab: Page) -> None:
    in_lab.page.locator('[data-id="isocenter-panel"]').click()
    in_lab.page.locator("#isocenter-panel").wait_for(state="hidden")
    in_lab.until(in_lab.asks_no_more)
    asked = len(in_lab.asked)
    in_lab.page.locator('[data-id="isocenter-panel"]').click()
    in_lab.until(lambda: len(in_lab.asked) > asked)


def test_the_launcher_has_cards_and_a_start_notebook_finds_the_server(in_lab: Page) -> None:
    page = in_lab.page
    cards = page.locator(".jp-LauncherCard")
    cards.filter(has_text="Archive").wait_for()
    cards.filter(has_text="Start Notebook").click()
    in_lab.until(lambda: any("archive = isocenter.connect()" in cell for cell in in_lab.code()))
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".jp-CodeCell").nth(2).locator(".jp-OutputArea-output").wait_for(timeout=60_000)
    in_lab.picture("side-bar-start-notebook")
    assert page.locator('.jp-OutputArea-output[data-mime-type*="error"]').count() == 0
    assert page.locator('.jp-OutputArea-output[data-mime-type*="stderr"]').count() == 0


def test_commands_are_in_the_palette(in_lab: Page) -> None:
    page = in_lab.page
    page.evaluate("window.jupyterapp.commands.execute('apputils:activate-command-palette')")
    page.locator(".lm-CommandPalette-input").fill("isocenter")
    for label in ("Show Isocenter", "Start Notebook", "Archive", "Show the Log of the Server"):
        page.locator(".lm-CommandPalette-itemLabel", has_text=label).first.wait_for()
    page.locator(".lm-CommandPalette-itemLabel", has_text="Show the Log of the Server").click()
    page.locator(".iso-log").wait_for()
    in_lab.picture("side-bar-log")
    page.locator(".jp-Dialog").get_by_role("button", name="Close").click()


def test_sections_are_reached_and_folded_by_the_keyboard(in_lab: Page) -> None:
    page = in_lab.page
    summary = page.locator("#isocenter-panel summary", has_text="Search")
    summary.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Search, a condition by keywords").wait_for(state="hidden")
    page.keyboard.press("Enter")
    page.get_by_label("Search, a condition by keywords").wait_for()
    page.keyboard.press("Tab")
    page.wait_for_function("document.activeElement.id === 'isocenter-search'")


def test_notebook_7_shows_it_beside_its_files(opened: Callable[..., Page]) -> None:
    pytest.importorskip("notebook")
    one = opened("tree")
    one.page.get_by_role("tab", name="Isocenter").click()
    panel = one.wait_for_server()
    one.page.get_by_label("Search, a condition by keywords").fill("Modality=CT")
    one.page.locator("#isocenter-found", has_text=re.compile(r"^\d+ series$")).wait_for()
    one.picture("notebook-tab")
    with one.page.expect_popup() as popup:
        panel.get_by_role("button", name="Insert cell").click()
    made = Page(popup.value, one.pictures)
    made.until(lambda: 'archive.series.where("Modality=CT")' in made.code())
    made.close()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize(("width", "height"), [(1400, 1000), (1024, 700)])
def test_pictures_of_it(
    opened: Callable[..., Page], jupyter: Jupyter, theme: str, width: int, height: int
) -> None:
    one = opened("lab", width, height)
    one.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    one.wait_for_server()
    store(jupyter, *FILES)
    one.page.get_by_label("Search, a condition by keywords").fill("Modality in (CT, MR)")
    one.page.locator("#isocenter-found", has_text=re.compile(r"^\d+ series$")).wait_for()
    one.picture(f"side-bar-{theme.split()[-1].lower()}-{width}")
