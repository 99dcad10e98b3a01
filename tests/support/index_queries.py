"""Instances with awkward values, as index keys and as DICOM JSON, and trees that ask about them."""

import random

from hypothesis import strategies as st

from isocenter.dicom import predicate as p
from isocenter.dicom.attributes import lookup, path_of

NAMES = [
    "Doe^John",
    "DOE^JOHN",
    "Dœ^Jöhn^^",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "[a]^*",
    "O'Neil^50%",
    "山田^太郎",
]
WORDS = ["CT", "ct", "CTA", "C[T]", "MR", "a*b?", "50%_", "É", "e", "x y"]
DATES = ["20240131", "2024.02.29", "19991231", "broken", "20241301", "2024"]
TIMES = ["10", "1015", "101530", "101530.5", "10:15:30", "235960", "nonsense", "24"]
DATETIMES = ["2024", "202401", "20240131101530.25+0100", "20240131", "never"]
NUMBERS = ["1", "01", " 5 ", "-3", "7.0", "much"]
DECIMALS = ["70", "70.0", "1e2", "-0.5", "heavy"]
AGES = ["045Y", "006M", "010D", "old"]
UIDS = ["1.2.3", "1.2.3.4", "1.2.840.10008.5.1.4.1.1.2"]

POOLS = {
    "PatientName": NAMES,
    "PatientID": [*WORDS, "P1", "P2"],
    "PatientSex": ["F", "M", "O"],
    "PatientBirthDate": DATES,
    "OtherPatientIDs": ["A\\B", "A*C\\D", "B", "A B\\ C"],
    "OtherPatientNames": ["Doe^J\\Roe^K", "Roe^Doe"],
    "StudyDate": DATES,
    "StudyTime": TIMES,
    "StudyDescription": WORDS,
    "PatientAge": AGES,
    "PatientWeight": DECIMALS,
    "ProcedureCodeSequence.CodeValue": ["T1", "T1\\T2"],
    "Modality": ["CT", "MR", "ct"],
    "SeriesNumber": NUMBERS,
    "SoftwareVersions": ["v1\\v2", "v1", "v2*"],
    "RequestAttributesSequence.ScheduledProcedureStepID": ["S1", "S1\\S2", "s1"],
    "OperatorsName": ["Doe^J\\Roe^K", "Doe^J"],
    "InstanceNumber": NUMBERS,
    "SOPClassUID": UIDS,
    "AcquisitionDateTime": DATETIMES,
    "ContentDate": DATES,
    "ContentTime": TIMES,
    "ImageType": ["ORIGINAL\\PRIMARY", "DERIVED\\PRIMARY\\MPR", "PRIMARY"],
    "Rows": ["512", "64"],
}
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def keys_of(seed: int) -> dict[str, str]:
    """Random values for some of the attributes."""
    chosen = random.Random(seed)
    some = {name: chosen.choice(pool) for name, pool in POOLS.items() if chosen.random() < 0.8}
    return {name: text if chosen.random() < 0.95 else "" for name, text in some.items()}


def to_json(keys: dict[str, str]) -> dict[str, object]:
    """The same values in the DICOM JSON model (PS3.18 F.2)."""
    found: dict[str, object] = {}
    for name, text in keys.items():
        path = path_of(name)
        if len(path) == 2:
            items = [{lookup(path[1]).tag_text: _element(path[1], one)} for one in text.split("\\")]
            found[lookup(path[0]).tag_text] = {"vr": "SQ", "Value": items}
        else:
            found[lookup(name).tag_text] = _element(name, text)
    return found


def _element(name: str, text: str) -> dict[str, object]:
    attribute = lookup(name)
    parts = text.split("\\") if attribute.multiple else [text]
    return {"vr": attribute.vr, "Value": [_value(attribute.vr, part) for part in parts]} if text else {}


def _value(vr: str, text: str) -> object:
    if vr == "PN":
        return dict(zip(GROUPS, text.split("="), strict=False))
    if vr in ("IS", "DS", "US"):
        try:
            number = float(text)
        except ValueError:
            return text
        return int(number) if number == int(number) else number
    return text


# -- trees -----------------------------------------------------------------------------------------------

ALL_TEXTS = ["PatientID", "PatientSex", "StudyDescription", "Modality", "SOPClassUID"]
MULTIPLE = ["OtherPatientIDs", "SoftwareVersions", "ImageType", "ProcedureCodeSequence.CodeValue"]
MULTIPLE += ["RequestAttributesSequence.ScheduledProcedureStepID"]
PEOPLE = ["PatientName", "OtherPatientNames", "OperatorsName"]


def _path(names):
    return st.sampled_from(names).map(path_of)


def _parts(names):
    """Values that occur, parts of them, and patterns made of them."""
    values = sorted({part for name in names for text in POOLS[name] for part in (text, *text.split("\\"))})
    return st.sampled_from(values)


def _patterns(names):
    def wild(text: str, start: int, mark: str, end: str) -> str:
        return text[:start] + mark + text[start + 1 :] + end

    marks = st.sampled_from(["*", "?", "**", ""])
    return st.builds(wild, _parts(names), st.integers(0, 4), marks, st.sampled_from(["", "*"]))


def _compared(names, folds=st.just(False)):
    values = _parts(names)
    return st.one_of(
        st.builds(p.Equal, _path(names), values, folds),
        st.builds(p.OneOf, _path(names), st.lists(values, min_size=1, max_size=3).map(tuple), folds),
        st.builds(p.Like, _path(names), _patterns(names), folds),
        st.builds(p.IsNull, _path(names)),
    )


def _ranges(names, values):
    bounds = st.tuples(st.none() | values, st.none() | values, st.booleans(), st.booleans())

    def built(path, bound):
        low, high, low_open, high_open = bound
        return p.Range(path, low, high, low_open and low is not None, high_open and high is not None)

    return st.one_of(st.builds(built, _path(names), bounds), st.builds(p.Equal, _path(names), values))


_numbers = st.sampled_from([1, 5, -3, 7, 7.0, 6.5, "5", 70, 100.0, 512])
_dates = st.sampled_from(["20240131", "20240229", "19991231", "20000101"])
_times = st.sampled_from(["10", "1015", "101530", "101530.5", "101530.500001", "23", "000000"])
_moments = st.sampled_from(
    ["2024", "202401", "20240131", "202401311015", "20240131101530.25", "19991231235959"]
)

leaves = st.one_of(
    st.just(p.Everything()),
    _compared(ALL_TEXTS, st.booleans()),
    _compared(MULTIPLE),
    _compared(PEOPLE),
    _ranges(["StudyDescription", "PatientID"], st.sampled_from(WORDS)),
    _ranges(["SeriesNumber", "InstanceNumber", "Rows", "PatientWeight"], _numbers),
    _ranges(["StudyDate", "ContentDate", "PatientBirthDate"], _dates),
    _ranges(["StudyTime", "ContentTime"], _times),
    _ranges(["AcquisitionDateTime"], _moments),
    st.builds(
        p.Range, _path(["PatientAge"]), st.sampled_from(["001Y", "010W"]), st.sampled_from(["100Y", None])
    ),
    *(
        st.builds(
            p.DateTimeRange,
            st.just((f"{of}Date",)),
            st.just((f"{of}Time",)),
            st.none() | _moments,
            st.none() | _moments,
        )
        for of in ("Study", "Content")
    ),
    st.builds(
        p.Exists,
        st.just(("RequestAttributesSequence",)),
        st.builds(p.Equal, st.just(("ScheduledProcedureStepID",)), st.sampled_from(["S1", "S2", "s1"])),
    ),
)


def _grow(children):
    terms = st.lists(children, max_size=3).map(tuple)
    return st.one_of(st.builds(p.And, terms), st.builds(p.Or, terms), st.builds(p.Not, children))


trees = st.recursive(leaves, _grow, max_leaves=6)
