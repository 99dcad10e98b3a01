"""`/api/datasets`: the datasets, their snapshots, and the way back to one."""

from __future__ import annotations

from typing import ClassVar

from isocenter.errors import BadRequest
from isocenter.rest.handler import ApiHandler
from isocenter.security import Action

_NAME = r"(?P<dataset>[A-Za-z0-9_-]{1,64})"
_SNAPSHOT = r"(?P<snapshot>[^/]{1,200})"


class Datasets(ApiHandler):
    """The datasets that the caller may read."""

    async def get(self) -> None:
        """A list of `{"name", "ae_title", "dicomweb"}`."""
        answer = []
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
        self.write_json(answer)


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
    (rf"/api/datasets/{_NAME}/snapshots", Snapshots),
    (rf"/api/datasets/{_NAME}/snapshots/{_SNAPSHOT}", Snapshot),
    (rf"/api/datasets/{_NAME}/reset", Reset),
]
