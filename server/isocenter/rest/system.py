"""`/api/system` and `/api/statistics`: what this server is and how much it holds."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from isocenter import __version__
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything
from isocenter.http.addresses import socket_name
from isocenter.rest.handler import ApiHandler
from isocenter.security import Action

API_VERSION = 1


class System(ApiHandler):
    """Name, version and addresses; the shape is Orthanc's with fields of ours."""

    async def get(self) -> None:
        """Answer with one JSON object."""
        settings = self.context.settings
        listener = socket_name(self.request)
        datasets = [
            {"Name": name, "DicomAet": dataset.ae_title}
            for name, dataset in settings.all_datasets().items()
            if self.identity.may(Action.READ, name)
        ]
        self.write_json(
            {
                "Name": "Isocenter",
                "Version": __version__,
                "ApiVersion": API_VERSION,
                "DicomAet": settings.ae_title,
                "DicomPort": self.context.dicom_port or None,
                "HttpPort": listener[1] if listener else settings.http.port,
                "DicomWebRoot": f"{self.base_url}/dicom-web",
                "OverwriteInstances": settings.on_conflict == "replace",
                "DatabaseBackend": "PostgreSQL" if settings.index.url else "SQLite",
                "ReadOnly": False,
                "ServerIdentity": await self.context.short(_identity, settings.data),
                "Datasets": datasets,
            }
        )


def _identity(data: Path) -> str:
    """A name that this start of the server alone has, so that a page can tell whether two ways lead to it."""
    with contextlib.suppress(OSError):
        return (data / "run" / "server.lock").read_text("ascii")
    return ""


class Statistics(ApiHandler):
    """Counts and sizes of a dataset; the shape is Orthanc's."""

    async def get(self) -> None:
        """`?dataset=`: one JSON object."""
        dataset = self.dataset(self.get_query_argument("dataset", "main"))

        def measure() -> dict[str, Any]:
            counts = {level: dataset.count(level, Everything()) for level in Level}
            size = dataset.size()
            return {
                "CountPatients": counts[Level.PATIENT],
                "CountStudies": counts[Level.STUDY],
                "CountSeries": counts[Level.SERIES],
                "CountInstances": counts[Level.INSTANCE],
                "TotalDiskSize": str(size),
                "TotalDiskSizeMB": size // (1024 * 1024),
            }

        self.write_json(await self.context.long(measure))


routes = [(r"/api/system", System), (r"/api/statistics", Statistics)]
