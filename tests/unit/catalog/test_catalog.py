"""Versions of the catalog: what is appended, restored, compacted and vacuumed, and what a crash leaves."""

import os
import time
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.query import TOMBSTONES, Engine, Scope
from isocenter.errors import Damaged, InvalidValue

Heads = dict[str, int]


class Filled:
    """A catalog of headers that are all different instances."""

    def __init__(self, catalog: Catalog, made: Any, headers: list[Any]) -> None:
        self.catalog, self.made, self.headers = catalog, made, headers
        self.seq = 0

    def append(self, count: int, heads: Heads) -> Heads:
        batch = self.batch(count)
        return self.catalog.append({"instances": [batch]}, seq=self.seq, heads=heads)

    def batch(self, count: int) -> pa.RecordBatch:
        chosen = [self.headers[(self.seq + n) % len(self.headers)] for n in range(count)]
        batch: pa.RecordBatch = self.made(chosen, self.seq + 1)
        self.seq += count
        return batch

    def seqs(self, heads: Heads) -> list[int]:
        files = self.catalog.files("instances", heads["instances"])
        return sorted(
            seq for file in files for seq in pq.read_table(file, columns=["_seq"])["_seq"].to_pylist()
        )


@pytest.fixture
def filled(catalog: Catalog, made: Any, headers: list[Any]) -> Filled:
    return Filled(catalog, made, headers)


def test_appends_add_up_and_older_versions_stay(filled: Filled) -> None:
    first = filled.append(3, {})
    second = filled.append(4, first)
    assert filled.seqs(first) == [1, 2, 3]
    assert filled.seqs(second) == [1, 2, 3, 4, 5, 6, 7]
    assert filled.catalog.count("instances", second["instances"]) == 7
    assert filled.catalog.sequence("instances", second["instances"]) == 7
    assert filled.catalog.tables() == ["instances"]


def test_a_flush_that_never_became_visible_is_undone_by_the_next(filled: Filled) -> None:
    visible = filled.append(3, {})
    filled.append(2, visible)  # killed before the index moved its head
    filled.seq = 3
    after = filled.append(2, visible)
    assert filled.seqs(after) == [1, 2, 3, 4, 5]


def test_a_reset_to_before_the_first_flush_starts_empty(filled: Filled) -> None:
    filled.append(3, {})
    after = filled.append(2, {})
    assert filled.seqs(after) == [4, 5]


def test_a_snapshot_keeps_its_rows_through_reset_compaction_and_vacuum(filled: Filled) -> None:
    snapshot = filled.append(3, {})
    heads = snapshot
    for _ in range(9):
        heads = filled.append(1, heads)
    compacted = filled.catalog.compact("instances", heads["instances"])
    assert compacted.version is not None
    head = {"instances": compacted.version}
    assert len(filled.catalog.files("instances", compacted.version)) == 1
    kept = {"instances": [snapshot["instances"], compacted.version]}
    removed = filled.catalog.vacuum(kept, hours=0)["instances"]
    assert len(removed) == 9
    assert filled.seqs(snapshot) == [1, 2, 3]
    assert filled.seqs(head) == list(range(1, 13))
    assert filled.seqs(filled.append(1, snapshot)) == [1, 2, 3, 13]


def test_vacuum_spares_what_was_removed_less_than_an_hour_ago(filled: Filled) -> None:
    first = filled.append(3, {})
    second = filled.append(3, {})
    assert filled.catalog.vacuum({"instances": [second["instances"]]})["instances"] == []
    assert filled.seqs(first) == [1, 2, 3]


def test_log_entries_that_no_kept_version_needs_go_and_all_versions_kept_are_read(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.catalog.delta._CHECKPOINT_EVERY", 5)
    heads, kept = {}, {}
    for number in range(1, 24):
        heads = filled.append(1, heads)
        if number == 12:
            kept = heads
    log = tmp_path / "catalog" / "instances" / "_delta_log"
    before = sorted(int(path.stem) for path in log.glob("*.json"))
    checkpoints = [int(path.name[:20]) for path in log.glob("*.checkpoint*")]
    filled.catalog.vacuum({"instances": [kept["instances"], heads["instances"]]})
    assert sorted(int(path.stem) for path in log.glob("*.json")) == before, "nothing is an hour old"
    filled.catalog.vacuum({"instances": [kept["instances"], heads["instances"]]}, hours=0)
    base = max(version for version in checkpoints if version <= kept["instances"])
    assert sorted(int(path.stem) for path in log.glob("*.json")) == [v for v in before if v >= base]
    assert 0 < base < kept["instances"]
    reopened = Filled(Catalog(tmp_path / "catalog"), filled.made, filled.headers)
    assert reopened.seqs(kept) == list(range(1, 13))
    assert reopened.seqs(heads) == list(range(1, 24))
    reopened.seq = 23
    assert reopened.seqs(reopened.append(2, kept)) == [*range(1, 13), 24, 25], "a reset"
    assert reopened.seqs(reopened.append(1, {})) == [26], "to before the first flush"
    assert reopened.seqs(kept) == list(range(1, 13))


def test_a_compaction_of_much_is_done_in_parts(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: Heads = {}
    for _ in range(12):
        heads = filled.append(2, heads)
    sizes = [Path(file).stat().st_size for file in filled.catalog.files("instances", heads["instances"])]
    monkeypatch.setattr("isocenter.catalog.compaction.MOST_BYTES", max(sizes) * 5)
    files = [12]
    for _ in range(5):
        done = filled.catalog.compact("instances", heads["instances"])
        heads = heads if done.version is None else {"instances": done.version}
        files.append(len(filled.catalog.files("instances", heads["instances"])))
    assert 1 < files[1] < 12
    assert files[2:] == [files[1]] * 4, "what is left is not worth it"
    assert filled.seqs(heads) == list(range(1, 25))


def test_vacuum_takes_files_that_a_crash_left(filled: Filled, tmp_path: Path) -> None:
    heads = filled.append(3, {})
    table = tmp_path / "catalog" / "instances"
    orphan = table / "part-never-committed.parquet"
    pq.write_table(pa.table({"a": [1]}), orphan)
    old = time.time() - 7200
    os.utime(orphan, (old, old))
    filled.catalog.vacuum({"instances": [heads["instances"]]})
    assert not orphan.exists()
    assert filled.seqs(heads) == [1, 2, 3]


@pytest.mark.parametrize("torn", [b"", b'{"commitInfo":{"timest'])
def test_a_torn_log_entry_beyond_the_head_is_cleared_away(
    filled: Filled, tmp_path: Path, torn: bytes
) -> None:
    heads = filled.append(3, {})
    log = tmp_path / "catalog" / "instances" / "_delta_log"
    (log / f"{heads['instances'] + 1:020d}.json").write_bytes(torn)
    reopened = Filled(Catalog(tmp_path / "catalog"), filled.made, filled.headers)
    reopened.seq = 3
    assert reopened.seqs(heads) == [1, 2, 3]
    assert reopened.seqs(reopened.append(2, heads)) == [1, 2, 3, 4, 5]


def test_a_table_that_vanished_is_damage_and_not_a_new_table(catalog: Catalog, filled: Filled) -> None:
    with pytest.raises(Damaged):
        filled.append(1, {"instances": 4})


def test_new_attributes_become_columns_and_old_files_lack_them(
    catalog: Catalog, made: Any, headers: list[Any], engine: Engine
) -> None:
    plain = [{tag: header[tag] for tag in ("00080018", "0020000D", "0020000E")} for header in headers[:2]]
    first = catalog.append({"instances": [made(plain, 1)]}, seq=2, heads={})
    second = catalog.append({"instances": [made(headers[2:], 3)]}, seq=len(headers), heads=first)
    assert "Modality" not in catalog.schema("instances", first["instances"]).names
    assert "Modality" in catalog.schema("instances", second["instances"]).names
    scope = Scope(tuple(catalog.files("instances", second["instances"])))
    modalities = engine.query(scope, columns=["Modality"]).read_all()["Modality"]
    assert modalities.null_count >= 2
    third = catalog.append({"instances": [made(headers[2:4], 90)]}, seq=91, heads=first)
    assert catalog.count("instances", third["instances"]) == 4


def test_other_programs_read_the_table(filled: Filled, tmp_path: Path) -> None:
    heads = filled.append(5, {})
    table = deltalake.DeltaTable(tmp_path / "catalog" / "instances", version=heads["instances"])
    assert table.to_pyarrow_table(columns=["_seq"]).num_rows == 5
    assert sum(table.get_add_actions(flatten=True)["num_records"].to_pylist()) == 5


def test_many_versions_open_from_a_checkpoint(filled: Filled, tmp_path: Path) -> None:
    heads: Heads = {}
    for _ in range(52):
        heads = filled.append(1, heads)
    log = tmp_path / "catalog" / "instances" / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet"))
    again = Catalog(tmp_path / "catalog")
    assert again.count("instances", heads["instances"]) == 52
    assert again.count("instances", 3) == 3


def test_everything_is_on_disk_before_append_returns(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(f"{tmp_path}/catalog"))
        real(descriptor)

    heads = filled.append(1, {})
    monkeypatch.setattr(os, "fsync", recorded)
    heads = filled.append(1, heads)
    data, folder, entry, log = synced
    assert data.startswith("/instances/part-")
    assert folder == "/instances"
    assert entry == f"/instances/_delta_log/{heads['instances']:020d}.json"
    assert log == "/instances/_delta_log"


def test_what_cannot_be_written_leaves_nothing(filled: Filled, tmp_path: Path) -> None:
    heads = filled.append(1, {})
    before = sorted((tmp_path / "catalog" / "instances").iterdir())
    bad = pa.record_batch({"_seq": [1]}), pa.record_batch({"_seq": ["x"]})
    with pytest.raises(pa.ArrowInvalid):
        filled.catalog.append({"instances": bad}, seq=9, heads=heads)
    assert sorted((tmp_path / "catalog" / "instances").iterdir()) == before


def test_only_dead_rows_leave_and_only_used_tombstones_stay(filled: Filled, engine: Engine) -> None:
    heads: Heads = {}
    for _ in range(10):
        heads = filled.append(3, heads)
    files = filled.catalog.files("instances", heads["instances"])
    rows = engine.query(Scope(tuple(files)), columns=["_sop_key", "SOPInstanceUID", "_seq"]).read_all()
    victim = rows.slice(4, 1).to_pylist()[0]
    graves = [
        {"sop_key": victim["_sop_key"], "uid": victim["SOPInstanceUID"], "seq": 1000},
        {"sop_key": victim["_sop_key"], "uid": "another with the same key", "seq": 1000},
        {"sop_key": 42, "uid": "1.2.3", "seq": 1000},
    ]
    tombstones = pa.Table.from_pylist(graves, TOMBSTONES)
    done = filled.catalog.compact("instances", heads["instances"], tombstones=tombstones)
    assert done.version is not None
    left = filled.seqs({"instances": done.version})
    assert set(range(1, 31)) - set(left) == {victim["_seq"]}
    assert done.applied == {0, 1, 2}


def test_few_dead_rows_in_a_large_file_wait(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.catalog.compaction.SMALL_BYTES", 10)
    heads = filled.append(60, {})
    uid = filled.headers[0]["00080018"]["Value"][0]
    key = filled.made(filled.headers[:1], 1)["_sop_key"][0].as_py()
    tombstones = pa.table({"sop_key": [key], "uid": [uid], "seq": [1]}, schema=TOMBSTONES)
    waiting = filled.catalog.compact("instances", heads["instances"], tombstones=tombstones)
    assert (waiting.version, waiting.applied) == (None, frozenset())
    done = filled.catalog.compact("instances", heads["instances"], tombstones=tombstones, thorough=True)
    assert done.version is not None
    assert filled.seqs({"instances": done.version}) == list(range(2, 61))


def test_compaction_sorts_across_files(filled: Filled) -> None:
    heads: Heads = {}
    for _ in range(10):
        heads = filled.append(7, heads)
    done = filled.catalog.compact("instances", heads["instances"])
    assert done.version is not None
    (file,) = filled.catalog.files("instances", done.version)
    table = pq.read_table(file, columns=["_study_key", "_series_key", "InstanceNumber", "_seq"])
    keys = [
        (
            row["_study_key"],
            row["_series_key"],
            row["InstanceNumber"] is None,
            row["InstanceNumber"],
            row["_seq"],
        )
        for row in table.to_pylist()
    ]
    assert keys == sorted(keys, key=lambda key: (*key[:3], key[3] or 0, key[4]))


def test_a_table_name_stays_inside_the_catalog(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue):
        catalog.log("../outside")


def test_a_folder_copied_elsewhere_works_there(filled: Filled, tmp_path: Path) -> None:
    heads = filled.append(3, {})
    (tmp_path / "catalog").rename(tmp_path / "moved")
    moved = Filled(Catalog(tmp_path / "moved"), filled.made, filled.headers)
    moved.seq = 3
    assert moved.seqs(moved.append(1, heads)) == [1, 2, 3, 4]


def test_a_catalog_in_an_object_store_is_read_from_copies(
    made: Any, headers: list[Any], engine: Engine, tmp_path: Path
) -> None:
    """The double is a folder behind pyarrow's interface: nothing is synced, data files are fetched."""
    store, copies = tmp_path / "store", tmp_path / "copies"
    store.mkdir()
    filesystem = fs.SubTreeFileSystem("/", fs.LocalFileSystem())
    remote = Catalog(store, filesystem=filesystem, copies=copies)
    first = remote.append({"instances": [made(headers[:4], 1)]}, seq=4, heads={})
    heads = remote.append({"instances": [made(headers[4:6], 5)]}, seq=6, heads=first)
    files = remote.files("instances", heads["instances"])
    assert all(Path(file).parent == copies / "instances" for file in files)
    assert engine.count(Scope(tuple(files))) == 6
    done = remote.compact("instances", heads["instances"], thorough=True)
    assert done.version is not None
    assert engine.count(Scope(tuple(remote.files("instances", done.version)))) == 6
    assert len(remote.trim("instances", done.version)) == 2
    assert remote.tables() == ["instances"]
    with pytest.raises(InvalidValue):
        Catalog("s3://bucket/catalog?region=eu-west-1")
