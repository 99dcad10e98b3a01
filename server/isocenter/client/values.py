"""`Values`: the values of one column, as `frame["StudyDate"]` gives them. Not here: fetching them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from itertools import islice
from typing import Any

from isocenter.client.display.cells import Preview
from isocenter.client.display.html import table_html
from isocenter.client.display.masking import is_identifier
from isocenter.client.display.text import table_text
from isocenter.client.options import options
from isocenter.dicom.attributes import find, is_own_column


class Values(list[Any]):
    """A list with the name of its column; None where there is no value.

    Dates and times are those of `datetime`, lists are lists. Displays mask what identifies a person; the list
    itself holds it.
    """

    def __init__(self, name: str, values: Iterable[Any] = ()) -> None:
        vr = _vr(name)
        super().__init__(as_python(vr, value) for value in values)
        self.name = name

    def __repr__(self) -> str:
        if is_identifier(self.name) and not options.show_identifiers:
            return f"<{len(self):,} values of {self.name}, masked>"
        return super().__repr__()

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        return Values, (self.name, list(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        preview = self._preview(options.display_rows)
        return {"text/plain": table_text(preview), "text/html": table_html(preview)}

    def _preview(self, rows: int) -> Preview:
        shown = [{self.name: value} for value in islice(self, rows)]
        title = f"{len(self):,} value{'s' if len(self) != 1 else ''}"
        return Preview(title, (self.name,), shown, len(self))


def as_python(vr: str, value: Any) -> Any:
    """Dates and times, which JSON does not have, as those of `datetime`; of lists each."""
    if isinstance(value, list):
        return [as_python(vr, one) for one in value]
    if vr == "DA" and isinstance(value, str):
        return datetime.date.fromisoformat(value)
    if vr == "DT" and isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    if vr == "TM" and isinstance(value, int):
        return (datetime.datetime.min + datetime.timedelta(microseconds=value)).time()
    return value


def _vr(name: str) -> str:
    if name == "_received":
        return "DT"
    attribute = None if is_own_column(name) else find(name.rpartition(".")[2])
    return attribute.vr if attribute is not None else ""
