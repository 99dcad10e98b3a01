"""The URLs of PS3.18 8.3: the two roots, the resource paths, and which UIDs they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal, Predicate, all_of
from isocenter.dicom.uids import clean

# The dataset `main` is at /dicom-web, every dataset at /datasets/<name>/dicom-web.
ROOT = r"(?:/datasets/(?P<dataset>[A-Za-z0-9_-]{1,64}))?/dicom-web"
# A UID in a path is whatever was stored, broken ones included: only a slash ends it.
STUDY = r"/studies/(?P<study>[^/]+)"
SERIES = STUDY + r"/series/(?P<series>[^/]+)"
INSTANCE = SERIES + r"/instances/(?P<instance>[^/]+)"


@dataclass(frozen=True)
class Target:
    """The study, series or instance that a path names; all empty for the whole dataset."""

    study: str = ""
    series: str = ""
    instance: str = ""

    @classmethod
    def of(cls, path: Mapping[str, str | None]) -> Target:
        """From the named groups of a route."""
        return cls(*(clean(path.get(part) or "") for part in ("study", "series", "instance")))

    @property
    def level(self) -> Level | None:
        """The level of what is named, None for the whole dataset."""
        if self.instance:
            return Level.INSTANCE
        if self.series:
            return Level.SERIES
        return Level.STUDY if self.study else None

    @property
    def uids(self) -> dict[str, str]:
        """The unique keys that the path fixes."""
        pairs = {
            Level.STUDY.unique_key: self.study,
            Level.SERIES.unique_key: self.series,
            Level.INSTANCE.unique_key: self.instance,
        }
        return {keyword: uid for keyword, uid in pairs.items() if uid}

    @property
    def predicate(self) -> Predicate:
        """What holds for every instance inside."""
        return all_of(Equal((keyword,), uid) for keyword, uid in self.uids.items())

    @property
    def path(self) -> str:
        """The path below the root of the service, percent-encoded: broken UIDs hold any character."""
        parts = (("studies", self.study), ("series", self.series), ("instances", self.instance))
        return "".join(f"/{name}/{quote(uid, safe='')}" for name, uid in parts if uid)
