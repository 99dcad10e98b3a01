"""The kinds of job of a de-identification, and what is made of what is asked of them.

What does them is imported when they run or are asked for: most servers start without it. Not here: routes
(`deid`).
"""

from __future__ import annotations

from typing import Any

from isocenter.errors import BadRequest
from isocenter.jobs.job import Outcome
from isocenter.jobs.kinds import Kind
from isocenter.jobs.run import Run
from isocenter.jobs.selection import SELECTION
from isocenter.rest.handler import level_of
from isocenter.rest.jobs import PREPARE, JobHandler, chosen
from isocenter.security import Action


def _deidentify(run: Run) -> Outcome:
    from isocenter.rest.deidentifying import deidentify

    return deidentify(run)


def _release(run: Run) -> Outcome:
    from isocenter.rest.releasing import release_accepted

    return release_accepted(run)


DEIDENTIFY = Kind(
    "deidentify",
    "Instances de-identified by a recipe, or looked at as they would be",
    _deidentify,
    {**SELECTION, "recipe": dict, "preview": bool, "into": str, "review": bool, "level": str},
    Action.DEIDENTIFY,
)
RELEASE = Kind(
    "release-deidentified",
    "What was de-identified and accepted leaves its job; begun by a review alone",
    _release,
    {"job": str},
    Action.CURATE,
)


def prepared(handler: JobHandler, dataset: str, told: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a de-identification: all of them, understood, for whoever may ask for it.

    Raises:
        BadRequest: a recipe or selection that is none, or results that would take the place of originals.
        Forbidden: the caller may not store in the target, or not do without a review; the target is a view.
        NotFound: no such key, cohort or dataset.
    """
    from isocenter.deid import Option, Recipe
    from isocenter.deid.recipe import key_of

    if told.get("level"):
        level_of(told["level"])  # of what Orthanc's routes name
    made = chosen(handler, dataset, told)
    recipe = Recipe.from_json(told.get("recipe", {}))
    key = key_of(handler.context.settings.data, recipe)
    preview, into = bool(told.get("preview")), told.get("into")
    if into is not None:
        handler.dataset(into, Action.STORE).require_writable()
    if into == dataset and recipe.deidentifier(key).profile.has(Option.RETAIN_UIDS):
        hint = "name another dataset, or let UIDs be new"
        raise BadRequest("Results that keep their UIDs cannot be put beside the originals", hint=hint)
    review = not preview and _is_reviewed(handler, told.get("review"))
    return {**made, "recipe": recipe.to_json(), "preview": preview, "review": review}


def _is_reviewed(handler: JobHandler, wanted: bool | None) -> bool:
    if not handler.context.settings.deid.review:
        return bool(wanted)
    if wanted is False:
        handler.identity.require(Action.ADMINISTER)
        return False
    return True


def refused(_handler: JobHandler, _dataset: str, _told: dict[str, Any]) -> dict[str, Any]:
    """Nobody asks for a release: a review does. Raises BadRequest."""
    raise BadRequest("A release is begun by a review", hint="POST /api/deid/{job}/review")


PREPARE |= {DEIDENTIFY.name: prepared, RELEASE.name: refused}
