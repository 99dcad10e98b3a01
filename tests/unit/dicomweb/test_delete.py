"""Deleting over DICOMweb: what goes, what is told of it afterwards, and who may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isocenter.security import Role

ROOT = "/dicom-web/studies/1.2.3"
INSTANCE = ROOT + "/series/1.2.3.1/instances/1.2.3.1.1"


def remove(web: Any, path: str, **options: Any) -> int:
    answer = web.web.delete(web.url + path, timeout=60, **options)
    return int(answer.status_code)


@pytest.fixture
def filled(web: Any, make: Callable[..., bytes]) -> Any:
    """Two series of two instances in one study, and another study."""
    files = [make(number, series=series) for series in ("1", "2") for number in (1, 2)]
    assert web.store(*files, make(1, study="9.9")).status_code == 200
    return web


@pytest.mark.parametrize(
    ("path", "left"),
    [(ROOT, 1), (ROOT + "/series/1.2.3.1", 3), (INSTANCE, 4)],
    ids=["study", "series", "one"],
)
def test_what_the_path_names_goes_and_nothing_else(filled: Any, path: str, left: int) -> None:
    assert remove(filled, path) == 204
    assert len(filled.search("/instances")) == left


@pytest.mark.parametrize("below", ["", "/metadata", "/frames/1", "/bulkdata?offset=1400"])
def test_what_was_deleted_is_gone(filled: Any, below: str) -> None:
    assert remove(filled, INSTANCE) == 204
    assert filled.get(INSTANCE + below).status_code == 410
    assert filled.get(INSTANCE.removesuffix("1") + "2" + "/metadata").status_code == 200


def test_a_deleted_study_is_gone_with_all_that_was_in_it(filled: Any) -> None:
    assert remove(filled, ROOT) == 204
    for path in (ROOT, ROOT + "/series/1.2.3.2", INSTANCE, ROOT + "/metadata"):
        answer = filled.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")


def test_what_never_was_is_not_found(filled: Any) -> None:
    for path in (
        "/dicom-web/studies/7.7",
        ROOT + "/series/7.7",
        INSTANCE + "7",
        "/dicom-web/studies/9.9/series/1.2.3.1",
    ):
        assert filled.get(path).status_code == 404
        assert remove(filled, path) == 404


def test_deleting_twice_says_that_it_is_gone(filled: Any) -> None:
    assert [remove(filled, INSTANCE), remove(filled, INSTANCE)] == [204, 410]


def test_stored_again_it_is_there_again(filled: Any, make: Callable[..., bytes]) -> None:
    assert remove(filled, INSTANCE) == 204
    assert filled.store(make(1)).status_code == 200
    assert filled.get(INSTANCE + "/metadata").status_code == 200


def test_it_stays_gone_when_the_catalog_has_forgotten_it(filled: Any) -> None:
    filled.main.flush()
    assert remove(filled, INSTANCE) == 204
    filled.main.flush()
    filled.main.compact(thorough=True)
    filled.main.index.writer.prune()
    assert filled.get(INSTANCE).status_code == 410


def test_the_change_log_tells_of_it(filled: Any) -> None:
    remove(filled, ROOT + "/series/1.2.3.1")
    told = [change for change in filled.main.changes(0, 100) if change.kind == "deleted"]
    assert sorted(change.SOPInstanceUID for change in told) == ["1.2.3.1.1", "1.2.3.1.2"]


def test_a_curator_may_and_a_contributor_may_not(filled: Any) -> None:
    secrets = {
        role: filled.context.tokens.create(role.value, role=role)[0]
        for role in (Role.CONTRIBUTOR, Role.CURATOR)
    }
    headers = [{"Authorization": f"Bearer {secrets[role]}"} for role in (Role.CONTRIBUTOR, Role.CURATOR)]
    assert [remove(filled, INSTANCE, headers=one) for one in headers] == [403, 204]
