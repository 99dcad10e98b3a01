"""Settings of this Python session: `isocenter.options`. Nothing is read from or written to disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any


@dataclass
class Options:
    """What displays show and how long requests may take.

    `with isocenter.options(show_identifiers=True):` sets some within a block.

    show_identifiers: names, numbers and dates that identify a person appear in displays. Data frames always
        hold them: masking is about what ends up in a saved notebook.
    display_rows: rows of a table in a notebook.
    progress: progress of long work is shown.
    timeout: seconds that the server may be silent.
    """

    show_identifiers: bool = False
    display_rows: int = 10
    progress: bool = True
    timeout: float = 120.0

    @contextmanager
    def __call__(
        self,
        *,
        show_identifiers: bool | None = None,
        display_rows: int | None = None,
        progress: bool | None = None,
        timeout: float | None = None,
        **unknown: Any,
    ) -> Iterator[Options]:
        """Set these within a `with` block; afterwards they are as before.

        Raises:
            AttributeError: there is no such option.
        """
        for name in unknown:
            self._check(name)
        given = {
            "show_identifiers": show_identifiers,
            "display_rows": display_rows,
            "progress": progress,
            "timeout": timeout,
        }
        settings = {name: value for name, value in given.items() if value is not None}
        before = {name: getattr(self, name) for name in settings}
        try:
            for name, value in settings.items():
                setattr(self, name, value)
            yield self
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        self._check(name)
        object.__setattr__(self, name, value)

    if not TYPE_CHECKING:  # a type checker says it better

        def __getattr__(self, name: str) -> Any:
            self._check(name)
            raise AttributeError(name)

    def __dir__(self) -> list[str]:
        return list(self.__dataclass_fields__)

    def _check(self, name: str) -> None:
        if name.startswith("_") or name not in self.__dataclass_fields__:
            known = ", ".join(self.__dataclass_fields__)
            raise AttributeError(f"isocenter.options has no {name!r}: {known}")


options = Options()
