"""`archive.cohorts`: the frozen cohorts of a dataset by name, a mapping that completes and shows itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from isocenter.client.cohort import Cohort, freeze
from isocenter.client.display.cohorts import cohorts_html
from isocenter.errors import IsocenterError, NotFound

if TYPE_CHECKING:
    from isocenter.client.transport import Transport


class Cohorts(Mapping[str, Cohort]):
    """The cohorts of a dataset: `cohorts["thin-ct"]` is the latest version, `cohorts["thin-ct@1"]` the first.

    Asks the server each time, so that it is never behind.
    """

    def __init__(self, transport: Transport, dataset: str) -> None:
        self._transport, self._dataset = transport, dataset

    def __getitem__(self, name: str | tuple[str, int]) -> Cohort:
        wanted = f"{name[0]}@{name[1]}" if isinstance(name, tuple) else name
        try:
            told = self._transport.get(f"/api/cohorts/{quote(wanted, safe='@')}", dataset=self._dataset)
        except NotFound as error:
            raise _NoCohort(error.message, hint=error.hint) from None
        return Cohort(self._transport, self._dataset, told)

    def __iter__(self) -> Iterator[str]:
        return (str(told["name"]) for told in self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(name in (told["name"], told["id"]) for told in self._all("true"))

    def versions(self, name: str) -> list[Cohort]:
        """All versions of a name, oldest first; none when there is no such cohort."""
        found = [told for told in self._all("true") if told["name"] == name]
        return [Cohort(self._transport, self._dataset, told) for told in found]

    def freeze(self, name: str, source: object, *, description: str = "", pinned: bool = False) -> Cohort:
        """Freeze a frame, a cohort, a resource, a UID or a list of these; see `Frame.freeze`."""
        return freeze(self._transport, self._dataset, name, source, description, pinned)

    def delete(self, name: str) -> None:
        """Delete all versions of a name, or the one of `name@version`.

        Raises:
            NotFound: there is none.
            Forbidden: it is another's, and you are no curator.
        """
        path = f"/api/cohorts/{quote(name, safe='@')}?dataset={quote(self._dataset)}"
        self._transport.request("DELETE", path).finish()

    def _all(self, versions: str = "false") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._transport.get(
            "/api/cohorts", dataset=self._dataset, versions=versions
        )
        return found

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        names = list(self)
        return f"<{len(names)} cohorts of {self._dataset!r}: {', '.join(names)}>"

    def _repr_html_(self) -> str:
        try:
            return cohorts_html(self._dataset, self._all())
        except IsocenterError as error:
            return cohorts_html(self._dataset, [], str(error))


class _NoCohort(NotFound, KeyError):
    """As a mapping says it, with the hint of the server."""

    __str__ = NotFound.__str__
