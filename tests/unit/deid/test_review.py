"""Before and after of a de-identification: what is told of an attribute, which boxes are blacked out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_archive import instance

from isocenter.deid import Deidentifier, Key
from isocenter.deid.masking import covered
from isocenter.deid.outcome import Finding
from isocenter.deid.regions import Box, Mask
from isocenter.deid.review import MOST_SHOWN, Review, covering

KEY = Key(bytes(range(32)))


def reviewed(tmp_path: Path, files: Iterable[bytes], *options: str) -> dict[str, dict[str, object]]:
    """What is told of these files, by keyword."""
    setup = replace(Deidentifier(KEY, options=options).setup, shows=True)
    doing, review = setup.files(), Review()
    for number, raw in enumerate(files):
        path = tmp_path / str(number)
        path.write_bytes(raw)
        done = doing.run(path, None)
        assert done.seen is not None
        review.add(done.seen, done.findings, done.examined)
    return {str(row["name"]): row for row in review.to_json()}


def test_values_are_counted_before_and_after(tmp_path: Path) -> None:
    files = [instance(n, PatientName=name) for n, name in enumerate(("Doe^Jane", "Müller^Änne", "Doe^Jane"))]
    name = reviewed(tmp_path, files)["PatientName"]
    assert name["before"] == [{"value": "Doe^Jane", "count": 2}, {"value": "Müller^Änne", "count": 1}]
    assert (name["action"], name["tag"], name["distinct"], name["flag"]) == (
        "replace",
        "(0010,0010)",
        2,
        False,
    )
    (after,) = name["after"]  # type: ignore[misc]
    assert after["count"] == 3  # type: ignore[index]


def test_each_action_is_named_and_what_stays_is_told(tmp_path: Path) -> None:
    raw = instance(StudyTime="101112", InstitutionName="Somewhere", Manufacturer="ACME")
    rows = reviewed(tmp_path, [raw], "modified-dates")
    actions = {name: rows[name]["action"] for name in ("SOPInstanceUID", "StudyDate", "InstitutionName")}
    assert actions == {"SOPInstanceUID": "new UID", "StudyDate": "shift", "InstitutionName": "remove"}
    assert rows["InstitutionName"]["after"] == []
    assert rows["Manufacturer"]["action"] == "keep"
    assert rows["Manufacturer"]["before"] == rows["Manufacturer"]["after"] == [{"value": "ACME", "count": 1}]


def test_what_was_found_flags_its_attribute(tmp_path: Path) -> None:
    setup = replace(Deidentifier(KEY).setup, shows=True)
    path = tmp_path / "one"
    path.write_bytes(instance())
    done = setup.files().run(path, None)
    assert done.seen is not None
    review = Review()
    review.add(done.seen, [Finding("invalid-value", (0x00100020,), "is odd")])
    rows = {row["name"]: row for row in review.to_json()}
    assert (rows["PatientID"]["flag"], rows["PatientID"]["note"]) == (True, "invalid-value: is odd (1)")
    assert not rows["PatientName"]["flag"]


def test_many_values_are_counted_and_the_first_ones_shown(tmp_path: Path) -> None:
    uids = reviewed(tmp_path, [instance(n) for n in range(MOST_SHOWN + 5)])["SOPInstanceUID"]
    assert uids["distinct"] == MOST_SHOWN + 5
    assert len(uids["before"]) == MOST_SHOWN  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "mask",
    [
        Mask((Box(1, 2, 3, 4),)),
        Mask(keep=(Box(2, 3, 4, 5),)),
        Mask((Box(3, 4, 1, 1),), keep=(Box(0, 0, 5, 5), Box(8, 2, 2, 6), Box(3, 1, 4, 9))),
        Mask(keep=()),
    ],
)
def test_boxes_cover_what_is_blacked_out(mask: Mask) -> None:
    drawn = np.zeros((10, 12), bool)
    for left, top, width, height in covering(mask, 10, 12):
        drawn[top : top + height, left : left + width] = True
    assert (drawn == covered(mask, 10, 12)).all()
