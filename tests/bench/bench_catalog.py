"""The catalog: making rows, flushing, compacting, bytes an instance, and questions about any attribute.

A million instances are made from the real series of `idc-index-data`, once, and kept below `BENCH_CACHE` (the
system's temporary folder otherwise); `--instances=N` makes more or fewer: more is the same million several
times over, each time under other UIDs and PatientIDs, without `json`. `--questions` asks only. Times on the
wall clock are the least of several rounds, with a warm connection; beside them is the processor time of that
process, which tells more on a machine that does other work.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from generated_catalog import copied, documents, facts, quick_batches

from harness import Row, report  # isort: skip (makes tests/support importable)

import pyarrow as pa
import pyarrow.parquet as pq

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.query import TOMBSTONES, Engine, Scope
from isocenter.catalog.rows import RowBuilder
from isocenter.catalog.tables import derive
from isocenter.datasets.phantoms import Subject, ct
from isocenter.dicom.expression import parse
from isocenter.dicom.header import Header, read_header
from isocenter.dicom.json_model import to_json
from isocenter.dicom.levels import Level

_VERSION = 2
_MILLION = 1_000_000
_REACH = {_MILLION: "50 ms", 10 * _MILLION: "250 ms"}
COUNTS = (
    "SliceThickness < 2",
    "Modality = CT and KVP > 100",
    "XRayTubeCurrent > 200",
    'Manufacturer like "*SIEMENS*"',
    "StudyDate >= 20000101",
    'PatientName ~ "a*"',
    "ImageType = PRIMARY",
    "PixelSpacing > 0.5",
)
FRAME = [
    "PatientID",
    "StudyDate",
    "Modality",
    "SeriesDescription",
    "SliceThickness",
    "KVP",
    "Rows",
    "Columns",
]
FRAME += ["InstanceNumber", "SOPInstanceUID"]


def option(name: str, default: int) -> int:
    """A number given as `--name=N`."""
    given = [word.partition("=")[2] for word in sys.argv if word.startswith(f"--{name}=")]
    return int(given[-1]) if given else default


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one measurement."""
    with tempfile.TemporaryDirectory(prefix="isocenter-bench-") as name:
        yield Path(name)


def filled(count: int) -> tuple[str, ...]:
    """Data files of a catalog of `count` instances, made once."""
    cache = Path(os.environ.get("BENCH_CACHE") or tempfile.gettempdir())
    place = cache / f"isocenter-catalog-{count}-v{_VERSION}"
    done = place / "head"
    if not done.exists():
        catalog, heads, seq = Catalog(place), {}, 0
        for batch in _batches(count):
            seq += batch.num_rows
            heads = catalog.append({"instances": [batch]}, seq=seq, heads=heads)
            print(f"  made {seq:,} of {count:,} instances", file=sys.stderr)
        done.write_text(str(heads["instances"]))
    return tuple(Catalog(place).files("instances", int(done.read_text())))


def _batches(count: int) -> Iterator[pa.RecordBatch]:
    if count <= _MILLION:
        yield from quick_batches(count, min(count, 200_000))
        return
    files, seq = filled(_MILLION), 1
    for number in range(count // _MILLION):
        for file in files:
            table = copied(pq.read_table(file), number, seq)
            yield from table.combine_chunks().to_batches()
            seq += table.num_rows


def least(doing: Callable[[], object], rounds: int = 7) -> float:
    """Milliseconds of the quickest round."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        doing()
        times.append((time.perf_counter() - started) * 1000)
    return min(times)


def processor(doing: Callable[[], object], rounds: int = 7) -> float:
    """Milliseconds of processor time, of all threads, of the cheapest round."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        doing()
        times.append((time.process_time() - started) * 1000)
    return min(times)


def rate(doing: Callable[[], int], rounds: int = 3) -> float:
    """Rows a second of processor time, the best round."""
    best = 0.0
    for _ in range(rounds):
        started = time.process_time()
        best = max(best, doing() / (time.process_time() - started))
    return best


# -- rows, flush, compaction -------------------------------------------------------------------------------


def making_rows() -> list[Row]:
    """Headers to rows: from packed headers as a flush does, and the conversion alone."""
    images = [
        read_header(_bytes(image))
        for image in ct(Subject(PatientID="BENCH", seed="bench"), slices=20, size=16)
    ]
    packed = [(header.raw, header.transfer_syntax, header.data_set_offset) for header in images] * 50
    made = list(islice(documents(2000), 2000))
    told = [facts(document, seq) for seq, document in enumerate(made)]

    def whole() -> int:
        builder = RowBuilder()
        for number, (raw, syntax, offset) in enumerate(packed):
            document = to_json(Header.unpack(raw, transfer_syntax=syntax, data_set_offset=offset))
            builder.add(facts(document, number), document)
        return int(builder.batch().num_rows)

    def alone() -> int:
        builder = RowBuilder()
        for fact, document in zip(told, made, strict=True):
            builder.add(fact, document)
        return int(builder.batch().num_rows)

    return [
        Row("header to row, JSON included, one core", rate(whole), "rows/s", reach="1,500 rows/s"),
        Row("JSON to row alone (4.6 KB of JSON)", rate(alone), "rows/s"),
    ]


def _bytes(image: object) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True)  # type: ignore[attr-defined]
    return buffer.getvalue()


def flushing() -> list[Row]:
    """A flush of 20,000 rows, derived tables, and the compaction of ten of them."""
    with folder() as place, Engine() as engine:
        catalog, heads, times, deriving = Catalog(place), {}, [], []
        seq = 0
        for batch in quick_batches(200_000, 20_000):
            seq += batch.num_rows
            started = time.perf_counter()
            scope = Scope(
                tuple(catalog.files("instances", heads.get("instances"))), pa.Table.from_batches([batch])
            )
            derived = {name: table.to_batches() for name, table in derive(engine, scope, seq).items()}
            deriving.append(time.perf_counter() - started)
            heads = catalog.append({"instances": [batch]} | derived, seq=seq, heads=heads)
            times.append(time.perf_counter() - started)
        started = time.perf_counter()
        done = catalog.compact("instances", heads["instances"])
        took = time.perf_counter() - started
        assert done.version is not None
        files = catalog.files("instances", done.version)
        size = sum(Path(file).stat().st_size for file in files)
        restore = least(lambda: catalog.restore("instances", heads["instances"]), 1)
    return [
        Row("flush of 20,000 rows, durable, derived tables included", min(times) * 1000, "ms"),
        Row("of it derived tables", min(deriving) * 1000, "ms"),
        Row("compaction of ten flushes", seq / took, "rows/s"),
        Row("catalog with JSON, compacted", size / seq, "B/instance", reach="150 B/instance"),
        Row("restore of a version", restore, "ms"),
    ]


# -- questions -----------------------------------------------------------------------------------------------


def asking(files: tuple[str, ...], reach: str) -> list[Row]:
    """Counts by any attribute, frames, and what tombstones cost."""
    with Engine() as engine:
        scope = Scope(files)
        total = engine.count(scope)
        rows = []
        for question in COUNTS:
            count = partial(engine.count, scope, predicate=parse(question))
            beside = f"{processor(count):.0f} ms of processor time"
            rows.append(
                Row(f"{total:,} instances: count {question}", least(count), "ms", beside, reach=reach)
            )
        predicate = parse("Modality = CT and SliceThickness < 6")
        series = least(lambda: engine.count(scope, Level.SERIES, predicate))
        rows.append(Row(f"{total:,} instances: count of series", series, "ms"))
        frame = least(
            lambda: engine.query(scope, predicate=predicate, columns=FRAME, limit=10_000).read_all()
        )
        rows.append(
            Row(f"{total:,} instances: frame of 10,000 rows, 10 columns", frame, "ms", reach="120 ms")
        )
        latest = [("StudyDate", "desc")]
        ordered = least(
            lambda: engine.query(
                scope, predicate=predicate, columns=FRAME, order=latest, limit=10_000
            ).read_all()
        )
        rows.append(Row(f"{total:,} instances: the same, the latest ones", ordered, "ms"))
        wide = least(lambda: engine.query(scope, predicate=predicate, limit=10_000).read_all(), 3)
        rows.append(Row(f"{total:,} instances: the same, index columns", wide, "ms"))
        rows.append(_with_dead_rows(engine, scope, total, reach))
    return rows


def _with_dead_rows(engine: Engine, scope: Scope, total: int, reach: str) -> Row:
    some = engine.query(scope, columns=["_sop_key", "SOPInstanceUID", "_seq"], limit=1000).read_all()
    tombstones = some.rename_columns(list(TOMBSTONES.names))
    dying = Scope(scope.files, None, tombstones)
    predicate = parse("SliceThickness < 2")
    took = least(lambda: engine.count(dying, predicate=predicate))
    return Row(f"{total:,} instances: count SliceThickness < 2, 1,000 deleted", took, "ms", reach=reach)


def main() -> None:
    """Measure and print."""
    count = option("instances", _MILLION)
    files = filled(count)
    if "--questions" not in sys.argv:
        report("Catalog: making and keeping rows", making_rows() + flushing())
    report("Catalog: questions", asking(files, _REACH.get(count, "")))


if __name__ == "__main__":
    main()
