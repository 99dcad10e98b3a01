"""One Delta Lake table as a log of versions: append, restore, the files of a version, vacuum.

The log is Delta's (github.com/delta-io/delta/blob/master/PROTOCOL.md), written through delta-rs, so that
Spark, Trino, Polars and others read it; the data files are written by `parquet`.  Which version readers see
is not decided here: the index names it (the head), and a table may be ahead of it after a crash.

Durability: data files, then their folder, then the log entry and its folder are fsynced before `append`
returns.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, Field
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    PostCommitHookProperties,
    RemoveAction,
    Transaction,
)

from isocenter.catalog.parquet import DataFile, Folder, synchronise
from isocenter.errors import Damaged, NotFound

_APPLICATION = "isocenter"
_CHECKPOINT_EVERY = 50
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_SETTINGS = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "1000000"}
_LOG = "_delta_log"
_ENTRY = re.compile(r"(\d{20})\.json").fullmatch
_LOGGED = re.compile(r"(\d{20})\.(?:json|crc|checkpoint\..*)").fullmatch


class DeltaLog:
    """The versions of one table.

    Args:
        uri: a local path, or the URI of an object store folder.
        folder: the same place for the data files.
        storage_options: delta-rs's options of the object store.
    """

    def __init__(self, uri: str, folder: Folder, storage_options: Mapping[str, str] | None = None) -> None:
        self._uri = uri
        self.folder = folder
        self._options = dict(storage_options or {}) or None
        self._opened = lru_cache(maxsize=64)(self._open)
        self._actions = lru_cache(maxsize=64)(lambda version: _actions(self._opened(version)))

    @property
    def exists(self) -> bool:
        """Whether the table was created."""
        return DeltaTable.is_deltatable(self._uri, self._options)

    def _open(self, version: int | None) -> DeltaTable:
        try:
            return DeltaTable(self._uri, version=version, storage_options=self._options)
        except TableNotFoundError:
            raise NotFound(f"There is no catalog table at {Path(self._uri).name}") from None

    @property
    def latest(self) -> int | None:
        """The newest version there is, visible or not; None without a table."""
        return int(self._open(None).version()) if self.exists else None

    def files(self, version: int) -> list[str]:
        """Names below the table of the data files of a version, oldest first."""
        actions = self.actions(version)
        return sorted(actions, key=lambda name: (actions[name]["modification_time"], name))

    def actions(self, version: int) -> dict[str, dict[str, int]]:
        """The data files of a version: `size` (bytes), `num_records`, `modification_time` (milliseconds)."""
        found: dict[str, dict[str, int]] = self._actions(version)
        return found

    def schema(self, version: int) -> pa.Schema:
        """The columns of a version."""
        return _arrow_schema(self._opened(version))

    def sequence(self, version: int) -> int | None:
        """The highest `seq` that a version holds: Delta's application transaction."""
        found = self._opened(version).transaction_version(_APPLICATION)
        return None if found is None else int(found)

    # -- writing (the keeper alone) ------------------------------------------------------------------

    def at_head(self, head: int | None, schema: pa.Schema) -> DeltaTable:
        """The table with the content of `head` as its newest version, with at least the columns of `schema`.

        Created when missing; restored when it is ahead (a flush that never became visible, or a reset).
        `head` None is the table without rows.
        """
        if not self.exists:
            if head is not None:
                raise Damaged(f"The catalog table {Path(self._uri).name} is missing")
            return self._create(schema)
        self.repair(head or 0)
        table = self._open(None)
        if head is None:
            self._clear(table)
        elif table.version() != head:
            self._restore(table, head)
        self._widen(table, schema)
        return table

    def _create(self, schema: pa.Schema) -> DeltaTable:
        table = DeltaTable.create(
            self._uri, schema, configuration=_SETTINGS, storage_options=self._options, mode="error"
        )
        if self.folder.local:
            synchronise(Path(self._uri).parent)
        self._make_durable(-1, table)
        return table

    def _widen(self, table: DeltaTable, schema: pa.Schema) -> None:
        known = set(_arrow_schema(table).names)
        missing = [field for field in schema if field.name not in known]
        if missing:
            before = int(table.version())
            table.alter.add_columns(
                [Field.from_arrow(field.with_nullable(True)) for field in missing],
                post_commithook_properties=_NO_HOOKS,
            )
            self._make_durable(before, table)

    def _restore(self, table: DeltaTable, version: int) -> None:
        before = int(table.version())
        table.restore(version, post_commithook_properties=_NO_HOOKS)
        self._make_durable(before, table)

    def _clear(self, table: DeltaTable) -> None:
        """Version 0 had no rows, but its log entry may be gone by now."""
        if files := list(_actions(table)):
            self.commit(table, [], removed=files)

    def clear(self) -> int:
        """Make a version without rows the newest one; returns its number."""
        table = self._open(None)
        self._clear(table)
        return int(table.version())

    def restore(self, version: int) -> int:
        """Make the content of `version` the newest version; returns its number."""
        table = self._open(None)
        if table.version() != version:
            self._restore(table, version)
        return int(table.version())

    def commit(
        self,
        table: DeltaTable,
        added: Sequence[DataFile],
        *,
        removed: Sequence[str] = (),
        seq: int | None = None,
        rearranged: bool = False,
    ) -> int:
        """Commit new data files in place of others; returns the version.

        Args:
            table: the table at the version to build upon (`at_head`).
            added: files written in `folder`.
            removed: names of files that are no longer part of the table.
            seq: the highest sequence that the table now holds.
            rearranged: the rows are the same as before (compaction).
        """
        before = int(table.version())
        self.folder.synchronise()
        now = int(time.time() * 1000)
        sizes = _actions(table) if removed else {}
        actions = [
            AddAction(file.name, file.size, {}, now, not rearranged, json.dumps({"numRecords": file.rows}))
            for file in added
        ]
        dropped = [RemoveAction(name, not rearranged, now, size=sizes[name]["size"]) for name in removed]
        marks = [] if seq is None else [Transaction(_APPLICATION, seq)]
        table.create_write_transaction(
            [*actions, *dropped],
            "append",
            table.schema(),
            commit_properties=CommitProperties(app_transactions=marks),
            post_commithook_properties=_NO_HOOKS,
        )
        table.update_incremental()
        self._make_durable(before, table)
        self._checkpoint(before, table)
        return int(table.version())

    def _make_durable(self, before: int, table: DeltaTable) -> None:
        """fsync the log entries above `before`, and the folder that names them."""
        if not self.folder.local:
            return
        for version in range(before + 1, int(table.version()) + 1):
            synchronise(self._log / f"{version:020d}.json")
        synchronise(self._log)
        if before < 0:
            synchronise(Path(self._uri))

    def _checkpoint(self, before: int, table: DeltaTable) -> None:
        """Every so many versions the state as one Parquet file, so that opening stays quick."""
        version = int(table.version())
        if before // _CHECKPOINT_EVERY == version // _CHECKPOINT_EVERY:
            return
        table.create_checkpoint()
        if self.folder.local:
            for path in (*self._log.glob(f"{version:020d}.checkpoint*"), self._log / "_last_checkpoint"):
                synchronise(path)
            synchronise(self._log)

    def repair(self, head: int) -> list[str]:
        """Remove log entries above `head` that a power failure left torn; returns their names."""
        if not self.folder.local:
            return []
        entries = sorted(
            path for path in self._log.iterdir() if (m := _ENTRY(path.name)) and int(m[1]) > head
        )
        torn = next((n for n, path in enumerate(entries) if not _is_whole(path)), len(entries))
        for path in entries[torn:]:
            path.unlink()
        if entries[torn:]:
            synchronise(self._log)
        return [path.name for path in entries[torn:]]

    @property
    def _log(self) -> Path:
        return Path(self._uri) / _LOG

    def vacuum(self, keep: Iterable[int], *, hours: float = 1.0) -> list[str]:
        """Delete data files that no version of `keep` holds and that left the table over `hours` ago.

        Files that no version ever named (a crash before the commit) go as well, once as old.
        """
        table = self._open(None)
        versions = sorted({*keep, int(table.version())})
        return list(
            table.vacuum(
                retention_hours=math.ceil(hours),
                dry_run=False,
                enforce_retention_duration=False,
                full=True,
                keep_versions=versions,
                post_commithook_properties=_NO_HOOKS,
            )
        )

    def forget(self, keep: Iterable[int], *, hours: float = 1.0) -> list[str]:
        """Delete log entries that no version of `keep`, nor a later one, is built upon; returns their names.

        A version is read from the last checkpoint up to it; what lies before the one that the lowest of them
        is read from goes, oldest first, once `hours` old, so that the log has no gap at any time.
        """
        listed = {info.base_name: info for info in self.folder.listed(_LOG)}
        versions = {name: int(entry[1]) for name in sorted(listed) if (entry := _LOGGED(name)) is not None}
        lowest = min(keep, default=0)
        bases = [v for name, v in versions.items() if "checkpoint" in name and v <= lowest]
        before = time.time() - hours * 3600
        gone: list[str] = []
        for name, version in versions.items():
            if version >= max(bases, default=0) or listed[name].mtime.timestamp() > before:
                break
            self.folder.remove(f"{_LOG}/{name}")
            gone.append(name)
        return gone


def _is_whole(path: Path) -> bool:
    """Whether every line of a log entry is JSON, and there is one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except ValueError:
        return False


def _actions(table: DeltaTable) -> dict[str, dict[str, int]]:
    flat = pa.table(table.get_add_actions(flatten=True)).select(
        ["path", "size_bytes", "modification_time", "num_records"]
    )
    return {
        row["path"]: {
            "size": row["size_bytes"],
            "num_records": row["num_records"],
            "modification_time": row["modification_time"],
        }
        for row in flat.to_pylist()
    }


def _arrow_schema(table: DeltaTable) -> pa.Schema:
    return pa.schema(table.schema())
