"""Prometheus metrics of a server process, and their exposition over all processes of a server.

With `PROMETHEUS_MULTIPROC_DIR` set before the first import, every process keeps its numbers in files of that
folder and any of them answers for all (prometheus-client's multiprocess mode). No label carries an identifier
of a person, a study or a token.
"""

from __future__ import annotations

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

http_requests = Counter("isocenter_http_requests", "HTTP requests", ["face", "method", "status"])
http_seconds = Histogram(
    "isocenter_http_seconds", "Time from the request's headers to its end", ["face"], buckets=_SECONDS
)
http_active = Gauge("isocenter_http_active", "HTTP requests under way", multiprocess_mode="livesum")
instances_received = Counter(
    "isocenter_instances_received", "Instances received, by face and outcome", ["face", "outcome"]
)
bytes_received = Counter("isocenter_bytes_received", "Bytes of instances received", ["face"])
bytes_sent = Counter("isocenter_bytes_sent", "Bytes of instances and frames sent", ["face"])


def exposition() -> bytes:
    """The metrics of this server as Prometheus text; may read files, so call it in a thread."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_process(pid: int) -> None:
    """A process of this server is gone: what it had under way no longer counts."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
