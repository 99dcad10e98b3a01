"""Any predicate selects in the catalog what the reference selects: trees and instances made by chance."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from predicates import instances, trees

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.query import Engine, Scope
from isocenter.catalog.rows import RowBuilder, RowFacts
from isocenter.dicom import predicate as p
from isocenter.dicom.expression import parse
from isocenter.dicom.uids import key_of

UIDS = {"0020000D": "1.1", "0020000E": "1.1.1"}


def table(found: list[dict[str, Any]]) -> pa.Table:
    builder = RowBuilder()
    for seq, document in enumerate(found, 1):
        uids = UIDS | {"00080018": f"1.1.1.{seq}"}
        elements = {tag: element for tag, element in document.items() if tag != "_size"}
        whole = elements | {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
        keys = [key_of(uid) for uid in uids.values()]
        facts = RowFacts(seq, *keys, seq, "A", f"o{seq}", document["_size"], "")
        builder.add(facts, dict(sorted(whole.items())))
    return pa.Table.from_batches([builder.batch()])


def selected(engine: Engine, scope: Scope, tree: p.Predicate) -> list[int]:
    found = engine.query(scope, predicate=tree, columns=["_seq"]).read_all()
    return sorted(found["_seq"].to_pylist())


sized = st.builds(lambda found, size: found | {"_size": size}, instances, st.integers(-5, 5))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(sized, min_size=1, max_size=8), st.lists(trees, min_size=1, max_size=6))
def test_the_catalog_selects_what_the_reference_selects(
    engine: Engine, found: list[dict[str, Any]], asked: list[p.Predicate]
) -> None:
    scope = Scope((), table(found))
    for tree in asked:
        wanted = [seq for seq, document in enumerate(found, 1) if p.matches(tree, document)]
        assert selected(engine, scope, tree) == wanted, tree
        assert engine.count(scope, predicate=tree) == len(wanted)


NAMES = [
    "Müller^Jörg",
    "MULLER^JORG",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "O'Brien^%_",
    "ßtraße^x",
    "",
    "Doe^Jane^^Dr ",
]
PATTERNS = [
    "muller*",
    "MÜLLER^JÖRG",
    "山田*",
    "*太郎",
    "yamada^tarou",
    "o'brien^%_",
    "*^_*",
    "strasse*",
    "ß*",
    "doe^jane",
]
PATTERNS += ["*", "?üller*", "jane", "やまだ^たろう", "=", "doe^jane^^dr"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_names_of_any_script_fold_as_the_reference_folds(engine: Engine, pattern: str) -> None:
    found = []
    for name in NAMES:
        groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False))
        found.append({"00100010": {"vr": "PN", "Value": [groups]}, "_size": 1})
    scope = Scope((), table(found))
    for tree in (p.Like(("PatientName",), pattern), p.Equal(("PatientName",), pattern)):
        wanted = [seq for seq, document in enumerate(found, 1) if p.matches(tree, document)]
        assert selected(engine, scope, tree) == wanted


TRICKY: dict[str, Any] = {
    "PatientAge": ("AS", ["045Y", "006M", "99", "2Y", " 010D"]),
    "AcquisitionDateTime": ("DT", ["20200131103015.5+0100", "2020", "202001", "yesterday"]),
    "PixelSpacing": ("DS", ["0.5\\0.7", 0.3, "x"]),
    "ImageType": ("CS", ["ORIGINAL\\PRIMARY", "DERIVED"]),
    "FrameTime": ("DS", ["1.50 ", 1.5, "1e400", ""]),
    "ReferencedSamplePositions": ("UL", [4294967295, 1]),
    "FrameIncrementPointer": ("AT", ["00181063", "0018106a"]),
    "PatientComments": ("LT", ["a%b", "a_b", "a\\b", "É"]),
    "StudyTime": ("TM", ["10", "1030", "10:30:15", "103015.25", "25"]),
    "SeriesNumber": ("IS", [5, "5", "5.0", 2**40, "x"]),
}
QUESTIONS = [
    "PatientAge<010Y",
    "PatientAge=045Y",
    "PatientAge>=006M",
    "AcquisitionDateTime=2020",
    "AcquisitionDateTime>=20200131",
    "AcquisitionDateTime is null",
    "PixelSpacing<0.6",
    "PixelSpacing=0.7",
    "PixelSpacing is null",
    "ImageType=PRIMARY",
    'ImageType like "*I*"',
    "ImageType in (DERIVED, NONE)",
    "FrameTime=1.5",
    "FrameTime is not null",
    "FrameTime>1",
    "ReferencedSamplePositions>4000000000",
    "FrameIncrementPointer=00181063",
    'PatientComments like "a%*"',
    'PatientComments like "a_b"',
    'PatientComments~"é"',
    "StudyTime=10",
    "StudyTime<=1030",
    "StudyTime>10",
    "StudyTime is null",
    "SeriesNumber=5",
    "SeriesNumber in (5, 1099511627776)",
    "SeriesNumber>5",
    "SeriesNumber is null",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_odd_values_of_every_kind_are_found_as_the_reference_finds_them(
    engine: Engine, question: str
) -> None:
    from isocenter.dicom.attributes import lookup

    found = []
    for keyword, (vr, values) in TRICKY.items():
        for value in values:
            split = value.split("\\") if isinstance(value, str) and vr in ("DS", "CS") else [value]
            found.append({lookup(keyword).tag_text: {"vr": vr, "Value": split}, "_size": 1})
    tree = parse(question)
    wanted = [seq for seq, document in enumerate(found, 1) if p.matches(tree, document)]
    assert selected(engine, Scope((), table(found)), tree) == wanted


@pytest.mark.parametrize("flushed", [False, True])
def test_a_question_holds_over_files_as_over_the_tail(
    engine: Engine, catalog: Catalog, made: Any, headers: list[Any], flushed: bool
) -> None:
    batch = made(headers, 1)
    scope = Scope((), pa.Table.from_batches([batch]))
    if flushed:
        heads = catalog.append({"instances": [batch]}, seq=len(headers), heads={})
        scope = Scope(tuple(catalog.files("instances", heads["instances"])))
    for question in ("PixelSpacing>0.5", 'PatientName~"*a*"', "SourceImageSequence is not null"):
        tree = parse(question)
        wanted = [seq for seq, header in enumerate(headers, 1) if p.matches(tree, header)]
        assert selected(engine, scope, tree) == wanted
