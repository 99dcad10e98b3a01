"""QIDO-RS (PS3.18 10.6): search for studies, series and instances, each below any level above it.

Results stream: a batch is made in a thread while the one before is on its way. What is asked is in
`parameters`, how it is answered in `search`. Not here: worklist items (UPS-RS).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.dicom.attributes import is_indexed
from isocenter.dicom.levels import Level
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.parameters import parse_search
from isocenter.dicomweb.paths import ROOT, SERIES, STUDY
from isocenter.dicomweb.representation import choose
from isocenter.dicomweb.search import SearchRun

# Smaller answers go out whole, with their length.
_SMALL = 32 * 1024


class SearchHandler(DicomwebHandler):
    """A search at one level, below what the path names."""

    face = "qido"
    level: Level

    def initialize(self, level: Level, **shared: Any) -> None:  # type: ignore[override]
        """Of which level the results are."""
        super().initialize(**shared)
        self.level = level

    async def get(self, **_path: str) -> None:
        """Answer with the results as DICOM JSON or XML; an empty list when nothing matches."""
        form = choose(self.accepted())
        search = parse_search(_arguments(self.request.query_arguments))
        most = self.context.settings.dicomweb.search_results
        work = SearchRun(self.dataset(), self.level, self.target, search, self.root, most)
        # What the catalog must answer takes its time, and may not keep the threads of quick searches.
        run = self.context.short if work.quick and all(map(is_indexed, search.keys)) else self.context.long
        await run(work.begin)
        for text in (*search.warnings, *work.warnings):
            self.warn(text)
        if work.total is not None:
            self.set_header("X-Total-Count", str(work.total))
        self.set_header("Content-Type", form.content_type)
        self.add_header("Vary", "Accept")
        pieces = form.render(work.batches())
        while piece := await run(next, pieces, b""):
            self.write(piece)
            if len(piece) > _SMALL:
                await self.flush()

    head = get


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
