"""The Parquet files of the catalog: how they are laid out, and that they are on disk when we say so.

Row groups of 20,000 rows; zstd; statistics for all columns but the two large ones; no page index.  Data
files are written under a name nobody else uses and never change.

Not here: which files make a table (`delta`).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

ROW_GROUP = 20_000
FILE_BYTES = 128 * 1024 * 1024
_LARGE_COLUMNS = ("json", "private")
_PAGE_BYTES = 4 * 1024 * 1024
_LEVEL = 7


@dataclass(frozen=True, slots=True)
class DataFile:
    """One written file: its name below the table, its bytes and rows."""

    name: str
    size: int
    rows: int


class Folder:
    """Where the files of one table are: a local folder, or a folder of an object store (pyarrow.fs).

    A local folder is synchronised (fsync) by name; an object store is durable when a write returns.
    """

    def __init__(self, filesystem: fs.FileSystem, path: str) -> None:
        self._filesystem = filesystem
        self.path = path
        self.local = isinstance(filesystem, fs.LocalFileSystem)

    @contextmanager
    def writer(self, schema: pa.Schema) -> Iterator[FileWriter]:
        """A new data file; what was written of it is removed when the block raises."""
        name = f"part-{uuid.uuid4().hex}.parquet"
        target = f"{self.path}/{name}"
        if self.local:
            Path(self.path).mkdir(parents=True, exist_ok=True)
        try:
            with self._filesystem.open_output_stream(target) as sink:
                out = FileWriter(name, sink, schema)
                yield out
                out.close()
            if self.local:
                synchronise(Path(target))
        except BaseException:
            self._remove(target)
            raise

    def _remove(self, target: str) -> None:
        if self._filesystem.get_file_info(target).type != fs.FileType.NotFound:
            self._filesystem.delete_file(target)

    def synchronise(self) -> None:
        """Make the names of new files durable."""
        if self.local:
            synchronise(Path(self.path))


class FileWriter:
    """Writes one data file, row group by row group."""

    def __init__(self, name: str, sink: pa.NativeFile, schema: pa.Schema) -> None:
        self.name = name
        self.rows = 0
        self.size = 0
        self._sink = sink
        self._writer = pq.ParquetWriter(sink, schema, **_layout(schema))

    def write(self, table: pa.Table) -> None:
        """Append rows; each call ends in row groups of its own."""
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self.rows += table.num_rows
        self.size = int(self._sink.tell())

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()
        self.size = int(self._sink.tell())


def _layout(schema: pa.Schema) -> dict[str, object]:
    plain = [name for name in schema.names if name not in _LARGE_COLUMNS]
    return {
        "compression": "zstd",
        "compression_level": _LEVEL,
        "use_dictionary": True,
        "write_statistics": plain,
        "data_page_size": _PAGE_BYTES,
        "store_schema": False,
        "version": "2.6",
    }


def write_file(folder: Folder, batches: Iterable[pa.RecordBatch]) -> DataFile:
    """One data file of some batches of one schema, durable when this returns (its name is not, see
    `Folder`).
    """
    table = pa.Table.from_batches(list(batches))
    with folder.writer(table.schema) as out:
        out.write(table)
    return DataFile(out.name, out.size, out.rows)


def synchronise(path: Path) -> None:
    """fsync of a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
