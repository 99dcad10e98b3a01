"""De-identification on the fly: what makes the objects of a view, and one object for who asks for it so.

The same engine, pixel rules and second reader as `isocenter deid`, and by the same key the same data set,
under a head of the archive's. What would leave a value of the original behind is kept back, as is what the
recipe quarantines.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.dataset import Dataset

from isocenter import __version__
from isocenter.config import Settings
from isocenter.deid import _profile_table as table
from isocenter.deid.deidentifier import Deidentifier
from isocenter.deid.files import End
from isocenter.deid.key import Key
from isocenter.deid.recipe import Recipe, key_of
from isocenter.deid.verify import RESIDUAL
from isocenter.errors import BadRequest, IsocenterError
from isocenter.objects.part10 import Provenance, build_head


class OnTheFly:
    """De-identifies stored objects by a recipe and its key. Safe to use from several threads.

    Attributes:
        digest: differs where results may: recipe, key, versions of what does it.
        facts: recipe, and which key it is.
    """

    def __init__(self, recipe: Recipe, key: Key) -> None:
        self.recipe = recipe
        self._key = key
        told = recipe.to_json()
        self.facts: dict[str, Any] = {**told, "fingerprint": key.fingerprint}
        tools = [__version__, version("pydicom"), table.EDITION, table.DIGEST]
        words = json.dumps([told, key.fingerprint, tools], sort_keys=True)
        self.digest = hashlib.sha256(words.encode()).hexdigest()

    @cached_property
    def _first(self) -> Deidentifier:
        return self.recipe.deidentifier(self._key)

    @cached_property
    def _again(self) -> Deidentifier:
        """The same results, without looking whether they may leave: that was seen the first time."""
        return replace(self.recipe, ocr=False).deidentifier(self._key, verify=False)

    def make(self, source: BinaryIO, sink: BinaryIO, provenance: Provenance, *, again: bool = False) -> str:
        """Write the result into an empty file; why there is none ('' when there is).

        Args:
            source: a stored object.
            sink: an empty file that can be sought in and read.
            provenance: what its head tells.
            again: it was made before, and its digest is compared.
        """

        def head(result: Dataset, syntax: str) -> bytes:
            return build_head(str(result.SOPClassUID), str(result.SOPInstanceUID), syntax, provenance)

        done = (self._again if again else self._first).stream(source, sink, head)
        if done.end is not End.OUT:
            return done.reason
        if any(finding.kind == RESIDUAL for finding in done.findings):
            sink.seek(0)
            sink.truncate()
            return "the second reader found a value of the original in the result"
        return ""


def by_default(data: Path) -> OnTheFly:
    """What de-identifies where nobody says how: the default recipe and key of a data folder."""
    recipe = Recipe()
    return OnTheFly(recipe, key_of(data, recipe))


def of_view(settings: Settings, name: str) -> OnTheFly:
    """What makes the objects of a view.

    Raises:
        BadRequest: its recipe cannot be understood, and where it stands.
        NotFound: its key is not in the ring.
    """
    where = f"datasets.{name}.deid"
    try:
        recipe = Recipe.from_json(settings.all_datasets()[name].deid)
        return OnTheFly(recipe, key_of(settings.data, recipe))
    except BadRequest as error:
        raise BadRequest(f"Setting {where}: {error.message}", hint=error.hint) from error
    except IsocenterError as error:
        raise type(error)(f"{error.message}, which {where} names", hint=error.hint) from error
