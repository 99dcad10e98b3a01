"""Rules of a leading slash: outside of sequences only; what they replace is added where it was missing."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from isocenter.deid import Deidentifier, Key
from isocenter.deid.files import End
from isocenter.deid.rules import Rule, parse_rules
from isocenter.errors import BadRequest

KEY = Key(bytes(range(32)))


def rules(*told: dict[str, str]) -> tuple[Rule, ...]:
    return parse_rules({"version": 1, "rule": list(told)}).rules


def source() -> Dataset:
    return pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))


def result(dataset: Dataset, *told: dict[str, str]) -> Dataset:
    made = Deidentifier(KEY, rules=rules(*told)).apply(dataset).dataset
    assert made is not None
    return made


def test_what_is_in_sequences_goes_by_the_profile() -> None:
    dataset, item = source(), Dataset()
    item.StudyDescription = item.CodeMeaning = "inner"
    dataset.StudyDescription = "outer"
    dataset.ProcedureCodeSequence = [item]
    made = result(dataset, {"match": "/StudyDescription", "action": "keep"})
    assert made.StudyDescription == "outer"
    assert "StudyDescription" not in made.ProcedureCodeSequence[0]


def test_what_is_replaced_is_added_where_it_was_missing() -> None:
    told = {"match": "/PatientComments", "action": "replace", "value": "of the trial"}
    assert result(source(), told).PatientComments == "of the trial"
    assert "PatientComments" not in result(source(), told, {"match": "PatientComments", "action": "remove"})
    assert "PatientComments" not in result(source(), {**told, "match": "PatientComments"})


def test_a_path_needs_no_slash() -> None:
    with pytest.raises(BadRequest, match="outside of sequences anyway"):
        rules({"match": "/ProcedureCodeSequence.CodeMeaning", "action": "keep"})


@pytest.mark.parametrize("match", ["SOPInstanceUID", "/FrameOfReferenceUID", "StudyInstanceUID"])
def test_a_uid_that_a_rule_keeps_is_no_reason_to_keep_the_object_back(match: str, tmp_path: Path) -> None:
    deid = Deidentifier(KEY, rules=rules({"match": match, "action": "keep"}))
    done = deid.file(str(get_testdata_file("CT_small.dcm")), tmp_path / "out.dcm")
    assert (done.end, done.reason) == (End.OUT, "")
    name = match.removeprefix("/")
    assert pydicom.dcmread(tmp_path / "out.dcm")[name].value == source()[name].value


def test_the_other_uids_of_the_object_still_are() -> None:
    dataset = source()
    dataset.InstanceCreatorUID = "1.2.826.0.1.3680043.8.498.1"
    told = {"match": "/InstanceCreatorUID", "action": "replace", "value": str(dataset.StudyInstanceUID)}
    raw, sink = io.BytesIO(), io.BytesIO()
    dataset.save_as(raw)
    assert Deidentifier(KEY, rules=rules(told)).stream(raw, sink).end is End.QUARANTINED
