"""Names of files in a zip or on media: UIDs, or those that media take (PS3.10 8.2)."""

from __future__ import annotations

import re

from isocenter.index.records import StoredInstance

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class FileNames:
    """One name for each instance.

    Args:
        short: names that media take, eight capital letters and digits a component.
    """

    def __init__(self, *, short: bool) -> None:
        self._short = short
        self._numbers: dict[tuple[str, ...], int] = {}
        self._below: dict[tuple[str, ...], int] = {}
        self._taken: set[str] = set()

    def of(self, instance: StoredInstance) -> list[str]:
        """The components of the path."""
        path = (instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID)
        if self._short:
            words = ("ST", "SE", "IM")
            parts = [f"{words[n]}{self._number(path[: n + 1]):06d}" for n in range(3)]
            return ["DICOM", *parts]
        names = [_UNSAFE.sub("_", uid)[:64].strip(".") or "_" for uid in path]
        name, number = names[2], 2
        while "/".join([*names[:2], name]) in self._taken:
            name, number = f"{names[2]}-{number}", number + 1
        self._taken.add("/".join([*names[:2], name]))
        return [*names[:2], f"{name}.dcm"]

    def _number(self, path: tuple[str, ...]) -> int:
        if path not in self._numbers:
            above = path[:-1]
            self._numbers[path] = self._below[above] = self._below.get(above, 0) + 1
        return self._numbers[path]
