"""Cohorts from a notebook, against a real server: freeze, find, compare, verify, cite."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from live_archive import instance

import isocenter
from isocenter import col
from isocenter.errors import NotFound


@pytest.fixture(scope="module")
def archive(web: Any) -> Any:
    files = [instance(n, SliceThickness=str(n)) for n in (1, 2, 3)]
    files += [instance(n, series="2") for n in (1, 2)]
    files.append(instance(1, study="1.2.4", Modality="MR", PatientName="Roe^Richard"))
    assert web.store(*files).status_code == 200
    with isocenter.connect(web.url) as one:
        yield one


def test_a_frame_is_frozen_and_found_again(archive: Any) -> None:
    made = archive.series.where(col.SliceThickness < 3).freeze("thin", description="thin slices")
    assert (made.id, made.level, made.uids, len(made)) == ("thin@1", "series", ["1.2.3.1"], 3)
    assert archive.cohorts["thin"] == made
    assert archive.cohorts["thin", 1] == archive.cohorts["thin@1"] == made
    assert "thin" in archive.cohorts
    assert "thick" not in archive.cohorts
    assert "thin" in archive.cohorts._ipython_key_completions_()
    assert made.frozen.utcoffset().total_seconds() == 0
    assert "3 instances in 1 series of 1 study" in repr(made)


def test_the_frames_of_a_cohort_answer_among_its_members(archive: Any) -> None:
    made = archive.instances.where(Modality="CT").sort(col.SliceThickness.desc()).head(2).freeze("two")
    assert sorted(made.instances.uids()) == ["1.2.3.1.2", "1.2.3.1.3"]
    assert made.series.count() == 1
    assert made.instances.where(col.SliceThickness > 2).uids() == ["1.2.3.1.3"]
    assert "cohort two@1" in repr(made.instances)
    inner = made.instances.where(InstanceNumber=3).freeze("inner")
    assert (inner.uids, inner.query["cohort"]) == (["1.2.3.1.3"], "two@1")
    assert {data.SOPInstanceUID for data in made.datasets()} == {"1.2.3.1.2", "1.2.3.1.3"}


def test_the_digest_can_be_checked_without_isocenter(archive: Any) -> None:
    made = archive.studies.freeze("all")
    lines = "".join(f"{uid}\n" for uid in sorted(archive.instances.uids()))
    assert made.digest == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    assert made.citation.endswith(made.digest)
    assert made.members("instance").to_arrow().num_rows == 6


def test_everything_that_has_instances_can_be_frozen(archive: Any) -> None:
    assert len(archive["1.2.3"].freeze("study")) == 5
    assert len(archive["1.2.3.1"].freeze("series")) == 3
    assert len(archive.cohorts.freeze("list", ["1.2.4", archive["1.2.3.2"]])) == 3
    assert len(archive.cohorts.freeze("again", archive.cohorts["study"])) == 5


def test_versions_differ(archive: Any) -> None:
    archive.instances.where(InstanceNumber=[1, 2], Modality="CT").freeze("v")
    archive.instances.where(InstanceNumber=[2, 3], Modality="CT").freeze("v")
    first, second = archive.cohorts.versions("v")
    change = first.diff(second)
    assert (change.added, change.removed, change.common) == (["1.2.3.1.3"], ["1.2.3.1.1", "1.2.3.2.1"], 2)
    assert "1 added, 2 removed, 2 in both" in repr(change)
    assert first.diff(2).told == change.told
    assert not first.diff("v@1")
    assert "1.2.3.1.3" in change._repr_html_()


def test_what_is_missing_is_told(archive: Any) -> None:
    archive.store([instance(9, study="1.2.9")], progress=False)
    made = archive.studies.where(StudyInstanceUID="1.2.9").freeze("gone")
    assert made.verify()
    archive.transport.request("DELETE", "/dicom-web/studies/1.2.9").finish()
    told = made.verify()
    assert (told.ok, told.digest, told.missing) == (False, True, 1)
    assert [row["what"] for row in made.missing().rows()] == ["missing"]
    assert "1.2.9.1.9" in made.missing()._repr_html_()
    assert "not what was frozen" in told._repr_html_()
    assert (made.instances.count(), made.uids) == (0, ["1.2.9"])


def test_pin_and_delete(archive: Any) -> None:
    made = archive.studies.freeze("kept")
    assert made.pin().pinned
    assert not made.pin(False).pinned
    made.delete()
    with pytest.raises(NotFound, match="There is no cohort 'kept'"):
        archive.cohorts["kept"]
    with pytest.raises(KeyError):
        archive.cohorts["kept"]
    assert archive.cohorts.get("kept") is None
    archive.studies.freeze("kept")
    archive.cohorts.delete("kept")
    assert "kept" not in archive.cohorts


def test_displays_mask_who_it_is_about(archive: Any) -> None:
    made = archive.studies.where(PatientName="Roe^Richard").freeze("one")
    assert "Roe" not in made._repr_html_()
    assert "sha256:" in made._repr_html_()
    assert "one" in archive.cohorts._repr_html_()
    isocenter.options.show_identifiers = True
    assert "Roe" in made._repr_html_()
