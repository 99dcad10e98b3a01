"""Queries: the same answers as the reference evaluation, at every level; order, limits, totals."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from index_objects import put, series_uid, sop_uid, study_uid
from index_queries import keys_of, to_json, trees
from postgres_server import PostgresServer

from isocenter.dicom.expression import parse
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import And, Equal, Everything, Exists, Like, Not, OneOf, Or, Range, matches
from isocenter.errors import InvalidQuery, InvalidValue, UnknownAttribute
from isocenter.index import Index, open_index
from isocenter.index.columns import UPPER

ABOVE = {column.name for column in UPPER}
POPULATION = 120


class Population:
    """Instances in an index, and the same ones as DICOM JSON by SOP Instance UID."""

    def __init__(self, place: str | Path, per_study: int) -> None:
        self.index = open_index(place)
        self.json: dict[str, dict[str, object]] = {}
        self.study_of: dict[str, str] = {}
        group = []
        for seed in range(POPULATION):
            study, number = divmod(seed, per_study)
            series = number % 2
            keys = {
                **{name: text for name, text in keys_of(study).items() if name in ABOVE},
                **{name: text for name, text in keys_of(1000 + seed).items() if name not in ABOVE},
            }
            keys |= {
                name: text for name, text in keys_of(2000 + study * 2 + series).items() if _of_series(name)
            }
            group.append(put(study, series, number, **{"PatientName": "", "StudyDate": "", **_all(keys)}))
            self.json[sop_uid(study, series, number)] = to_json(group[-1].keys)
            self.study_of[sop_uid(study, series, number)] = study_uid(study)
        self.index.writer.commit(group)


def _of_series(name: str) -> bool:
    return next((column.level for column in UPPER if column.name == name), None) is Level.SERIES


def _all(keys: dict[str, str]) -> dict[str, str]:
    own = ("PatientID", "StudyTime", "Modality", "SeriesNumber", "InstanceNumber", "SOPClassUID")
    return dict.fromkeys(own, "") | keys


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def places(request, tmp_path_factory) -> Iterator:
    """Makes places for indexes that a whole module shares."""
    made = iter(range(100))
    if request.param == "sqlite":
        yield lambda: tmp_path_factory.mktemp("index") / "index.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield lambda: server.new_database(f"queries_{next(made)}")


@pytest.fixture(scope="module")
def single(places) -> Iterator[Population]:
    """Each instance alone in its study."""
    population = Population(places(), 1)
    yield population
    population.index.close()


@pytest.fixture(scope="module")
def several(places) -> Iterator[Population]:
    """Twelve instances in two series in each study; they agree about what is above them."""
    population = Population(places(), 12)
    yield population
    population.index.close()


QUICK = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestAgainstTheReference:
    @QUICK
    @given(tree=trees)
    def test_instances(self, single: Population, tree) -> None:
        if not single.index.reader.supports(tree):
            return
        wanted = {uid for uid, found in single.json.items() if matches(tree, found)}
        assert {one.SOPInstanceUID for one in single.index.reader.instances(tree)} == wanted

    @QUICK
    @given(tree=trees)
    def test_a_study_satisfies_what_some_instance_of_it_does(self, several: Population, tree) -> None:
        reader = several.index.reader
        if not reader.supports(tree):
            return
        wanted = {several.study_of[uid] for uid, found in several.json.items() if matches(tree, found)}
        assert {row["StudyInstanceUID"] for row in reader.find(Level.STUDY, tree)} == wanted
        assert reader.count(Level.STUDY, tree) == len(wanted)
        instances = {uid for uid, found in several.json.items() if matches(tree, found)}
        assert {one.SOPInstanceUID for one in reader.instances(tree)} == instances
        assert reader.count(Level.INSTANCE, tree) == len(instances)

    @QUICK
    @given(tree=trees)
    def test_what_is_not_supported_is_refused_and_never_answered_wrongly(
        self, single: Population, tree
    ) -> None:
        if not single.index.reader.supports(tree):
            with pytest.raises(InvalidValue):
                list(single.index.reader.find(Level.STUDY, tree))


class TestSupport:
    @pytest.mark.parametrize(
        "text",
        [
            "SliceThickness < 2",
            "Modality = CT and EchoTime > 3",
            "PatientName > Doe",
            "ImageType > ORIGINAL",
        ],
    )
    def test_not_for_what_only_the_catalog_answers(self, single: Population, text: str) -> None:
        assert not single.index.reader.supports(parse(text))

    def test_not_for_several_conditions_on_one_item(self, single: Population) -> None:
        inside = And((Equal(("ScheduledProcedureStepID",), "S1"), Equal(("RequestedProcedureID",), "R1")))
        assert not single.index.reader.supports(Exists(("RequestAttributesSequence",), inside))

    @pytest.mark.parametrize(
        "text",
        ["Modality = CT", "PatientName ~ 'doe*'", "ModalitiesInStudy = MR", "_size > 5", "not Modality = CT"],
    )
    def test_for_what_the_index_holds(self, single: Population, text: str) -> None:
        assert single.index.reader.supports(parse(text))


class TestLevels:
    def test_modalities_in_study_is_matched_value_by_value(self, index: Index) -> None:
        index.writer.commit([put(1, 1, 1), put(1, 2, 1, Modality="MR"), put(2, 1, 1, Modality="MRX")])
        found = [
            row["StudyInstanceUID"] for row in index.reader.find(Level.STUDY, parse("ModalitiesInStudy=MR"))
        ]
        assert found == [study_uid(1)]
        assert index.reader.count(Level.STUDY, Like(("ModalitiesInStudy",), "MR*")) == 2
        assert index.reader.count(Level.STUDY, Not(Equal(("ModalitiesInStudy",), "MR"))) == 1

    def test_the_studies_of_a_patient_can_be_asked_for_at_every_level(self, index: Index) -> None:
        index.writer.commit([put(1, PatientID="7"), put(2, PatientID="7"), put(3)])
        for level, count in ((Level.PATIENT, 1), (Level.STUDY, 2), (Level.SERIES, 2), (Level.INSTANCE, 2)):
            assert index.reader.count(level, Equal(("NumberOfPatientRelatedStudies",), 2)) == count

    def test_every_one_of_several_values_that_are_not_shown_is_matched(self, index: Index) -> None:
        index.writer.commit([put(1, 1, 1, OtherPatientIDs="A", PatientAge="030Y")])
        index.writer.commit([put(1, 1, 2, OtherPatientIDs="B\\ C D", PatientAge="040Y")])
        for predicate in (
            Equal(("OtherPatientIDs",), "C D"),
            Like(("OtherPatientIDs",), "C*D"),
            Equal(("PatientAge",), "040Y"),
            Range(("PatientAge",), "035Y", None),
        ):
            assert index.reader.count(Level.STUDY, predicate) == 1, predicate

    def test_two_conditions_below_meet_in_one_series(self, index: Index) -> None:
        index.writer.commit([put(1, 1, 1, BodyPartExamined="HEAD"), put(1, 2, 1, Modality="MR")])
        tree = And((Equal(("Modality",), "MR"), Equal(("BodyPartExamined",), "HEAD")))
        assert index.reader.count(Level.STUDY, tree) == 0
        assert index.reader.count(Level.PATIENT, tree) == 0
        assert index.reader.count(Level.PATIENT, Equal(("BodyPartExamined",), "HEAD")) == 1

    def test_an_answer_holds_its_level_and_those_above(self, index: Index) -> None:
        index.writer.commit([put(PatientWeight="70.50")])
        (row,) = index.reader.find(Level.SERIES)
        assert (row["PatientID"], row["StudyDate"], row["SeriesNumber"]) == ("P1", "20240131", 1)
        assert row["PatientWeight"] == "70.50"
        assert "SOPInstanceUID" not in row
        assert "BodyPartExamined" not in row
        (row,) = index.reader.find(Level.INSTANCE)
        assert row["_object"] == put().object
        assert row["_transfer_syntax"] == put().transfer_syntax
        assert (row["Modality"], row["_size"], row["_seq"]) == ("CT", 1001, 1)

    def test_only_the_columns_named_come_back(self, index: Index) -> None:
        index.writer.commit([put(1), put(2)])
        wanted = ["StudyInstanceUID", "NumberOfPatientRelatedStudies"]
        rows = list(index.reader.find(Level.STUDY, columns=wanted))
        assert rows == [dict(zip(wanted, (study_uid(n), 1), strict=True)) for n in (1, 2)]
        with pytest.raises(UnknownAttribute):
            list(index.reader.find(Level.STUDY, columns=["SOPInstanceUID"]))

    def test_without_relational_queries_the_keys_above_are_needed(self, index: Index) -> None:
        index.writer.commit([put()])
        with pytest.raises(InvalidQuery, match="StudyInstanceUID"):
            index.reader.find(Level.SERIES, Everything(), relational=False)
        tree = And(
            (Equal(("StudyInstanceUID",), study_uid(1)), Equal(("SeriesInstanceUID",), series_uid(1, 1)))
        )
        assert len(list(index.reader.find(Level.INSTANCE, tree, relational=False))) == 1
        assert len(list(index.reader.find(Level.STUDY, Everything(), relational=False))) == 1


class TestOrder:
    def test_is_that_of_arrival_unless_told(self, index: Index) -> None:
        for study in (3, 1, 2):
            index.writer.commit([put(study)])
        index.writer.commit([put(3, 1, 2)])
        assert [row["PatientID"] for row in index.reader.find(Level.STUDY)] == ["P3", "P1", "P2"]

    def test_by_values_with_blanks_first_and_paged(self, index: Index) -> None:
        dates = {1: "20240105", 2: "", 3: "2024.01.04", 4: "20230101"}
        index.writer.commit([put(study, StudyDate=date) for study, date in dates.items()])

        def found(direction: str, **page) -> list[str]:
            rows = index.reader.find(Level.STUDY, order=[("StudyDate", direction)], **page)
            return [row["PatientID"] for row in rows]

        assert found("asc") == ["P2", "P4", "P3", "P1"]
        assert found("desc") == ["P1", "P3", "P4", "P2"]
        assert found("desc", limit=2, offset=1) == ["P3", "P4"]
        assert found("asc", offset=3) == ["P1"]
        assert found("asc", limit=0) == []

    def test_numbers_are_ordered_as_numbers(self, index: Index) -> None:
        index.writer.commit([put(1, 1, number) for number in (10, 9, 100)])
        assert [one.InstanceNumber for one in index.reader.instances()] == [9, 10, 100]

    def test_instances_come_by_study_series_and_number(self, index: Index) -> None:
        order = [(2, 1, 5), (1, 2, 2), (2, 2, 1), (1, 2, 1), (2, 1, 4)]
        index.writer.commit([put(*place) for place in order])
        found = [one.SOPInstanceUID for one in index.reader.instances()]
        assert found == [sop_uid(*place) for place in ((2, 1, 4), (2, 1, 5), (2, 2, 1), (1, 2, 1), (1, 2, 2))]

    def test_unknown_names_and_directions_are_refused(self, index: Index) -> None:
        with pytest.raises(UnknownAttribute):
            list(index.reader.find(Level.STUDY, order=[("Rows", "asc")]))
        with pytest.raises(InvalidQuery):
            list(index.reader.find(Level.STUDY, order=[("StudyDate", "; DROP TABLE study")]))


class TestSafety:
    @pytest.mark.parametrize("text", ["' OR 1=1 --", '"; DROP TABLE study; --', "%", "_", "\\", "?", "[a-z]"])
    def test_values_are_never_part_of_a_statement(self, index: Index, text: str) -> None:
        index.writer.commit([put(1), put(2, StudyDescription=text)])
        equal = list(index.reader.find(Level.STUDY, Equal(("StudyDescription",), text)))
        assert [row["StudyInstanceUID"] for row in equal] == [study_uid(2)]
        if "?" not in text:
            like = list(index.reader.find(Level.STUDY, Like(("StudyDescription",), f"*{text}*")))
            assert [row["StudyInstanceUID"] for row in like] == [study_uid(2)]

    def test_names_are_never_part_of_a_statement(self, index: Index) -> None:
        with pytest.raises(InvalidValue):
            list(index.reader.find(Level.STUDY, Equal(('StudyDate" = 1 OR "x',), "1")))

    def test_lists_of_many_uids_are_one_query(self, index: Index) -> None:
        index.writer.commit([put(1, 1, number) for number in range(50)])
        many = tuple(sop_uid(1, 1, number) for number in range(40_000))
        assert len(index.reader.instances(OneOf(("SOPInstanceUID",), many))) == 50
        assert index.reader.count(Level.INSTANCE, OneOf(("PatientID",), ("P1", *many))) == 50

    def test_a_long_chain_of_terms_is_no_matter(self, index: Index) -> None:
        index.writer.commit([put()])
        terms = tuple(Like(("PatientID",), f"{number}*") for number in range(2000))
        assert index.reader.count(Level.STUDY, Or((*terms, Equal(("PatientID",), "P1")))) == 1

    def test_numbers_out_of_range_match_nothing(self, index: Index) -> None:
        index.writer.commit([put(InstanceNumber=str(10**30))])
        assert index.reader.count(Level.INSTANCE, Equal(("InstanceNumber",), 10**30)) == 0
        assert index.reader.count(Level.INSTANCE, Range(("InstanceNumber",), None, 10**30)) == 0


def test_a_reader_that_stops_halfway_gives_its_connection_back(index: Index) -> None:
    index.writer.commit([put(number=number) for number in range(1, 60)])
    for _ in range(50):
        answer = index.reader.find(Level.INSTANCE)
        next(answer)
        answer.close()
    assert index.reader.count(Level.INSTANCE) == 59
