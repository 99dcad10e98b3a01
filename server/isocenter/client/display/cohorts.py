"""What cohorts look like in a notebook: one, a list of them, a difference, a verification."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isocenter.client.display.html import Preview, bytes_text, facts_html, table_html
from isocenter.client.display.masking import MASK, is_identifier
from isocenter.client.options import options

if TYPE_CHECKING:
    from isocenter.client.cohort import Verification

_WORD = re.compile(r"[A-Za-z_]\w*")
_COLUMNS = ("name", "version", "studies", "series", "instances", "size", "frozen", "by", "description")


def cohort_html(told: Mapping[str, Any]) -> str:
    """A small table of what was frozen and how to cite it."""
    facts: dict[str, object] = {}
    if told["description"]:
        facts["description"] = told["description"]
    facts |= {
        "selected": _question(told["query"]),
        "holds": _scale(told),
        "frozen": f"{_day(told['frozen'])} by {told['frozen_by']}",
        "digest": told["digest"],
    }
    if told["pinned"]:
        facts["pinned"] = "survives a reset of the dataset"
    return facts_html(f"Cohort {told['name']}, version {told['version']}", facts)


def cohorts_html(dataset: str, told: Sequence[Mapping[str, Any]], error: str = "") -> str:
    """A table of the latest versions."""
    rows = [
        {**one, "size": bytes_text(one["size"]), "frozen": _day(one["frozen"]), "by": one["frozen_by"]}
        for one in told
    ]
    title = f"{counted(len(rows), 'cohort')} of {dataset}"
    return table_html(Preview(title, _COLUMNS if rows else (), rows, len(rows), error=error))


def difference_html(told: Mapping[str, Any], preview: Preview) -> str:
    """The numbers, and the first rows."""
    return table_html(preview) if preview.rows else facts_html(preview.title, {})


def verification_html(told: Verification) -> str:
    """What is whole and what is not."""
    facts = {
        "digest": "as frozen" if told.digest else "not that of the members",
        "members": f"{told.members:,}",
        "missing": f"{told.missing:,}",
        "changed": f"{told.changed:,}",
    }
    return facts_html("The cohort is whole" if told.ok else "The cohort is not what was frozen", facts)


def _question(query: Mapping[str, Any]) -> str:
    """The question in words; what names a person is masked."""
    plural = {"study": "studies", "series": "series", "instance": "instances"}[str(query["level"])]
    text = str(query.get("text") or "")
    if text and not options.show_identifiers and any(map(is_identifier, _WORD.findall(text))):
        text = MASK
    said = plural if query.get("uids") is None else f"{query['uids']:,} {plural} by UID"
    said += f" of {query['cohort']}" if query.get("cohort") else ""
    said += f" where {text}" if text else ""
    return said + (f", the first {query['limit']:,}" if query.get("limit") is not None else "")


def _scale(told: Mapping[str, Any]) -> str:
    return f"{scale_text(told)}, {bytes_text(told['size'])}"


def scale_text(told: Mapping[str, Any]) -> str:
    """How much it is: `3 instances in 1 series of 1 study`."""
    return (
        f"{counted(told['instances'], 'instance')} in {told['series']:,} series of "
        f"{counted(told['studies'], 'study', 'studies')}"
    )


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _day(text: str) -> str:
    return str(text).replace("T", " ").replace("Z", " UTC")
