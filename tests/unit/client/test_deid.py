"""De-identifying from a notebook, against a real server with a runner: plans, previews, reviews, exports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from live_archive import LiveArchive, serving
from pydicom.uid import SecondaryCaptureImageStorage

import isocenter
from isocenter.app import in_job_process
from isocenter.client.recipe import CHOICES, FIELDS, OPTIONS, recipe
from isocenter.datasets.phantoms import Subject, ct
from isocenter.deid import BirthDate, Documents, Option, Recipe, Times, Uncleared
from isocenter.deid.profile import option_of
from isocenter.errors import BadRequest, Conflict, NotFound
from isocenter.jobs.executor import Runner

NAME, NUMBER = "Hounsfield^Godfrey", "PHANTOM-1"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveArchive]:
    """A server with a dataset for results."""
    with serving(tmp_path_factory.mktemp("deid") / "data") as start:
        yield start(datasets={"research": {"ae_title": "RESEARCH"}})


@pytest.fixture(scope="module")
def archive(web: LiveArchive) -> Iterator[Any]:
    """Three slices of a head, one of which is a screen shot that nobody cleared."""
    images = list(ct(Subject(PatientID=NUMBER, PatientName=NAME), slices=3, size=16))
    images[2].SOPClassUID = images[2].file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    images[2].ConversionType = "WSD"
    runner = Runner(web.context.settings, in_job_process)
    with isocenter.connect(web.url) as one:
        one.store(images, progress=False).raise_for_failures()
        runner.start()
        yield one
        runner.stop()


@pytest.fixture(scope="module")
def cohort(archive: Any) -> Any:
    return archive.series.freeze("heads")


@pytest.fixture(scope="module")
def previewed(cohort: Any) -> Any:
    return cohort.deidentify(options=["modified-dates"]).preview(progress=False)


@pytest.fixture
def held(cohort: Any) -> Any:
    return cohort.deidentify(review=True).run().wait(False)


# -- what is wrong is told before anything runs


def test_options_and_choices_are_those_of_the_server() -> None:
    assert {option_of(name) for name in OPTIONS} == set(Option)
    kinds = {"birth_date": BirthDate, "times": Times, "documents": Documents, "pixels": Uncleared}
    for name, kind in kinds.items():
        assert CHOICES[name] == tuple(kind)
    own = {"key", "profile", "options", "rules"}
    assert own | set(FIELDS) == set(Recipe().to_json())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"options": ["modifed-dates"]}, "did you mean modified-dates"),
        ({"options": "clean-pixel-dat"}, "did you mean clean-pixel-data"),
        ({"profile": "basik"}, "did you mean basic"),
        ({"birth_date": "yaer"}, "did you mean year"),
        ({"pixel": "keep"}, "did you mean pixels"),
    ],
)
def test_a_slip_is_told_with_what_was_meant(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        recipe(**asked)
    assert said in caught.value.hint


@pytest.mark.parametrize(
    "name", ["modified-dates", "Retain Long Modified Dates", "retain_long_modified_dates"]
)
def test_an_option_may_be_written_as_the_standard_does(name: str) -> None:
    assert recipe(options=[name])["options"] == ["modified-dates"]


def test_rules_are_a_file_or_a_dictionary(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text('version = 1\n[[rule]]\nmatch = "StudyDescription"\naction = "keep"\n')
    rules = {"version": 1, "rule": [{"match": "StudyDescription", "action": "keep"}]}
    assert recipe(rules=path)["rules"] == recipe(rules=rules)["rules"] == rules
    with pytest.raises(NotFound, match="no file of rules"):
        recipe(rules=tmp_path / "none.toml")
    path.write_text("[[rule]\n")
    with pytest.raises(BadRequest, match="cannot be read as rules"):
        recipe(rules=path)


def test_a_plan_does_nothing_yet_and_says_what_it_would_do(archive: Any) -> None:
    before = len(archive.jobs)
    plan = archive.series.where(PatientID=NUMBER).deidentify(options=["modified-dates"], key="study-42")
    assert repr(plan) == (
        "<Plan to de-identify series of 'main': PatientID = \"•••\": basic, modified-dates; key study-42>"
    )
    assert "plan.preview()" in plan._repr_html_()
    assert NUMBER not in plan._repr_html_()
    assert len(archive.jobs) == before


# -- keys


def test_keys_are_made_and_told_by_name(archive: Any) -> None:
    made = archive.deid.new_key("study-7")
    keys = archive.deid.keys()
    assert made in keys
    assert made.fingerprint in keys._repr_html_()
    with pytest.raises(Conflict, match="study-7"):
        archive.deid.new_key("study-7")


def test_a_key_that_is_missing_is_told_with_how_it_is_made(cohort: Any) -> None:
    with pytest.raises(NotFound, match="study-42") as caught:
        cohort.deidentify(key="study-42").preview(progress=False)
    assert "deid-key new study-42" in caught.value.hint


# -- looked at before it is done


def test_a_preview_tells_what_would_be_done_and_makes_nothing(previewed: Any, archive: Any) -> None:
    run = previewed.previewed
    assert run.counts == {"in": 3, "out": 2, "quarantined": 1, "skipped": 0, "rejected": 0}
    assert (run.is_preview, run.verdict) == (True, "none")
    assert "3 in = 2 out + 1 quarantined" in previewed._repr_html_()
    with pytest.raises(BadRequest, match="A preview has no results"):
        run.download("nowhere")
    assert archive.instances.count() == 3


def test_its_report_has_values_and_shows_none(previewed: Any) -> None:
    report = previewed.report()
    named = {one["name"]: one for one in report["attributes"]}
    assert NAME in str(named["PatientName"]["before"])
    assert [one["reason"] for one in report.quarantined]
    for shown in (repr(report), report._repr_html_()):
        assert NAME not in shown
        assert NUMBER not in shown


def test_its_summary_is_signed_and_identifies_nobody(previewed: Any) -> None:
    summary = previewed.summary
    assert summary.counts["out"] == 2
    assert sum(summary.quarantine.values()) == 1
    assert "signatures" in summary
    assert NAME not in str(dict(summary)) + summary._repr_html_()
    assert "why quarantined" in summary._repr_html_()


def test_progress_counts_instances(cohort: Any) -> None:
    seen: list[tuple[int, int]] = []
    cohort.deidentify().preview(lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)


@pytest.mark.parametrize(
    "source", ["cohort", "members", "series", "instances", "study", "instance", "uids", "patient", "limited"]
)
def test_anything_that_has_instances_is_de_identified(archive: Any, cohort: Any, source: str) -> None:
    study = archive.studies[0]
    uids = archive.instances.uids()
    given, number = {
        "cohort": (cohort, 3),
        "members": (cohort.series, 3),
        "series": (archive.series.where(Modality="CT"), 3),
        "instances": (archive.instances.where(InstanceNumber=1), 1),
        "study": (study, 3),
        "instance": (study.instances[0], 1),
        "uids": (uids[:2], 2),
        "patient": (archive.patients[0], 3),
        "limited": (archive.instances.head(2), 2),
    }[source]
    plan = archive.deidentify(given).preview(progress=False)
    assert plan.previewed.counts["in"] == number


def test_what_is_not_there_is_told(archive: Any) -> None:
    with pytest.raises(BadRequest, match="nothing to de-identify"):
        archive.series.where(Modality="PT").deidentify().preview(progress=False)
    with pytest.raises(NotFound):
        archive.deidentify(["1.2.3.4"]).preview(progress=False)
    with pytest.raises(BadRequest, match="another archive or dataset"):
        archive.dataset("other").deidentify(archive.series).preview(progress=False)


# -- done


def test_without_a_review_results_are_downloaded_at_once(cohort: Any, tmp_path: Path) -> None:
    done = cohort.export(tmp_path, deidentify=cohort.deidentify(options=["modified-dates"]), progress=False)
    images = [pydicom.dcmread(path) for path in done.objects]
    assert len(images) == 2
    assert {image.PatientIdentityRemoved for image in images} == {"YES"}
    content = b"".join(path.read_bytes() for path in done.paths)
    assert b"Hounsfield" not in content
    assert NUMBER.encode() not in content
    assert f"{len(done)} files" in repr(done)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(done.paths)


def test_results_that_are_held_leave_when_they_are_accepted(held: Any, archive: Any, tmp_path: Path) -> None:
    assert held.verdict == "pending"
    with pytest.raises(Conflict, match="held until somebody") as caught:
        held.download(tmp_path, progress=False)
    assert f'archive.deid["{held.id[:8]}"]' in caught.value.hint
    assert "run.accept()" in caught.value.hint
    again = archive.deid[held.id[:8]]
    one = held.report()["images"][0]["id"]
    assert again.accept(rejected=[one], decisions={one: "rejected"}).verdict == "accepted"
    assert again.counts["rejected"] == 1
    done = again.download(tmp_path, progress=False)
    assert len(done.objects) == 1
    assert "accepted" in again._repr_html_()


def test_results_go_into_another_dataset(cohort: Any, archive: Any, tmp_path: Path) -> None:
    run = cohort.deidentify(into="research", review=True).run().wait(False)
    with pytest.raises(Conflict, match="held until somebody"):
        _ = run.archive
    run.accept().wait(False)
    there = run.archive
    assert there.dataset_name == run.into == "research"
    assert there.instances.count() == 2
    assert NUMBER not in there.patients["PatientID"]
    with pytest.raises(BadRequest, match="went into the dataset 'research'"):
        run.download(tmp_path, progress=False)
    assert "are in the dataset research" in run._repr_html_()


def test_a_verdict_is_given_once(held: Any, tmp_path: Path) -> None:
    held.reject()
    with pytest.raises(Conflict, match="rejected"):
        held.download(tmp_path, progress=False)
    with pytest.raises(Conflict):
        held.accept()


def test_an_export_that_waits_for_a_review_goes_on_after_it(cohort: Any, tmp_path: Path) -> None:
    plan = cohort.deidentify(review=True)
    with pytest.raises(Conflict, match="held"):
        cohort.export(tmp_path, deidentify=plan, progress=False)
    plan.latest.accept()
    first = plan.latest
    assert len(cohort.export(tmp_path, deidentify=plan, progress=False)) > 2
    assert plan.latest == first


def test_what_is_over_is_waited_for_without_a_word(held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.client.progress.choose", lambda: pytest.fail("a bar is shown"))
    held.wait()


def test_the_report_is_a_page(held: Any, tmp_path: Path) -> None:
    page = held.report_html()
    assert page.startswith("<!doctype html>")
    assert NAME not in page
    assert "sandbox" in page._repr_html_()
    assert page.save(tmp_path / "report.html").read_text() == page


def test_runs_are_listed_and_found(held: Any, archive: Any) -> None:
    assert archive.deid.runs[0] == held
    assert archive.deid[0] == archive.deid[held.id]
    assert held.id[:8] in archive.deid.runs._repr_html_()
    assert "review pending" in repr(held)


def test_a_run_is_reviewed_as_a_table_where_there_is_no_widget(
    held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.client.display.shows.entry_points", lambda **_: [])
    html = held.review()._repr_html_()
    assert "PatientName" in html
    assert NAME not in html


# -- originals


def test_originals_are_exported_as_they_are(cohort: Any, tmp_path: Path) -> None:
    done = cohort.export(tmp_path / "out", progress=False)
    sums = {hashlib.sha256(path.read_bytes()).hexdigest() for path in done.paths}
    assert len(sums) == 3
    assert {pydicom.dcmread(path).PatientID for path in done.paths} == {NUMBER}
    again = cohort.export(tmp_path / "out", progress=False)
    assert again.present == 3
    done.paths[0].write_bytes(b"mine")
    with pytest.raises(BadRequest, match="1 other files"):
        cohort.export(tmp_path / "out", progress=False)
    assert cohort.export(tmp_path / "out", overwrite=True, progress=False).present == 2


@pytest.mark.parametrize(
    ("format", "said"), [("nifti", "is not there yet"), ("dicm", "did you mean dicom"), ("xyz", "format=")]
)
def test_a_format_that_is_not_there_is_told(archive: Any, tmp_path: Path, format: str, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        archive.series.export(tmp_path / "out", format)
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_plan_is_no_dictionary(archive: Any, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="dict is no plan"):
        archive.series.export(tmp_path, deidentify={"profile": "basic"})
