"""The base of the DICOMweb handlers: their root, Accept with its query parameter, warnings."""

from __future__ import annotations

from isocenter.dicom.predicate import Predicate
from isocenter.dicomweb.lookup import InstanceLookup, absent
from isocenter.dicomweb.paths import Target
from isocenter.http.accept import MediaRange, parse_accept
from isocenter.http.handler import Handler
from isocenter.index.records import StoredInstance

_MOST_WARNED = 2000  # what a client sent is told back to it, but some take no longer headers than 8 KiB


class DicomwebHandler(Handler):
    """What the services of PS3.18 share."""

    face = "dicomweb"

    @property
    def dataset_name(self) -> str:
        """The dataset that the path names; `main` at /dicom-web."""
        return self.path_kwargs.get("dataset") or "main"

    @property
    def target(self) -> Target:
        """The study, series or instance that the path names."""
        return Target.of(self.path_kwargs)

    @property
    def root(self) -> str:
        """The absolute URL of this service as the client sees it."""
        name = self.path_kwargs.get("dataset")
        return f"{self.base_url}/datasets/{name}/dicom-web" if name else f"{self.base_url}/dicom-web"

    def accepted(self) -> list[MediaRange]:
        """What the client accepts: the `accept` query parameter before the header (PS3.18 8.3.3.1)."""
        asked = self.get_query_arguments("accept", strip=True)
        return parse_accept(asked or self.request.headers.get_list("Accept"))

    def warn(self, text: str) -> None:
        """Add `Warning: 299` (PS3.18 8.3.4, RFC 7234 5.5)."""
        plain = "".join(character if " " <= character <= "~" else "?" for character in text[:_MOST_WARNED])
        self.add_header("Warning", f"299 {self.root}: {plain.strip(' ,')}")  # no header ends in a space

    async def instances(self, predicate: Predicate | None = None) -> list[StoredInstance]:
        """The stored instances inside the target, in order.

        Raises:
            NotFound: there are none.
        """
        dataset, wanted = self.dataset(), self.target.predicate if predicate is None else predicate
        found = await self.context.short(lambda: list(dataset.instances(wanted)))
        if not found:
            raise await self.context.short(absent, dataset, self.target)
        return found

    async def instance(self) -> StoredInstance:
        """The one stored instance that the path names. Raises NotFound."""
        lookup = self.context.shared(InstanceLookup)
        return await self.context.short(lookup.of, self.dataset(), self.target)
