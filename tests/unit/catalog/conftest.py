"""Real headers, and the rows made of them."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pydicom
import pytest

from isocenter.catalog.catalog import Catalog
from isocenter.catalog.query import Engine
from isocenter.catalog.rows import RowFacts, to_batch
from isocenter.dicom.uids import key_of

Document = dict[str, Any]


def documents() -> list[Document]:
    """The header of every pydicom test file with a study, series and instance UID, as DICOM JSON."""
    found: dict[str, Document] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(Path(pydicom.__path__[0]).glob("data/**/*.dcm")):
            try:
                dataset = pydicom.dcmread(path, stop_before_pixels=True)
                document = dataset.to_json_dict()
                found.setdefault(value(document, "00080018"), document)
            except Exception:  # noqa: BLE001 - deliberately broken files are not what is tested here
                continue
    return [d for d in found.values() if "0020000D" in d and "0020000E" in d]


def value(document: Document, tag: str) -> str:
    return str(document[tag]["Value"][0])


def facts(document: Document, seq: int) -> RowFacts:
    study, series, sop = (value(document, tag) for tag in ("0020000D", "0020000E", "00080018"))
    return RowFacts(
        seq=seq,
        study_key=key_of(study),
        series_key=key_of(series),
        sop_key=key_of(sop),
        received=1_700_000_000_000_000 + seq,
        source_aet="SCANNER",
        object=f"{study}/{series}/{sop}.dcm",
        size=1000 + seq,
        sha256=f"{seq:064x}",
        transfer_syntax="1.2.840.10008.1.2.1",
    )


def rows(found: list[Document], first_seq: int = 1) -> list[tuple[RowFacts, Document]]:
    return [(facts(document, seq), document) for seq, document in enumerate(found, first_seq)]


@pytest.fixture(scope="session")
def headers() -> list[Document]:
    return documents()


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(threads=2) as warm:
        yield warm


@pytest.fixture(scope="session")
def made() -> Callable[[list[Document], int], pa.RecordBatch]:
    """The batch of some headers whose sequences count from a number."""
    return lambda found, first_seq: to_batch(rows(found, first_seq))
