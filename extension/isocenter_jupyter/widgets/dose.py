"""`DoseChart`: a column of a table as a histogram, or against another, with reference levels.

Made for dose events and series, and good for any table of numbers. What is shown is also there as a table to
read. Not here: dose (`archive.dose`), nor reference levels of any country: give those that apply.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import traitlets

from isocenter.client.display.masking import is_identifier
from isocenter.errors import BadRequest
from isocenter_jupyter.widgets.base import ArchiveWidget, Fallback

MOST_ROWS = 20_000


class DoseChart(ArchiveWidget, module="dose"):
    """A chart of a table.

    Args:
        data: rows: a frame, a data frame of pandas or Polars, an Arrow table, or dictionaries; columns that
            identify people are left out. None: none yet (set `data` later).
        y: the column to show; the first of numbers when absent.
        x: a column to show it against, for a scatter plot.
        group: a column whose values tell points apart, by colour and by shape.
        reference: levels to draw: `{"value": 60, "label": "DRL head"}`, or a number.
        units: column to unit: `{"CTDIvol": "mGy"}`.
        title: what the chart is of.
    """

    rows = traitlets.List().tag(sync=True)
    y = traitlets.Unicode("").tag(sync=True)
    x = traitlets.Unicode("").tag(sync=True)
    group = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Enum(("histogram", "scatter"), "histogram").tag(sync=True)
    reference = traitlets.List().tag(sync=True)
    units = traitlets.Dict().tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(320, min=160).tag(sync=True)

    def __init__(
        self,
        data: Any = None,
        *,
        y: str = "",
        x: str = "",
        reference: float | Mapping[str, Any] | Iterable[Any] = (),
        **traits: Any,
    ) -> None:
        rows = records(data)
        numbers = _numeric(rows)
        chosen = y or (numbers[0] if numbers else "")
        if rows and chosen not in numbers:
            raise BadRequest(
                f"{chosen or 'The table'} has no numbers", hint=f"there are {', '.join(numbers) or 'none'}"
            )
        kind = traits.pop("kind", "scatter" if x else "histogram")
        super().__init__(None, rows=rows, y=chosen, x=x, kind=kind, reference=_levels(reference), **traits)

    def show(self, data: Any) -> None:
        """Show other rows."""
        self.rows = records(data)

    def fallback(self) -> Fallback:
        """Count, median and range of the column."""
        values = sorted(float(row[self.y]) for row in self.rows if _is_number(row.get(self.y)))
        if not values:
            return Fallback("<DoseChart: no data yet>", "<p>No dose data yet.</p>")
        unit = self.units.get(self.y, "")
        middle, least, most = values[len(values) // 2], values[0], values[-1]
        facts = f"{len(values)} values, median {middle:.4g}, {least:.4g} to {most:.4g} {unit}"
        line = f"{self.title or self.y}: {facts}"
        return Fallback(f"<{line.strip()}>", f"<p>{escape(line)}</p>")


def records(data: Any) -> list[dict[str, Any]]:
    """Rows as dictionaries of what a browser can take, without columns that identify people.

    Raises:
        BadRequest: it is no table, or too long to draw.
    """
    if data is None:
        return []
    if hasattr(data, "to_pylist"):  # Arrow
        found = data.to_pylist()
    elif hasattr(data, "to_dicts"):  # Polars
        found = data.to_dicts()
    elif hasattr(data, "to_dict"):  # pandas
        found = data.to_dict("records")
    elif isinstance(data, Mapping):
        found = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    elif isinstance(data, Iterable):
        found = list(data)
    else:
        raise BadRequest(
            f"{type(data).__name__} is no table", hint="give a frame, a data frame or dictionaries"
        )
    if len(found) > MOST_ROWS:
        raise BadRequest(
            f"{len(found):,} rows are too many to draw", hint=f"at most {MOST_ROWS:,}: group or sample them"
        )
    return [{str(n): _plain(v) for n, v in row.items() if not is_identifier(str(n))} for row in found]


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):  # a number of numpy
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if str(value) in ("NaT", "<NA>") else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numeric(rows: list[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows[:200] for name in row)
    return [name for name in names if any(_is_number(row.get(name)) for row in rows)]


def _levels(given: Any) -> list[dict[str, Any]]:
    listed = [given] if isinstance(given, int | float | Mapping) else list(given)
    return [
        dict(one) if isinstance(one, Mapping) else {"value": float(one), "label": "reference"}
        for one in listed
    ]
