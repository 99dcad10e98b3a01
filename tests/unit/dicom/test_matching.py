"""Attribute matching of PS3.4 C.2.2.2, rule by rule."""

import pytest

from isocenter.dicom import predicate as p
from isocenter.dicom.matching import C_FIND, DATE_TIME_PAIRS, QIDO, Rules, match, match_all
from isocenter.errors import InvalidValue, UnknownAttribute

NAME = ("PatientName",)


@pytest.mark.parametrize("value", ["", " ", "*", "**", "\0"])
@pytest.mark.parametrize("key", ["PatientName", "StudyDate", "StudyInstanceUID", "InstanceNumber"])
def test_universal_matching(key, value):
    assert match(key, value) == p.Everything()


@pytest.mark.parametrize(
    ("key", "value", "tree"),
    [
        ("Modality", "CT ", p.Equal(("Modality",), "CT")),
        ("00080060", "CT", p.Equal(("Modality",), "CT")),
        ("00400275.00401001", "1", p.Equal(("RequestAttributesSequence", "RequestedProcedureID"), "1")),
        ("InstanceNumber", " 007", p.Equal(("InstanceNumber",), 7)),
        ("SliceThickness", "1.50", p.Equal(("SliceThickness",), 1.5)),
        ("Rows", "512", p.Equal(("Rows",), 512)),
        ("StudyDate", "20200131", p.Equal(("StudyDate",), "20200131")),
        ("StudyDate", "2020.01.31", p.Equal(("StudyDate",), "20200131")),
        ("StudyTime", "10:30", p.Equal(("StudyTime",), "1030")),
        ("PatientAge", "045Y", p.Equal(("PatientAge",), "045Y")),
        ("PatientName", "Doe^John", p.Equal(NAME, "Doe^John")),
        ("SOPInstanceUID", "broken.UID", p.Equal(("SOPInstanceUID",), "broken.UID")),
    ],
)
def test_single_value_matching(key, value, tree):
    assert match(key, value) == tree


def test_uid_lists():
    assert match("StudyInstanceUID", "1.2\\1.3\\") == p.OneOf(("StudyInstanceUID",), ("1.2", "1.3"))
    assert match("StudyInstanceUID", "1.2,1.3", QIDO) == p.OneOf(("StudyInstanceUID",), ("1.2", "1.3"))
    assert match("StudyInstanceUID", "1.2\\1.2") == p.Equal(("StudyInstanceUID",), "1.2")


def test_wild_cards_in_text_only():
    assert match("PatientID", "A?1*") == p.Like(("PatientID",), "A?1*")
    assert match("StationName", "A*", Rules(fold_text=True)) == p.Like(("StationName",), "A*", fold=True)


@pytest.mark.parametrize("key", ["StudyDate", "StudyTime", "AcquisitionDateTime", "StudyInstanceUID"])
@pytest.mark.parametrize("value", ["2*", "?"])
def test_wild_cards_elsewhere_are_a_bad_value_that_names_the_key(key, value):
    with pytest.raises(InvalidValue, match=key):
        match(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("InstanceNumber", "1*"),
        ("SliceThickness", "thin"),
        ("StudyDate", "20201301"),
        ("StudyDate", "-"),
        ("StudyDate", "2020-2021"),
        ("StudyTime", "25-26"),
        ("PatientAge", "45"),
        ("Rows", "one"),
    ],
)
def test_a_bad_value_names_its_key(key, value):
    with pytest.raises(InvalidValue, match=key):
        match(key, value)


def test_an_unknown_key_is_told():
    with pytest.raises(UnknownAttribute):
        match("PatientNam", "x")


def test_a_name_with_any_given_name_meets_one_without():
    tree = match("PatientName", "DOE^*")
    assert p.matches(tree, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]}})
    assert p.matches(tree, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}})
    assert not p.matches(tree, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doering^Jane"}]}})


def test_fuzzy_matching_takes_words_in_any_order():
    tree = match("PatientName", "John Doe", Rules(fuzzy=True))
    assert p.matches(tree, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE^JOHNNY"}]}})
    assert not p.matches(tree, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE^JANE"}]}})


@pytest.mark.parametrize(
    ("key", "value", "low", "high"),
    [
        ("StudyDate", "20200101-20200131", "20200101", "20200131"),
        ("StudyDate", "20200101 - 20200131", "20200101", "20200131"),
        ("StudyDate", "-20200131", None, "20200131"),
        ("StudyDate", "20200101-", "20200101", None),
        ("StudyTime", "10-1130", "10", "1130"),
        ("StudyTime", "10:30:15-", "103015", None),
        ("AcquisitionDateTime", "2019-2020", "2019", "2020"),
        ("AcquisitionDateTime", "2020010110-0500-2020010210-0500", "2020010110-0500", "2020010210-0500"),
        ("AcquisitionDateTime", "-2020010210-0500", None, "2020010210-0500"),
    ],
)
def test_ranges(key, value, low, high):
    assert match(key, value) == p.Range((key,), low, high)


def test_a_hyphen_that_can_be_an_offset_is_one():
    assert match("AcquisitionDateTime", "20200101-0500") == p.Equal(("AcquisitionDateTime",), "20200101-0500")


class TestDateAndTime:
    """With combined matching (C.2.2.2.5.4) a date key and its time key are one moment."""

    def test_apart_without_negotiation(self):
        keys = {"StudyDate": "20200131-20200202", "StudyTime": "1800-0600"}
        assert match_all(keys, C_FIND) == p.And(
            (p.Range(("StudyDate",), "20200131", "20200202"), p.Range(("StudyTime",), "1800", "0600"))
        )

    @pytest.mark.parametrize(
        ("date", "time", "low", "high"),
        [
            ("20200131-20200202", "1800-0600", "202001311800", "202002020600"),
            ("20200131", "10-11", "2020013110", "2020013111"),
            ("20200131", "10", "2020013110", "2020013110"),
            ("20200131-", "10-11", "2020013110", None),
            ("20200131", "10-", "2020013110", "20200131"),
            ("-20200131", "10-11", None, "2020013111"),
        ],
    )
    def test_together(self, date, time, low, high):
        tree = match_all({"StudyDate": date, "StudyTime": time}, QIDO)
        assert tree == p.DateTimeRange(("StudyDate",), ("StudyTime",), low, high)

    def test_together_by_tag_as_well(self):
        tree = match_all({"00080020": "20200131", "00080030": "10"}, QIDO)
        assert tree == p.DateTimeRange(("StudyDate",), ("StudyTime",), "2020013110", "2020013110")

    @pytest.mark.parametrize(("date", "time"), [("20200131", ""), ("*", "10"), ("20200131", '""')])
    def test_one_alone_stays_alone(self, date, time):
        tree = match_all({"StudyDate": date, "StudyTime": time}, QIDO)
        assert p.DateTimeRange not in {type(t) for t in getattr(tree, "terms", (tree,))}

    def test_pairs_are_real_attributes(self):
        for day, moment in DATE_TIME_PAIRS.items():
            assert match(day, "20200131") != match(moment, "10")


def test_multiple_values_meet_any():
    assert match("Modality", "CT\\MR") == p.OneOf(("Modality",), ("CT", "MR"))
    assert match("PatientName", "A*\\B") == p.Or((p.Like(NAME, "A*"), p.Equal(NAME, "B")))
    assert match("Modality", "CT\\*") == p.Everything()
    assert match("Modality", "CT\\MR", Rules(multiple_values=False)) == p.Equal(("Modality",), "CT\\MR")


def test_a_backslash_in_long_text_is_text():
    assert match("PatientComments", "a\\b") == p.Equal(("PatientComments",), "a\\b")


def test_empty_value_matching_is_negotiated():
    assert match("AccessionNumber", '""', QIDO) == p.IsNull(("AccessionNumber",))
    assert match("StudyDate", '""', QIDO) == p.IsNull(("StudyDate",))
    assert match("AccessionNumber", '""', C_FIND) == p.Equal(("AccessionNumber",), '""')
    with pytest.raises(InvalidValue):
        match("StudyDate", '""', C_FIND)


class TestSequences:
    """Sequence matching (C.2.2.2.6)."""

    key = "RequestAttributesSequence"

    @pytest.mark.parametrize("value", ["", [], [{}], [{"ScheduledProcedureStepID": ""}]])
    def test_no_item_and_universal_items_match_all(self, value):
        assert match(self.key, value) == p.Everything()

    def test_one_key_of_an_item_is_a_longer_path(self):
        tree = match(self.key, [{"ScheduledProcedureStepID": "A", "RequestedProcedureID": ""}])
        assert tree == p.Equal((self.key, "ScheduledProcedureStepID"), "A")
        assert tree == match(f"{self.key}.ScheduledProcedureStepID", "A")

    def test_several_keys_meet_in_one_item(self):
        tree = match(self.key, [{"ScheduledProcedureStepID": "A", "RequestedProcedureID": "1"}])
        step, procedure = p.Equal(("ScheduledProcedureStepID",), "A"), p.Equal(("RequestedProcedureID",), "1")
        assert tree == p.Exists((self.key,), p.And((step, procedure)))

    def test_nested(self):
        tree = match(self.key, [{"RequestedProcedureCodeSequence": [{"CodeValue": "X"}]}])
        assert tree == p.Equal((self.key, "RequestedProcedureCodeSequence", "CodeValue"), "X")

    def test_text_for_a_sequence_and_items_for_text_are_bad_values(self):
        with pytest.raises(InvalidValue, match=self.key):
            match(self.key, "A")
        with pytest.raises(InvalidValue, match="Modality"):
            match("Modality", [{"ScheduledProcedureStepID": "A"}])
