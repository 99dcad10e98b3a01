"""What is known of an object besides its bytes: who sent it, under which name, when.

Times are UTC microseconds and strictly increasing within a process, so that the order of arrival can be
read back from the objects alone.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from isocenter.objects.part10 import LONGEST_NAME, Provenance


@dataclass(frozen=True)
class Origin:
    """Who sends: AE titles as received, trimmed (a user's name for HTTP), and the network address."""

    source_aet: str = ""
    called_aet: str = ""
    address: str = ""


@dataclass(frozen=True)
class Announced:
    """What the sender's command said of an object before its data set came (PS3.7 9.1.1)."""

    transfer_syntax: str | None = None
    sop_class: str | None = None
    sop_instance: str | None = None
    study: str | None = None


class Clock:
    """Strictly increasing arrival times of one process."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._last = 0

    def stamp(self, origin: Origin, dataset: str) -> Provenance:
        """The provenance of an object that is complete now."""
        with self._mutex:
            self._last = received = max(self._last + 1, time.time_ns() // 1000)
        return Provenance(
            source_aet=origin.source_aet[:LONGEST_NAME],
            called_aet=origin.called_aet[:LONGEST_NAME],
            dataset=dataset,
            received=received,
        )
