"""A misspelt name in SQL is told with what was probably meant."""

import pytest

from isocenter.catalog.sql_errors import clearer, table_hint
from isocenter.errors import InvalidQuery, Timeout


def hint_of(message: str) -> str:
    return clearer(InvalidQuery(message)).hint


def test_a_column_names_the_nearest_of_the_table_then_of_the_dictionary() -> None:
    said = 'Binder Error: Referenced column "SliceThicknes" not found in FROM clause!\nCandidate bindings: '
    assert hint_of(said + '"SliceThickness", "Rows"') == "did you mean SliceThickness?"
    assert hint_of(said + '"Rows"').startswith("did you mean SliceThickness")
    assert "SliceThickness" in hint_of(
        'Binder Error: Values list "i" does not have a column named "SliceThicknes"'
    )


def test_an_attribute_that_nothing_has_is_no_misspelling() -> None:
    told = clearer(InvalidQuery('Binder Error: Referenced column "DoseCalibrationFactor" not found'))
    assert "no instance here has this attribute" in told.message
    assert "00081140" in hint_of('Binder Error: Referenced column "ReferencedImageSequence" not found')


def test_functions_and_tables() -> None:
    told = clearer(InvalidQuery('Catalog Error: Function coutn does not exist!\nDid you mean "count"?'))
    assert (told.message, told.hint) == (
        "Catalog Error: Function coutn does not exist!",
        "did you mean count?",
    )
    assert table_hint("instance", ("instances",)).startswith("did you mean instances?")
    assert table_hint("x", ("instances",)) == "tables: instances, series, studies, volumes"


@pytest.mark.parametrize(
    "error", [InvalidQuery("Parser Error: near x"), Timeout("too long"), InvalidQuery("a", hint="b")]
)
def test_other_errors_stay(error: Exception) -> None:
    assert clearer(error) is error
