"""`/api/datasets`: the datasets, their snapshots, and the way back to one."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from isocenter.archive.view import Standing, View
from isocenter.errors import BadRequest, Conflict
from isocenter.rest.handler import ApiHandler
from isocenter.security import Action

_NAME = r"(?P<dataset>[A-Za-z0-9_-]{1,64})"
_LOOK, _LONGEST_WAIT = 0.2, 300.0
_SNAPSHOT = r"(?P<snapshot>[^/]{1,200})"


class Datasets(ApiHandler):
    """The datasets that the caller may read."""

    async def get(self) -> None:
        """A list of `{"name", "ae_title", "dicomweb"}`; of a view also how far it is, `View`."""
        answer: list[dict[str, Any]] = []
        for name, settings in self.context.settings.all_datasets().items():
            if name in self.context.archive.datasets and self.identity.may(Action.READ, name):
                root = f"{self.base_url}/dicom-web"
                answer.append(
                    {
                        "name": name,
                        "ae_title": settings.ae_title,
                        "dicomweb": root if name == "main" else f"{self.base_url}/datasets/{name}/dicom-web",
                    }
                )
                if settings.view_of:
                    view = self.context.archive.datasets[name].view
                    answer[-1]["View"] = await self.context.short(_told, view)
        self.write_json(answer)


class Refresh(ApiHandler):
    """A view brought in step with its source."""

    async def post(self, dataset: str) -> None:
        """`{"Wait", "Rebuild"}`: wait until the view has what its source has now.

        202 where it has not within `Wait` seconds (30). `Rebuild` makes it anew, which is an administrator's.
        The keeper does the work, asked or not. The answer is that of `View` in `/api/datasets`.
        """
        asked = self.fields(Wait=(int, float), Rebuild=bool) if self._body else {}
        found = self.dataset(dataset)
        view = found.view
        if view is None:
            raise Conflict(f"The dataset {dataset} is no view", hint="only a view follows another dataset")
        if asked.get("Rebuild"):
            self.identity.require(Action.ADMINISTER)
            await self.context.short(view.forget)
        until = time.monotonic() + min(max(asked.get("Wait") or 30.0, 0.0), _LONGEST_WAIT)
        wanted = await self.context.short(view.source.reader.last_change)
        while True:
            told = await self.context.short(view.standing)
            there = told.up_to is not None and told.up_to >= wanted
            if there or time.monotonic() >= until:
                break
            await asyncio.sleep(_LOOK)
        self.write_json(_to_json(told), status=200 if there else 202)


def _told(view: View | None) -> dict[str, Any]:
    return _to_json(view.standing()) if view is not None else {}


def _to_json(told: Standing) -> dict[str, Any]:
    """`UpTo` and `Behind` count lines of the source's change log; `UpTo` is null while it is first made."""
    return {
        "Of": told.of,
        "Recipe": told.recipe,
        "UpTo": told.up_to,
        "Behind": told.behind,
        "Quarantined": sum(told.kept_back.values()),
        "Reasons": told.kept_back,
    }


class Snapshots(ApiHandler):
    """The snapshots of a dataset."""

    actions: ClassVar = {"GET": Action.READ, "HEAD": Action.READ, "POST": Action.CURATE}

    async def get(self, dataset: str) -> None:
        """A list of `{"name", "time"}`, oldest first."""
        found = await self.context.short(self.dataset(dataset).snapshots)
        self.write_json([{"name": one.name, "time": one.time / 1e6} for one in found])

    async def post(self, dataset: str) -> None:
        """`{"name"}`: remember this moment."""
        name = (self.fields(name=str)["name"] or "").strip()
        if not 1 <= len(name) <= 200 or "/" in name:
            raise BadRequest("A snapshot has a name without slash, 200 characters at most")
        await self.context.long(self.dataset(dataset).snapshot, name)
        self.write_json({"name": name}, status=201)


class Snapshot(ApiHandler):
    """One snapshot."""

    actions: ClassVar = {"DELETE": Action.CURATE}

    async def delete(self, dataset: str, snapshot: str) -> None:
        """Forget it."""
        await self.context.long(self.dataset(dataset).drop_snapshot, snapshot)
        self.set_status(204)


class Reset(ApiHandler):
    """The way back."""

    actions: ClassVar = {"POST": Action.CURATE}

    async def post(self, dataset: str) -> None:
        """`{"snapshot"}`: return the dataset to it."""
        name = self.fields(snapshot=str)["snapshot"]
        if not name:
            raise BadRequest("Reset to which snapshot?", hint='{"snapshot": "exam"}')
        await self.context.long(self.dataset(dataset).reset, name)
        self.write_json({"dataset": dataset, "snapshot": name})


routes = [
    (r"/api/datasets", Datasets),
    (rf"/api/datasets/{_NAME}/refresh", Refresh),
    (rf"/api/datasets/{_NAME}/snapshots", Snapshots),
    (rf"/api/datasets/{_NAME}/snapshots/{_SNAPSHOT}", Snapshot),
    (rf"/api/datasets/{_NAME}/reset", Reset),
]
