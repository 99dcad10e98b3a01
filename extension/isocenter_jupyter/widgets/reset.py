"""`DatasetReset`: the snapshots of a dataset, and the way back to one, asked twice before it is gone."""

from __future__ import annotations

import time
from html import escape
from typing import Any
from urllib.parse import quote

from isocenter.client.archive import Archive
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback


class DatasetReset(ArchiveWidget, module="reset"):
    """Takes snapshots of the archive's dataset and returns it to one.

    Args:
        archive: whose dataset; the token needs the role of a curator to reset it.
    """

    def __init__(self, archive: Archive, **traits: Any) -> None:
        if not isinstance(archive, Archive):
            raise BadRequest("Reset what?", hint="give an archive: isocenter.connect(dataset='ct-lab')")
        super().__init__(archive, **traits)

    def answers(self) -> dict[str, Any]:
        """`snapshots` lists them, `take` makes one, `reset` returns to one: each with `{"name"}`."""
        return {"snapshots": lambda _content: self._snapshots(), "take": self._take, "reset": self._reset}

    def fallback(self) -> Fallback:
        """The names of the snapshots."""
        names = ", ".join(str(one.get("name", one)) for one in self._snapshots()["snapshots"]) or "none"
        line = f"Snapshots of {self._dataset}: {names}"
        return Fallback(line, f"<p>{escape(line)}</p>")

    def _snapshots(self) -> dict[str, Any]:
        listed = self._of().transport.get(self._path("snapshots"))
        found = listed if isinstance(listed, list) else listed.get("snapshots", [])
        return {
            "dataset": self._dataset,
            "snapshots": [one if isinstance(one, dict) else {"name": one} for one in found],
        }

    def _take(self, content: Any) -> dict[str, Any]:
        with self._of().transport.post(self._path("snapshots"), {"name": str(content["name"])}):
            pass
        return self._snapshots()

    def _reset(self, content: Any) -> dict[str, Any]:
        began = time.monotonic()
        with self._of().transport.post(self._path("reset"), {"snapshot": str(content["name"])}):
            pass
        return {"seconds": time.monotonic() - began, **self._snapshots()}

    def _path(self, what: str) -> str:
        return f"/api/datasets/{quote(self._dataset)}/{what}"

    def _of(self) -> Archive:
        assert self.archive is not None
        return self.archive
