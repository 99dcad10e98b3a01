"""Recipes of de-identification as requests tell them: who may, by which key, may results leave at once.

Not here: what is done by them (`deid`), results that are held for a review.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.deid.key import Key
from isocenter.deid.key_ring import KeyRing
from isocenter.deid.recipe import DEFAULT_KEY, Recipe
from isocenter.errors import BadRequest, Conflict
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


def key_of(data: Path, recipe: Recipe) -> Key:
    """The key that a recipe names; the default one is made when it is first needed. Raises NotFound."""
    ring = KeyRing.of(data)
    if recipe.key == DEFAULT_KEY and DEFAULT_KEY not in ring.names():
        with contextlib.suppress(Conflict, BadRequest):  # somebody else just made it
            ring.make(DEFAULT_KEY)
    return ring.get(recipe.key)
