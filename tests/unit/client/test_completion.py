"""Completion: keywords of `where`, columns and UIDs between quotes; quick, and silent about what fails."""

import threading
import time

import pytest

import isocenter
from isocenter.client.completion import complete
from isocenter.client.known import Known, in_order
from isocenter.dicom.levels import Level


@pytest.fixture
def names(archive):
    return {"archive": archive, "ct": archive.series.where(Modality="CT"), "isocenter": isocenter, "x": 5}


@pytest.mark.parametrize(
    ("text", "typed", "wanted"),
    [
        ("archive.series.where(Mod", "Mod", "Modality="),
        ("y = archive.series.where(", "", "Modality="),
        ('archive.series.where(Modality="CT", Sl', "Sl", "SliceThickness="),
        (
            'archive.series.where(Modality="CT").where(isocenter.col.Rows > (3 + 1), Sl',
            "Sl",
            "SliceThickness=",
        ),
        ('archive.series.where("Modality=CT and Sl', "Sl", "SliceThickness"),
        ('ct["sl', "sl", "SliceThickness"),
        ("ct['Series", "Series", "SeriesNumber"),
        ('ct.select("PatientID", "St', "St", "StudyDate"),
        ("ct.group_by(['PatientID', 'St", "St", "StudyDate"),
        ('archive.series.where(Modality="CT").sort("', "", "SeriesNumber"),
        ("ct.where(isocenter.col.SliceTh", "SliceTh", "SliceThickness"),
        ("isocenter.col.DoseCalib", "DoseCalib", "DoseCalibrationFactor"),
    ],
)
def test_what_may_follow(names, text, typed, wanted):
    found = complete(text, names)
    assert found is not None
    assert found[0] == typed
    assert wanted in found[1]


def test_columns_of_this_archive_come_first(names):
    _, found = complete('ct["', names)
    assert found[:2] == ["SeriesInstanceUID", "Modality"]
    assert found[-1] in ("_size", "1.2.9.9") or found[-1].startswith("1.")
    _, keywords = complete("isocenter.col.S", names)
    assert keywords.index("SliceThickness") < keywords.index("SOPClassUID")


def test_uids_that_begin_so(names):
    _, found = complete('archive.series["1.2.3', names)
    assert found
    assert all(uid.startswith("1.2.3") for uid in found)


@pytest.mark.parametrize(
    "text", ["x.where(", "unknown['", "print(", 'open("', "archive.store(", "ct.where(Rows=", ""]
)
def test_what_is_not_ours_is_left_alone(names, text):
    found = complete(text, names)
    assert found is None or found[1] == []


def test_a_server_that_is_gone_or_slow_is_no_error(names, server, archive):
    server.routes.clear()
    assert "Modality=" in complete("archive.series.where(", names)[1]
    assert complete('archive.series["1.', names)[1] == []

    late = threading.Event()

    def slow(*_):
        assert late.wait(60)
        return 200, "application/json", b'[{"name": "SliceThickness"}]'

    server.routes["/api/tables/columns"] = slow
    known = Known(wait=0.01)
    assert "SliceThickness" not in known.columns(archive.series)
    late.set()
    while "SliceThickness" not in known.columns(archive.series):
        time.sleep(0.01)


def test_one_question_serves_many_keys(names, server):
    for end in ("", "M", "Mo", "Mod"):
        complete(f"archive.instances.where({end}", names)
    assert sum("columns" in path for _, path, *_ in server.requests) <= 1


def test_own_columns_come_last():
    names = in_order(Level.STUDY, ["_size", "json", "KVP", "StudyDate", "PatientID"])
    assert names.index("StudyDate") < names.index("PatientID") < names.index("KVP") < names.index("_size")


def test_ipython_asks_us(names):
    shells = pytest.importorskip("IPython.core.interactiveshell")
    completer = pytest.importorskip("IPython.core.completer")
    shell = shells.InteractiveShell.instance()
    try:
        isocenter.connect(names["archive"].url).close()
        isocenter.connect(names["archive"].url).close()
        assert sum(getattr(one, "is_isocenter", False) for one in shell.Completer.custom_matchers) == 1
        shell.user_ns.update(names)
        with completer.provisionalcompleter():
            found = list(shell.Completer.completions("archive.series.where(Mod", 24))
        assert [(one.text, one.start, one.end) for one in found] == [("Modality=", 21, 24)]
    finally:
        shells.InteractiveShell.clear_instance()
