"""One search of QIDO-RS at work (PS3.18 10.6): what is asked of index and catalog, the results in batches.

The index answers what it holds; the catalog is asked for the other keys, and its DICOM JSON for fields beyond
the index: of a study or series they are those of its first instance. Every method may block.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from isocenter.archive import Dataset
from isocenter.dicom.levels import Level
from isocenter.dicom.matching import match_all
from isocenter.dicom.predicate import OneOf, Or, Predicate, all_of
from isocenter.dicomweb.bulk_links import absolute
from isocenter.dicomweb.parameters import Search
from isocenter.dicomweb.paths import Target
from isocenter.dicomweb.results import Element, add_from, element_set, names_beyond, names_of
from isocenter.errors import TooLarge

_BATCH = 200
_COUNTED = 1000
"""More matches behind a limit are not counted for the warning: that could cost more than the page."""

Row = Mapping[str, Any]


class SearchRun:
    """A search of one dataset.

    Args:
        dataset: where.
        level: of the results.
        target: what the path names.
        search: what is asked.
        root: URL of the service.
        most: results that one answer may have.
    """

    def __init__(
        self, dataset: Dataset, level: Level, target: Target, search: Search, root: str, most: int
    ) -> None:
        self._dataset = dataset
        self._level = level
        self._target = target
        self._search = search
        self._root = root
        self._most = most
        self._names = names_of(level, target, search.names, everything=search.include_all)
        self._beyond = names_beyond(search.names)
        self._uids = [one.unique_key for one in level.and_above if one is not Level.PATIENT]
        self._batches: Iterator[list[dict[str, Element]]] = iter(())
        self.warnings: list[str] = []
        self.total: int | None = None

    @property
    def quick(self) -> bool:
        """Whether the index alone answers."""
        return not self._beyond

    def begin(self) -> None:
        """Ask for the first batch, and find out what must be told before it.

        Raises:
            InvalidValue: the value of a key does not fit.
            TooLarge: there are more results than one answer may have.
        """
        search = self._search
        self._predicate = self._wanted()
        indexed = self._dataset.index.reader.supports(self._predicate)
        order = () if indexed else tuple((name, "asc") for name in self._uids)
        rows = self._dataset.find(
            self._level,
            self._predicate,
            limit=search.limit,
            offset=search.offset,
            order=order,  # type: ignore[arg-type]
        )
        first = list(itertools.islice(rows, _BATCH))
        if len(first) == _BATCH and (search.limit is None or search.limit > self._most):
            self._check_size()
        if search.limit and len(first) == min(search.limit, _BATCH):
            self._tell_more(search.offset + search.limit)
        if search.count:
            self.total = self._dataset.count(self._level, self._predicate)
        self._batches = self._made(itertools.chain(first, rows))

    def batches(self) -> Iterator[list[dict[str, Element]]]:
        """The results."""
        return self._batches

    # -- what is asked ---------------------------------------------------------------------------------

    def _wanted(self) -> Predicate:
        rules = self._search.rules
        if rules.fuzzy:
            rules = replace(rules, names=self._dataset.sounding.like)
        keys = self._search.identifier()
        terms = [self._target.predicate]
        syntaxes, availability = (
            str(keys.pop(name, "")) for name in ("AvailableTransferSyntaxUID", "InstanceAvailability")
        )
        for name in ("SpecificCharacterSet", "RetrieveURL"):
            keys.pop(name, None)
        if asked := [one for one in syntaxes.replace(",", "\\").split("\\") if one.strip(" *")]:
            terms.append(OneOf(("_transfer_syntax",), tuple(one.strip() for one in asked)))
        if availability.strip(" *") and "ONLINE" not in availability.split("\\"):
            terms.append(Or(()))  # all that we have is online
        return all_of([*terms, match_all(keys, rules)])

    def _check_size(self) -> None:
        if self._behind(self._search.offset + self._most, 1):
            raise TooLarge(
                f"The search has more than {self._most} results",
                hint="ask for them in pages, with limit and offset, or narrow the search",
                detail={"max": self._most},
            )

    def _tell_more(self, offset: int) -> None:
        """PS3.18 8.3.4.4.1."""
        count = self._behind(offset, _COUNTED + 1)
        if count:
            told = f"more than {_COUNTED}" if count > _COUNTED else str(count)
            self.warnings.append(f"There are {told} additional results that can be requested")

    def _behind(self, offset: int, most: int) -> int:
        """How many matches there are behind an offset, up to `most`."""
        reader = self._dataset.index.reader
        if not reader.supports(self._predicate):
            return min(max(self._dataset.count(self._level, self._predicate) - offset, 0), most)
        key = (self._level.unique_key,)
        return sum(
            1 for _ in reader.find(self._level, self._predicate, limit=most, offset=offset, columns=key)
        )

    # -- results ---------------------------------------------------------------------------------------

    def _made(self, rows: Iterator[Row]) -> Iterator[list[dict[str, Element]]]:
        while batch := list(itertools.islice(rows, _BATCH)):
            syntaxes = self._syntaxes(batch)
            made = [
                element_set(row, self._level, self._names, self._root, sorted(syntaxes[self._key(row)]))
                for row in batch
            ]
            if self._beyond:
                documents = self._documents(batch)
                made = [
                    add_from(documents.get(self._key(row), {}), one, self._beyond)
                    for row, one in zip(batch, made, strict=True)
                ]
            yield made

    def _key(self, row: Row) -> tuple[str, ...]:
        return tuple(str(row.get(name) or "") for name in self._uids)

    def _of(self, batch: list[Row]) -> Predicate:
        uids = tuple(dict.fromkeys(row[self._level.unique_key] for row in batch))
        return OneOf((self._level.unique_key,), uids)

    def _syntaxes(self, batch: list[Row]) -> dict[tuple[str, ...], set[str]]:
        """The transfer syntaxes of what is below each row, where that was asked for."""
        found: dict[tuple[str, ...], set[str]] = defaultdict(set)
        if "AvailableTransferSyntaxUID" in self._search.names and self._level is not Level.INSTANCE:
            columns = (*self._uids, "_transfer_syntax")
            for row in self._dataset.index.reader.find(Level.INSTANCE, self._of(batch), columns=columns):
                found[self._key(row)].add(str(row["_transfer_syntax"]))
        return found

    def _documents(self, batch: list[Row]) -> dict[tuple[str, ...], dict[str, Any]]:
        """The DICOM JSON of each row's first instance."""
        found = {}
        uids = [level.unique_key for level in (Level.STUDY, Level.SERIES, Level.INSTANCE)]
        columns = [*uids, "json"]
        with self._dataset.table(self._level, self._of(batch), columns) as reader:
            for part in reader:
                for *key, text in zip(*(column.to_pylist() for column in part.columns), strict=True):
                    if text:
                        links = absolute(text.encode(), Target(*map(str, key)), self._root)
                        found[tuple(map(str, key[: len(self._uids)]))] = json.loads(links)
        return found
