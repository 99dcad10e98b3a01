"""The query tree: building, JSON, and what it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from predicates import instances, trees

from isocenter.dicom import predicate as p
from isocenter.errors import InvalidQuery

CT = p.Equal(("Modality",), "CT")
THIN = p.Range(("SliceThickness",), None, 2, high_open=True)


@given(trees)
def test_a_tree_travels_as_json_and_comes_back_the_same(tree):
    back = p.from_json(json.loads(json.dumps(p.to_json(tree))))
    assert back == tree
    assert hash(back) == hash(tree)


@given(trees, trees, instances)
def test_and_or_not_are_two_valued(one, other, instance):
    a, b = p.matches(one, instance), p.matches(other, instance)
    assert p.matches(one & other, instance) == (a and b)
    assert p.matches(one | other, instance) == (a or b)
    assert p.matches(~one, instance) == (not a)


def test_conjunctions_are_flat_and_drop_what_always_holds():
    assert p.And((CT, THIN, CT)) == (CT & THIN) & CT
    assert p.all_of([p.Everything(), CT]) == CT
    assert p.all_of([]) == p.Everything()
    assert p.any_of([CT, p.Everything()]) == p.Everything()
    assert ~~CT == CT


def test_a_tree_has_no_truth_value_so_that_python_and_cannot_drop_a_term():
    with pytest.raises(TypeError, match="&"):
        _ = CT and THIN
    with pytest.raises(TypeError, match="parentheses"):
        bool(CT)


def test_combining_with_something_else_is_a_type_error():
    with pytest.raises(TypeError):
        CT & "Modality"


def test_the_attributes_of_a_tree():
    tree = (
        CT
        & ~THIN
        & p.Exists(("RequestAttributesSequence",), p.IsNull(("RequestedProcedureID",)))
        & p.Exists(("ProcedureCodeSequence",), p.Everything())
        & p.DateTimeRange(("StudyDate",), ("StudyTime",), "2020", None)
        & p.Like(("PatientName",), "a*")
        & p.OneOf(("0019,X.Y,0c",), (1, 2))
    )
    assert p.attributes_of(tree) == {
        "Modality",
        "SliceThickness",
        "RequestAttributesSequence.RequestedProcedureID",
        "ProcedureCodeSequence",
        "StudyDate",
        "StudyTime",
        "PatientName",
        "0019,X.Y,0c",
    }


def test_no_query_is_everything():
    assert p.from_json(None) == p.Everything()


@pytest.mark.parametrize(
    "data",
    [
        [],
        "Modality",
        {},
        {"op": "drop table"},
        {"op": "equal", "path": "Modality", "value": "CT"},
        {"op": "equal", "path": [], "value": "CT"},
        {"op": "equal", "path": [""], "value": "CT"},
        {"op": "equal", "path": [1], "value": "CT"},
        {"op": "equal", "path": ["Modality"]},
        {"op": "equal", "path": ["Modality"], "value": None},
        {"op": "equal", "path": ["Modality"], "value": True},
        {"op": "equal", "path": ["Modality"], "value": {"a": 1}},
        {"op": "one-of", "path": ["Modality"], "values": "CT"},
        {"op": "one-of", "path": ["Modality"], "values": [None]},
        {"op": "like", "path": ["Modality"], "pattern": 5},
        {"op": "like", "path": ["Modality"], "pattern": "C*", "fold": "yes"},
        {"op": "range", "path": ["Rows"], "low": [], "high": None},
        {"op": "and", "terms": {"op": "everything"}},
        {"op": "not"},
        {"op": "exists", "path": ["ProcedureCodeSequence"]},
        {"op": "datetime-range", "date_path": ["StudyDate"], "time_path": ["StudyTime"], "low": 5},
    ],
)
def test_malformed_json_is_an_invalid_query(data):
    with pytest.raises(InvalidQuery):
        p.from_json(data)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.sampled_from(["and", "not", "equal"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["op", "path", "term", "terms", "value", "low"]), inner)
        ),
        max_leaves=10,
    )
)
def test_arbitrary_json_is_a_tree_or_an_invalid_query(data):
    try:
        assert isinstance(p.from_json(data), p.Predicate)
    except InvalidQuery:
        assert data is not None


def test_endless_nesting_is_refused_and_not_a_crash():
    data = {"op": "everything"}
    for _ in range(5000):
        data = {"op": "not", "term": data}
    with pytest.raises(InvalidQuery, match="deeper"):
        p.from_json(data)
