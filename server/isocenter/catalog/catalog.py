"""The catalog of one dataset: its Delta Lake tables, each read at the version that the index names.

Writers hand in record batches and the heads they build upon, and get new heads back; making those visible
(one SQL transaction in the index) is the archive's work.  Readers ask for the files of a version.

Not here: rows (`rows`), derived tables (`tables`), questions (`query`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError
from pyarrow import fs

from isocenter.catalog.compaction import Candidate, Rows, choose, dead_rows, rewrite
from isocenter.catalog.delta import DeltaLog
from isocenter.catalog.mirror import Mirror
from isocenter.catalog.parquet import Folder, write_file
from isocenter.errors import InvalidValue

INSTANCES = "instances"

Heads = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did.

    `version` is the new one, None when there was nothing to do; `applied` the numbers of the tombstones
    (rows of the table that was given) that hide no row of any file any more; `dropped` of those whose rows
    were left out now.
    """

    version: int | None
    applied: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()


class Catalog:
    """The Delta tables below one folder.

    Args:
        root: a local folder (made when missing), or the URI of an object store folder (`s3://...`).
        storage_options: delta-rs's options of the object store.
        filesystem: the object store as pyarrow sees it, with `root`'s path; by default what the URI says.
        copies: a local folder for copies of an object store's data files, which DuckDB reads.
    """

    def __init__(
        self,
        root: str | Path,
        storage_options: Mapping[str, str] | None = None,
        *,
        filesystem: fs.FileSystem | None = None,
        copies: Path | None = None,
    ) -> None:
        self._options = storage_options
        self._copies = copies
        self._logs: dict[str, DeltaLog] = {}
        self._mirrors: dict[str, Mirror] = {}
        self.root = str(root).rstrip("/")
        if filesystem is not None:
            self._filesystem, self._path = filesystem, self.root
        elif "://" in self.root:
            self._filesystem, self._path = fs.FileSystem.from_uri(self.root)
        else:
            self.root = self._path = str(Path(root).absolute())
            self._filesystem = fs.LocalFileSystem()
        if not self.local and copies is None:
            raise InvalidValue("A catalog in an object store needs a local folder for copies")
        if self.local:
            Path(self._path).mkdir(parents=True, exist_ok=True)

    @property
    def local(self) -> bool:
        """Whether the tables are files of this machine."""
        return isinstance(self._filesystem, fs.LocalFileSystem)

    def log(self, table: str) -> DeltaLog:
        """The versions of one table."""
        if table not in self._logs:
            if not table.isidentifier():
                raise InvalidValue(f"{table!r} cannot name a catalog table")
            folder = Folder(self._filesystem, f"{self._path}/{table}")
            self._logs[table] = DeltaLog(f"{self.root}/{table}", folder, self._options)
        return self._logs[table]

    def tables(self) -> list[str]:
        """The names of the tables that exist."""
        found = self._filesystem.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
        names = (info.base_name for info in found if info.type == fs.FileType.Directory)
        return sorted(name for name in names if name.isidentifier() and self.log(name).exists)

    # -- reading ---------------------------------------------------------------------------------------

    def files(self, table: str, version: int | None) -> list[str]:
        """Local paths of the data files of a version, fetched first if need be; none without a version."""
        if version is None:
            return []
        names = self.log(table).files(version)
        if self.local:
            return [f"{self._path}/{table}/{name}" for name in names]
        mirror = self._mirror(table)
        return [str(mirror.path(name)) for name in names]

    def _mirror(self, table: str) -> Mirror:
        if table not in self._mirrors:
            assert self._copies is not None, "asked for when the catalog was opened"
            self._mirrors[table] = Mirror(self.log(table).folder, self._copies / table)
        return self._mirrors[table]

    def trim(self, table: str, version: int | None) -> list[str]:
        """Drop local copies of files that a version does not hold; nothing for a local catalog."""
        if self.local or version is None:
            return []
        return self._mirror(table).trim(set(self.log(table).files(version)))

    def schema(self, table: str, version: int | None) -> pa.Schema:
        """The columns of a version; none without a version."""
        return pa.schema([]) if version is None else self.log(table).schema(version)

    def count(self, table: str, version: int | None) -> int:
        """Rows of a version, tombstoned ones included."""
        if version is None:
            return 0
        return sum(action["num_records"] for action in self.log(table).actions(version).values())

    def latest(self, table: str) -> int | None:
        """The newest version there is, visible or not; None without the table."""
        return self.log(table).latest

    def sequence(self, table: str, version: int | None) -> int | None:
        """The last sequence that was flushed into a version."""
        return None if version is None else self.log(table).sequence(version)

    def last_sequence(self, table: str) -> int:
        """The last sequence that was flushed into a table, visible or not; 0 where nothing tells.

        A power failure may leave the last entry of the log torn, until it is written again.
        """
        try:
            return self.sequence(table, self.latest(table)) or 0
        except DeltaError:
            return 0

    def highest(self, table: str, version: int | None) -> int:
        """The highest `_seq` of any row of a version; 0 without rows. Derived rows have their own."""
        found = [0]
        for path in self.files(table, version):
            rows = pq.read_table(path, columns=["_seq"])
            found.append(pc.max(rows["_seq"]).as_py() or 0)
        return max(found)

    # -- writing (the keeper alone) ------------------------------------------------------------------

    def append(
        self, data: Mapping[str, Iterable[pa.RecordBatch]], *, seq: int, heads: Heads
    ) -> dict[str, int]:
        """Append rows to tables, each upon its head; returns all heads, the new ones in place.

        Nothing is visible until the index names the new heads. A table that is ahead of its head is first
        restored to it, one that does not exist is created. All is durable when this returns.

        Args:
            data: record batches by table, those of one table of one schema.
            seq: the highest sequence among them, kept as Delta's application transaction.
            heads: the visible version of each table; a table without one counts as empty.
        """
        moved = dict(heads)
        for table, batches in data.items():
            kept = [batch for batch in batches if batch.num_rows]
            if not kept:
                continue
            log = self.log(table)
            delta = log.at_head(heads.get(table), kept[0].schema)
            moved[table] = log.commit(delta, [write_file(log.folder, kept)], seq=seq)
        return moved

    def restore(self, table: str, version: int) -> int:
        """Make a version the newest one; returns the number of the version that repeats it."""
        return self.log(table).restore(version)

    def clear(self, table: str) -> int:
        """Make a version without rows the newest one; returns its number."""
        return self.log(table).clear()

    def compact(
        self,
        table: str,
        head: int | None,
        *,
        tombstones: pa.Table | None = None,
        keep: Callable[[pa.Table], Rows] | None = None,
        thorough: bool = False,
    ) -> Compacted:
        """Rewrite small files, and files with over 2 % dead rows, sorted and without the dead ones.

        A part at a time, see `compaction.choose`: ask again until there is nothing to do.

        The new version is durable and invisible until the index moves the head to it.

        Args:
            table: its name.
            head: the visible version.
            tombstones: table of schema `query.TOMBSTONES` of what is dead now.
            keep: which rows of a derived table count, see `compaction.rewrite`.
            thorough: rewrite whatever is small or has a dead row at all.
        """
        if head is None:
            return Compacted(None)
        log = self.log(table)
        facts = log.actions(head)
        dead = {name: dead_rows(log.folder, name, tombstones) for name in facts}
        files = [Candidate(n, f["size"], f["num_records"], dead[n][0]) for n, f in sorted(facts.items())]
        chosen = choose(files, thorough=thorough)
        if not chosen:
            return Compacted(None, _applied(dead, (), tombstones))
        delta = log.at_head(head, log.schema(head))
        written = rewrite(log.folder, chosen, keep)
        lost = sum(file.rows for file in chosen) - sum(file.rows for file in written)
        names = [file.name for file in chosen]
        version = log.commit(delta, written, removed=names, rearranged=not lost)
        dropped = frozenset(number for name in names for number in dead[name][1])
        return Compacted(version, _applied(dead, names, tombstones), dropped)

    def vacuum(self, keep: Mapping[str, Iterable[int]], *, hours: float = 1.0) -> dict[str, list[str]]:
        """Delete files, by table, that no version of `keep` (heads, snapshots) holds; returns their names.

        Log entries that none of them needs go as well.
        """
        gone: dict[str, list[str]] = {}
        for table, versions in keep.items():
            kept = list(versions)
            gone[table] = self.log(table).vacuum(kept, hours=hours)
            self.log(table).forget(kept, hours=hours)
        return gone


def _applied(
    dead: Mapping[str, tuple[Rows, set[int]]], rewritten: Iterable[str], tombstones: pa.Table | None
) -> frozenset[int]:
    """The tombstones that hide nothing in the files that stay."""
    if tombstones is None:
        return frozenset()
    needed = {number for name, (_, used) in dead.items() if name not in set(rewritten) for number in used}
    return frozenset(range(tombstones.num_rows)) - needed
