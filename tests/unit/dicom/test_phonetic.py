"""Names by their sound: spellings that people confuse are one, others are not."""

from __future__ import annotations

import pytest

from isocenter.dicom.phonetic import sound_of, words_of


@pytest.mark.parametrize(
    "words",
    [
        "Meyer Maier Mayr Meier",
        "Schmidt Schmitt Smith Smyth Schmid",
        "Stephen Stefan Steven",
        "Yusuf Jusuf Youssef",
        "Müller Mueller Möller Miller",
        "Katherine Catherine Kathryn Caterina",
        "Wagner Vagner",
        "Ivanov Iwanow Ivanoff",
        "Tschaikowski Tchaikovsky",
        "Lee Li Leigh",
        "Johnson Jonsson",
        "García Garzia",
    ],
)
def test_they_sound_the_same(words: str) -> None:
    assert len({sound_of(word) for word in words_of(words)}) == 1


@pytest.mark.parametrize("words", ["Smith Jones", "Anna Jana", "Doe Roe", "Miller Milner", "Paul Pablo"])
def test_they_do_not(words: str) -> None:
    assert len({sound_of(word) for word in words_of(words)}) == 2


def test_words_of_all_components_and_groups() -> None:
    assert words_of("Yamada^Tarou=山田^太郎") == ["yamada", "tarou", "山田", "太郎"]
    assert sound_of("山田") == "山田"
