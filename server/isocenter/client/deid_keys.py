"""`archive.deid`: the server's keys of de-identification by name, and the runs. A key itself never leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from isocenter.client.deid_run import Run
from isocenter.client.display.deid import keys_html, runs_html
from isocenter.client.jobs import Jobs

if TYPE_CHECKING:
    from isocenter.client.transport import Transport

_KIND = "deidentify"


class KeyName(NamedTuple):
    """A key as it is told of.

    Attributes:
        name: its name, to be given as `key=`.
        fingerprint: what tells it apart from another one of this name.
    """

    name: str
    fingerprint: str


class KeyNames(tuple[KeyName, ...]):
    """Keys, as they were when they were asked for."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return keys_html([one._asdict() for one in self])


class RunList(tuple[Run, ...]):
    """Runs and previews, the newest first."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return runs_html([one.job.told for one in self])


class Deid:
    """Keys and runs of de-identification; `archive.deid["3f2a"]` is the run whose id begins so."""

    def __init__(self, transport: Transport, dataset: str) -> None:
        self._transport, self._dataset = transport, dataset

    def keys(self) -> KeyNames:
        """The keys that the server has, by name. Raises Forbidden for who may not de-identify."""
        return KeyNames(KeyName(**one) for one in self._transport.get("/api/deid/keys"))

    def new_key(self, name: str) -> KeyName:
        """Make a key in the server; for administrators.

        The same key gives the same pseudonyms and dates, whenever it is used: one for each project, so that
        nobody can join what was given out by two. It is a file of the server's data folder, which a backup
        should have: lost, it cannot be made again.

        Raises:
            Conflict: there is one of this name; it stays.
            Forbidden: you are no administrator.
        """
        with self._transport.post("/api/deid/keys", {"name": name}) as answer:
            return KeyName(**answer.json())

    @property
    def runs(self) -> RunList:
        """The runs and previews that are kept, the newest first."""
        return RunList(self)

    def __iter__(self) -> Iterator[Run]:
        return (Run(job) for job in Jobs(self._transport, self._dataset) if job.kind == _KIND)

    def __getitem__(self, which: int | str) -> Run:
        if isinstance(which, int):
            return self.runs[which]
        return Run(Jobs(self._transport, self._dataset)[which])

    def __repr__(self) -> str:
        return f"<De-identification by {self._transport.url}: keys(), new_key(name), runs>"
