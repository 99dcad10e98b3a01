"""Recipes of de-identification as requests tell them: who may, by which key, may results leave at once.

Not here: what is done by them (`deid`), results that are held for a review.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.deid.recipe import Recipe, key_of
from isocenter.errors import Conflict
from isocenter.rest.handler import ApiHandler
from isocenter.security import Action


def recipe_of(handler: ApiHandler, dataset: str, told: Mapping[str, Any]) -> Recipe:
    """The recipe that a request tells for results that leave at once; its key is there.

    Raises:
        BadRequest: it is no recipe.
        Conflict: results must be reviewed first.
        Forbidden: the caller may not de-identify the dataset.
        NotFound: the server has no such key.
    """
    handler.dataset(dataset, Action.DEIDENTIFY)
    recipe = Recipe.from_json(told)
    refuse_where_reviewed(handler)
    key_of(handler.context.settings.data, recipe)
    return recipe


def refuse_where_reviewed(handler: ApiHandler) -> None:
    """Raises Conflict where nothing may leave without a review."""
    if handler.context.settings.deid.review:
        raise Conflict(
            "Here somebody looks at what was de-identified before it leaves",
            hint="POST /api/deid makes what is held until it is reviewed",
        )
