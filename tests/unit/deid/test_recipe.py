"""A recipe says how to de-identify, by the name of a key that stays with the server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.deid import Key, KeyRing, Recipe
from isocenter.errors import BadRequest, Conflict, NotFound


def test_a_recipe_is_the_same_after_it_went_through_json() -> None:
    recipe = Recipe(
        key="study-42",
        options=("modified-dates", "clean-descriptors"),
        rules={"version": 1, "rule": [{"match": "StudyDescription", "action": "keep"}]},
        weeks=True,
    )
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_a_recipe_does_what_it_says() -> None:
    made = Recipe.from_json({"options": ["modified-dates"], "weeks": True, "faces": True}).deidentifier(
        Key(bytes(32))
    )
    assert (made.setup.window.step, made.setup.judge.faces) == (7, True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"colour": "red"}, "no 'colour'"),
        ({"weeks": 1}, "weeks of a recipe is true or false"),
        ({"options": "modified-dates"}, "options of a recipe is a list of names"),
        ({"options": ["modified-date"]}, "no option 'modified-date'"),
        ({"options": ["full-dates", "modified-dates"]}, "exclude each other"),
        ({"birth_date": "soon"}, "birth_date has no choice 'soon'"),
        ({"profile": "extra"}, "no profile 'extra'"),
        ({"rules": {"version": 7}}, "version 7"),
        ({"trial": {"PatientName": "x"}}, "PatientName is no text of a clinical trial"),
    ],
)
def test_a_recipe_that_is_wrong_says_where(told: dict[str, object], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        Recipe.from_json(told)


def test_a_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    ring = KeyRing.of(tmp_path)
    made = ring.make("study-42")
    assert ring.all() == [made]
    assert ring.get("study-42").fingerprint == made.fingerprint
    assert ring.folder.stat().st_mode & 0o077 == 0
    assert (ring.folder / "study-42.key").stat().st_mode & 0o077 == 0
    with pytest.raises(Conflict, match="already"):
        ring.make("study-42")


def test_a_key_that_somebody_brings_is_the_same_key(tmp_path: Path) -> None:
    key = Key.generate()
    key.write(tmp_path / "brought")
    assert KeyRing.of(tmp_path).take("project", tmp_path / "brought").fingerprint == key.fingerprint


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "x" * 65])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="no name of a key"):
        KeyRing.of(tmp_path).get(name)


def test_a_key_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    ring = KeyRing.of(tmp_path)
    ring.make("one")
    with pytest.raises(NotFound, match="no de-identification key 'two'") as told:
        ring.get("two")
    assert told.value.hint == "make it: `isocenter deid-key new two`; there are: one"
