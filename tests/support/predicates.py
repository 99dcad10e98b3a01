"""Hypothesis strategies for predicate trees that a user could write, and instances to try them on."""

from hypothesis import strategies as st

from isocenter.dicom import predicate as p

TEXTS = ["Modality", "PatientID", "SeriesDescription"]
NUMBERS = ["SliceThickness", "InstanceNumber"]

words = st.text("abcDEÉ *?\"'^1-", min_size=1, max_size=6).filter(lambda text: text.strip() == text)
numbers = st.one_of(st.integers(-5, 5), st.floats(-5, 5))
dates = st.dates().map(lambda day: f"{day:%Y%m%d}".zfill(8))
times = st.times().map(lambda moment: f"{moment:%H%M%S}")


def _paths(names):
    return st.sampled_from(names).map(lambda name: (name,))


def _leaves_of(names, value):
    path = _paths(names)
    bound = st.none() | value
    ranges = st.builds(p.Range, path, bound, bound, st.booleans(), st.booleans())
    return st.one_of(
        st.builds(p.Equal, path, value),
        st.builds(p.OneOf, path, st.lists(value, min_size=1, max_size=3).map(tuple)),
        ranges.filter(
            lambda r: (r.low is not None or not r.low_open) and (r.high is not None or not r.high_open)
        ),
        st.builds(p.IsNull, path),
    )


_datetimes = st.builds(lambda day, time: day + time, dates, times)
leaves = st.one_of(
    st.just(p.Everything()),
    _leaves_of(TEXTS, words),
    _leaves_of(NUMBERS, numbers),
    _leaves_of(["StudyDate"], dates),
    _leaves_of(["StudyTime"], times),
    _leaves_of(["_size"], numbers),
    st.builds(p.Like, _paths([*TEXTS, "PatientName"]), words, st.booleans()),
    st.builds(p.Equal, _paths(["PatientName"]), words),
    st.builds(
        p.DateTimeRange,
        st.just(("StudyDate",)),
        st.just(("StudyTime",)),
        st.none() | _datetimes,
        st.none() | _datetimes,
    ),
    st.builds(
        p.Exists,
        st.just(("RequestAttributesSequence",)),
        st.builds(p.Equal, _paths(["RequestedProcedureID"]), words) | st.just(p.Everything()),
    ),
)


def _grow(children):
    terms = st.lists(children, max_size=3).map(tuple)
    return st.one_of(st.builds(p.And, terms), st.builds(p.Or, terms), st.builds(p.Not, children))


trees = st.recursive(leaves, _grow, max_leaves=8)


def _element(vr, values):
    return st.fixed_dictionaries(
        {"vr": st.just(vr)}, optional={"Value": st.lists(values, min_size=1, max_size=2)}
    )


_plain_items = {
    "00400009": _element("SH", words),
    "00401001": _element("SH", words),
}
instances = st.fixed_dictionaries(
    {},
    optional={
        "00080060": _element("CS", words),
        "00100020": _element("LO", words),
        "0008103E": _element("LO", words),
        "00180050": _element("DS", numbers),
        "00200013": _element("IS", st.integers(-5, 5)),
        "00080020": _element("DA", dates),
        "00080030": _element("TM", times),
        "00100010": _element("PN", st.fixed_dictionaries({"Alphabetic": words})),
        "00400275": _element("SQ", st.fixed_dictionaries({}, optional=_plain_items)),
        "_size": numbers,
    },
)
