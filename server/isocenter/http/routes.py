"""`/healthz` and `/metrics`: what supervisors and monitors ask."""

from __future__ import annotations

from isocenter import metrics
from isocenter.http.handler import Handler


class Health(Handler):
    """Whether this process answers: 200 and nothing about what it holds. Needs no credentials."""

    face = "health"
    public = True

    def get(self) -> None:
        """Say that the loop turns."""
        self.write_json({"status": "ok"})

    head = get


class Metrics(Handler):
    """Prometheus metrics of all processes of this server."""

    face = "metrics"

    async def get(self) -> None:
        """Answer in Prometheus' text format."""
        text = await self.context.short(metrics.exposition)
        self.set_header("Content-Type", metrics.CONTENT_TYPE)
        self.write(text)


routes = [(r"/healthz", Health), (r"/metrics", Metrics)]
