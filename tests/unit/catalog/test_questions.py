"""What a researcher asks of the catalog, over real headers, flushed and not yet flushed alike."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.query import TOMBSTONES, Engine, Scope
from isocenter.dicom.expression import parse
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, IsNull, Like, OneOf, Range, matches
from isocenter.errors import InvalidQuery, UnknownAttribute

QUESTIONS = [
    "Modality=CT",
    "not Modality=CT",
    "Modality in (CT, MR) and not (Rows=128 or Columns>300)",
    "SliceThickness<3",
    "SliceThickness>=5",
    "PixelSpacing>0.5",
    "Rows in (128, 64, 512)",
    "ImageType=PRIMARY",
    'ImageType like "PRI*"',
    'PatientName~"*a*"',
    'PatientName="compressedsamples^ct1"',
    "PatientID is null",
    "PatientAge<010Y",
    "StudyDate>=20040101",
    "StudyDate is null",
    "StudyTime<12",
    "AcquisitionDateTime is not null",
    "RequestAttributesSequence.ScheduledProcedureStepID is not null",
    'OtherPatientIDsSequence.PatientID="ABCD1234"',
    "ConceptNameCodeSequence.CodeValue is not null",
    "ReferencedStudySequence is null",
]
PRIVATE = [
    Equal(("0009,GEMS_IDEN_01,02",), "CT01"),
    Range(("0019,GEMS_ACQU_01,04",), 1, None),
    Like(("0009,GEMS_IDEN_01,04",), "hispeed*", fold=True),
    IsNull(("0019,GEMS_ACQU_01,04",)),
    OneOf(("0043,GEMS_PARM_01,12",), (2, 99)),
]


def test_every_question_selects_what_the_reference_selects(
    engine: Engine, scope: Scope, headers: list[dict[str, Any]]
) -> None:
    for predicate in [*map(parse, QUESTIONS), *PRIVATE]:
        wanted = [seq for seq, header in enumerate(headers, 1) if matches(predicate, header)]
        found = engine.query(scope, predicate=predicate, columns=["_seq"]).read_all()
        assert sorted(found["_seq"].to_pylist()) == wanted, predicate
        assert engine.count(scope, predicate=predicate) == len(wanted), predicate


@pytest.fixture(scope="module")
def scope(headers: list[dict[str, Any]], made: Any, tmp_path_factory: pytest.TempPathFactory) -> Scope:
    """Two thirds of the headers flushed, in two files; the rest still in the tail."""
    catalog = Catalog(tmp_path_factory.mktemp("scope"))
    third = len(headers) // 3
    heads: dict[str, int] = {}
    for part in (headers[:third], headers[third : 2 * third]):
        first = 1 if not heads else third + 1
        heads = catalog.append({"instances": [made(part, first)]}, seq=first + third, heads=heads)
    tail = pa.Table.from_batches([made(headers[2 * third :], 2 * third + 1)])
    return Scope(tuple(catalog.files("instances", heads["instances"])), tail)


@pytest.mark.parametrize("level", list(Level))
def test_a_level_shows_one_row_for_each_of_its_own(engine: Engine, scope: Scope, level: Level) -> None:
    found = engine.query(scope, level).read_all()
    assert found.num_rows == engine.count(scope, level)
    if level is not Level.PATIENT:
        uids = found[level.unique_key].to_pylist()
        assert len(set(uids)) == len(uids)


def test_an_empty_patient_id_never_joins_two_studies(engine: Engine, scope: Scope) -> None:
    nobody = parse("PatientID is null")
    assert engine.count(scope, Level.PATIENT, nobody) == engine.count(scope, Level.STUDY, nobody) > 1


def test_counts_and_modalities_of_a_study(
    engine: Engine, scope: Scope, headers: list[dict[str, Any]]
) -> None:
    columns = ["StudyInstanceUID", "ModalitiesInStudy", "NumberOfStudyRelatedInstances", "_size"]
    several = parse("NumberOfStudyRelatedInstances > 2")
    found = engine.query(scope, Level.STUDY, several, columns=columns).read_all().to_pylist()
    assert found
    for row in found:
        own = [h for h in headers if h["0020000D"]["Value"] == [row["StudyInstanceUID"]]]
        assert row["NumberOfStudyRelatedInstances"] == len(own) > 2
        modalities = {m for h in own for m in h["00080060"].get("Value", [])}
        assert row["ModalitiesInStudy"] == sorted(modalities)


def test_a_deleted_instance_is_gone_unless_it_came_again(
    engine: Engine, made: Any, headers: list[dict[str, Any]]
) -> None:
    header = headers[0]
    again = pa.Table.from_batches([made([header], 5), made([header], 9)])
    key, uid = again["_sop_key"][0].as_py(), header["00080018"]["Value"][0]
    dead = pa.table({"sop_key": [key], "uid": [uid], "seq": [7]}, schema=TOMBSTONES)
    seqs = engine.query(Scope((), again, dead), columns=["_seq"]).read_all()["_seq"].to_pylist()
    assert seqs == [9]


def test_a_tombstone_of_another_uid_with_the_same_key_kills_nothing(
    engine: Engine, made: Any, headers: list[dict[str, Any]]
) -> None:
    tail = pa.Table.from_batches([made(headers[:1], 1)])
    key = tail["_sop_key"][0].as_py()
    dead = pa.table({"sop_key": [key], "uid": ["1.2.3"], "seq": [7]}, schema=TOMBSTONES)
    assert engine.count(Scope((), tail, dead)) == 1


def test_any_attribute_can_be_a_column(engine: Engine, scope: Scope) -> None:
    columns = ["PatientName", "OtherPatientIDsSequence.PatientID", "0009,GEMS_IDEN_01,02", "Exposure"]
    one = parse('PatientName="CompressedSamples^CT1"')
    row = engine.query(scope, predicate=one, columns=columns).read_all().to_pylist()
    assert row == [
        {
            "PatientName": "CompressedSamples^CT1",
            "OtherPatientIDsSequence.PatientID": ["ABCD1234", "1234ABCD"],
            "0009,GEMS_IDEN_01,02": "CT01",
            "Exposure": 170,
        }
    ]


def test_pages_are_disjoint_and_in_the_order_asked_for(engine: Engine, scope: Scope) -> None:
    order = [("StudyDate", "desc")]
    whole = engine.query(scope, columns=["StudyDate", "_seq"], order=order).read_all()
    dates = [date for date in whole["StudyDate"].to_pylist() if date]
    assert dates == sorted(dates, reverse=True)
    pages = [
        engine.query(scope, columns=["_seq"], order=order, limit=7, offset=start)
        .read_all()["_seq"]
        .to_pylist()
        for start in range(0, whole.num_rows, 7)
    ]
    assert [seq for page in pages for seq in page] == whole["_seq"].to_pylist()


def test_a_misspelt_column_names_the_nearest(engine: Engine, scope: Scope) -> None:
    with pytest.raises(UnknownAttribute, match="SliceThickness"):
        engine.query(scope, columns=["SliceThicknes"])
    with pytest.raises(InvalidQuery):
        engine.query(scope, columns=["_seq"], order=[("_seq", "; DROP TABLE x")])


def test_a_value_of_the_wrong_form_is_found_where_the_reference_finds_it(engine: Engine, made: Any) -> None:
    headers = [_broken({"00080060": {"vr": "CS", "Value": ["CT", "MR"]}}, "1.1")]
    headers += [_broken({"00080020": {"vr": "DA", "Value": ["yesterday"]}}, "1.2")]
    tail = pa.Table.from_batches([made(headers, 1)])
    for question, seqs in (("Modality=MR", [1]), ("StudyDate is null", [1]), ("not Modality=MR", [2])):
        predicate = parse(question)
        assert [n for n, h in enumerate(headers, 1) if matches(predicate, h)] == seqs
        found = engine.query(Scope((), tail), predicate=predicate, columns=["_seq"]).read_all()
        assert found["_seq"].to_pylist() == seqs


def _broken(element: dict[str, Any], uid: str) -> dict[str, Any]:
    uids = {tag: {"vr": "UI", "Value": [uid]} for tag in ("0020000D", "0020000E", "00080018")}
    return uids | element


@pytest.mark.parametrize("level", list(Level))
def test_an_empty_dataset_has_no_rows_at_any_level(engine: Engine, level: Level) -> None:
    nothing = Scope()
    assert engine.count(nothing, level, parse("SliceThickness<2 and PatientName~doe")) == 0
    assert engine.query(nothing, level).read_all().num_rows == 0
    assert engine.query(nothing, level, columns=["PatientID", "Rows", "_size"]).read_all().num_rows == 0


def test_one_odd_value_among_many_does_not_make_others_slow_to_find(engine: Engine, made: Any) -> None:
    """The odd value is beside its column: the JSON of all rows is not read for its sake."""
    found = made([_broken({"00080020": {"vr": "DA", "Value": ["00000000"]}}, "1.9")], 1)
    assert list(dict(found["_unconverted"].to_pylist()[0])) == ["StudyDate"]
    scope = Scope((), pa.Table.from_batches([found]).drop_columns(["json"]))
    assert engine.count(scope, predicate=parse("StudyDate=20200101")) == 0
    assert engine.count(scope, predicate=parse("StudyDate is null")) == 0


def test_many_may_ask_at_once(engine: Engine, scope: Scope, headers: list[dict[str, Any]]) -> None:
    questions = [
        parse(text) for text in ('PatientName~"*a*"', "RequestAttributesSequence is null", "Rows>100")
    ] * 8
    wanted = [sum(matches(question, header) for header in headers) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda question: engine.count(scope, predicate=question), questions)) == wanted


def test_an_answer_that_nobody_reads_to_its_end_harms_nothing(engine: Engine, scope: Scope) -> None:
    reader = engine.query(scope, columns=["_seq"])
    reader.read_next_batch()
    del reader
    unread = engine.query(scope, columns=["_seq"])
    del unread
    assert engine.count(scope) > 0
