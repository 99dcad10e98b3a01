"""What completion may offer: the columns and UIDs of an archive, remembered for seconds.

Asked in a thread that nobody waits for longer than a moment: what comes too late is there for the next key.
Nothing here raises. Not here: where in a text something is to be completed (`completion`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from isocenter.dicom.attributes import COMPUTED, INDEX
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Everything, Like, Predicate, to_json

_SECONDS = 20.0
_WAIT = 0.6
_MOST_UIDS = 30
_REMEMBERED = 256


class Asked(Protocol):
    """What can be asked: a frame, or something that stands for one."""

    @property
    def transport(self) -> Any:
        """To the server."""

    @property
    def dataset(self) -> str:
        """Which."""

    @property
    def level(self) -> Level:
        """What a row is."""


class Known:
    """Remembers answers by question. Safe for threads."""

    def __init__(self, wait: float = _WAIT, seconds: float = _SECONDS) -> None:
        self._wait, self._seconds = wait, seconds
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, ...], tuple[float, list[str]]] = {}
        self._asking: dict[tuple[str, ...], threading.Thread] = {}

    def columns(self, frame: Asked) -> list[str]:
        """The columns of an archive at a level: those of the index first, ours last.

        Those of the index alone as long as the answer is not here.
        """

        def ask() -> list[str]:
            told = frame.transport.get("/api/tables/columns", dataset=frame.dataset, level=frame.level.value)
            return in_order(frame.level, [str(one["name"]) for one in told])

        question = ("columns", frame.transport.url, frame.dataset, frame.level.value)
        return self._answer(question, ask) or in_order(frame.level, [])

    def uids(self, frame: Asked, prefix: str) -> list[str]:
        """Some identifiers that begin so."""
        key = frame.level.unique_key

        def ask() -> list[str]:
            where: Predicate = Like((key,), f"{prefix}*") if prefix else Everything()
            asked = {
                "dataset": frame.dataset,
                "level": frame.level.value,
                "where": to_json(where),
                "columns": [key],
                "order": [],
                "limit": _MOST_UIDS,
                "offset": 0,
            }
            with frame.transport.post("/api/tables/query", asked, accept="text/csv") as response:
                lines = response.readall().decode().splitlines()[1:]
            return sorted({line.strip('"') for line in lines if line})

        if any(sign in prefix for sign in "*?\\\"'"):
            return []
        return self._answer(("uids", frame.transport.url, frame.dataset, frame.level.value, prefix), ask)

    def settle(self, url: str, seconds: float = 1.0) -> None:
        """Wait a little for what this server is still asked, so that its connections can be closed."""
        with self._lock:
            threads = [thread for question, thread in self._asking.items() if question[1] == url]
        for thread in threads:
            thread.join(seconds)

    def _answer(self, question: tuple[str, ...], ask: Callable[[], list[str]]) -> list[str]:
        with self._lock:
            found = self._answers.get(question)
            if found is not None and time.monotonic() - found[0] < self._seconds:
                return list(found[1])
            thread = self._asking.get(question)
            if thread is None:
                thread = threading.Thread(target=self._ask, args=(question, ask), daemon=True)
                self._asking[question] = thread
                thread.start()
        thread.join(self._wait)
        with self._lock:
            return list(self._answers.get(question, (0.0, []))[1])

    def _ask(self, question: tuple[str, ...], ask: Callable[[], list[str]]) -> None:
        answer: list[str] = []
        with suppress(Exception):  # no server, no right, another version: then nothing is offered
            answer = ask()
        with self._lock:
            while len(self._answers) >= _REMEMBERED:
                self._answers.pop(next(iter(self._answers)))
            self._answers[question] = (time.monotonic(), answer)
            self._asking.pop(question, None)


def in_order(level: Level, names: list[str]) -> list[str]:
    """Columns as a person looks for them: the level's own, those above, other attributes, ours."""
    ranks = {
        name: (rank, at)
        for rank, each in enumerate(reversed(level.and_above))
        for at, name in enumerate((*INDEX[each], *COMPUTED[each]))
    }
    names = names or [name for name in ranks if "." not in name]
    computed = [name for name in COMPUTED[level] if name not in names]
    last = (len(ranks), 0)
    return sorted(
        [*names, *computed], key=lambda n: (n[:1] == "_" or n in ("json", "private"), ranks.get(n, last))
    )


known = Known()
