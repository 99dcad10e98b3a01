"""Settings of this Python session: `isocenter.options`. Nothing is read from or written to disk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Options:
    """What displays show and how long requests may take.

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

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__dataclass_fields__:
            known = ", ".join(self.__dataclass_fields__)
            raise AttributeError(f"isocenter.options has no {name!r}: {known}")
        object.__setattr__(self, name, value)


options = Options()
