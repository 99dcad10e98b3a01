"""QIDO-RS (PS3.18 10.6): search for studies, series and instances, each below any level above it.

Results stream: a page of rows is read in a thread while the page before is on its way. What the index does
not hold is looked up in the catalog. Not here: worklist items (UPS-RS).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from isocenter.dicom.attributes import is_indexed
from isocenter.dicom.levels import Level
from isocenter.dicom.matching import match_all
from isocenter.dicom.predicate import all_of
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.parameters import Search, parse_search
from isocenter.dicomweb.paths import ROOT, SERIES, STUDY
from isocenter.dicomweb.results import element_set, names_of

_PAGE = 200


class SearchHandler(DicomwebHandler):
    """A search at one level, below what the path names."""

    face = "qido"
    level: Level

    def initialize(self, level: Level, **shared: Any) -> None:  # type: ignore[override]
        """Of which level the results are."""
        super().initialize(**shared)
        self.level = level

    async def get(self, **_path: str) -> None:
        """Answer with a JSON array of results, `[]` when nothing matches."""
        media_type = self.json_type()
        search = parse_search(_arguments(self.request.query_arguments))
        for text in (*search.warnings, *_not_returned(search)):
            self.warn(text)
        level, root, dataset = self.level, self.root, self.dataset()
        asked = [*search.keys, *search.include]
        names = names_of(level, self.target, asked, everything=search.include_all)
        predicate = all_of([self.target.predicate, match_all(search.keys, search.rules)])

        def rows() -> Iterator[Mapping[str, Any]]:
            return iter(dataset.find(level, predicate, limit=search.limit, offset=search.offset))

        pages = _pages(rows, lambda row: element_set(row, level, names, root))
        # What the catalog must answer takes its time, and may not keep the threads of quick searches.
        run = self.context.short if all(map(is_indexed, search.keys)) else self.context.long
        first = await run(next, pages)
        self.set_header("Content-Type", media_type)
        self.write(first)
        while page := await run(next, pages, b""):
            await self.flush()
            self.write(page)

    head = get


def _not_returned(search: Search) -> list[str]:
    """The warning for fields that can be searched by, but are not in the results yet."""
    missing = [name for name in search.include if not is_indexed(name)]
    return [f"These fields are not part of results: {', '.join(missing)}"] if missing else []


def _pages(
    rows: Callable[[], Iterator[Mapping[str, Any]]], shape: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Iterator[bytes]:
    """The JSON array of all rows in pieces; nothing is read before the first is asked for."""
    found, before = rows(), b"["
    while page := [shape(row) for row in itertools.islice(found, _PAGE)]:
        yield before + json.dumps(page, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
        before = b","
    yield b"]" if before == b"," else b"[]"


def _arguments(raw: Mapping[str, list[bytes]]) -> dict[str, list[str]]:
    """Query parameters as text; bytes that are no UTF-8 match nothing, and break nothing."""
    return {name: [value.decode("utf-8", "replace") for value in values] for name, values in raw.items()}


routes = [
    (ROOT + r"/series", SearchHandler, {"level": Level.SERIES}),
    (ROOT + r"/instances", SearchHandler, {"level": Level.INSTANCE}),
    (ROOT + STUDY + r"/series", SearchHandler, {"level": Level.SERIES}),
    (ROOT + STUDY + r"/instances", SearchHandler, {"level": Level.INSTANCE}),
    (ROOT + SERIES + r"/instances", SearchHandler, {"level": Level.INSTANCE}),
]
