"""What is asked of DICOMweb in the words of PS3.18: paths, query parameters and Accept headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MediaTypes = tuple[str | tuple[str, str], ...] | None
Parameters = Mapping[str, Any] | None


def path_of(study: str | None = None, series: str | None = None, instance: str | None = None) -> str:
    """The path of what these UIDs name, below the service."""
    levels = (("studies", study), ("series", series), ("instances", instance))
    return "".join(f"/{name}/{uid}" for name, uid in levels if uid is not None)


def query(
    fuzzymatching: bool | None,
    limit: int | None,
    offset: int | None,
    fields: Sequence[str] | None,
    search_filters: Mapping[str, Any] | None,
    additional: Parameters,
) -> dict[str, Any]:
    """Query parameters; a list of `fields` is `includefield` for each."""
    asked: dict[str, Any] = dict(search_filters or {})
    if fields:
        asked["includefield"] = list(fields)
    if fuzzymatching is not None:
        asked["fuzzymatching"] = str(fuzzymatching).lower()
    numbers = {"limit": limit, "offset": offset}
    return {
        **asked,
        **{name: value for name, value in numbers.items() if value is not None},
        **(additional or {}),
    }


def media_type(told: str | tuple[str, str]) -> str:
    """The type of a media type given with or without its transfer syntax."""
    return told if isinstance(told, str) else told[0]


def in_parts(media_types: MediaTypes, default: str) -> str:
    """The Accept header for parts of these types."""
    if not media_types and default == "*/*":
        return 'multipart/related; type="application/octet-stream", multipart/related; type="*/*"'
    told = []
    for one in media_types or (default,):
        syntax = "" if isinstance(one, str) else f"; transfer-syntax={one[1]}"
        told.append(f'multipart/related; type="{media_type(one)}"{syntax}')
    return ", ".join(told)
