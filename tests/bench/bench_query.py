"""QIDO-RS and C-FIND at the study level over 1M instances, end to end; and beside Orthanc at one size.

A real server on an index of BENCH_INSTANCES instances (see `grown_archive`) answers one client that asks one
query after the other on one connection. For Orthanc, which cannot be given rows, one instance of each of
BENCH_SERIES real series is sent to both servers, so that their tables of studies are like the large one's.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

from generated_catalog import header, series, template
from grown_archive import copy, wanted
from harness import NAGLE_OFF, ORTHANC, Row, orthanc, report, timed
from pydicom.dataset import Dataset, FileMetaDataset
from scu import STUDY_FIND, association, command, encoded, identifier
from web_client import WebClient

from isocenter.cli.throwaway import Running, server
from isocenter.network.messages import Field

TIMES = int(os.environ.get("BENCH_QUERIES", "300"))
SERIES = int(os.environ.get("BENCH_SERIES", "10000"))
LIMIT = 25
RETURNED = ("PatientName", "PatientID", "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription")
REACH = "p50 under 10"

Keys = Mapping[str, str]


@dataclass(frozen=True)
class Study:
    """What queries ask for."""

    uid: str
    patient: str
    date: str
    modality: str


@dataclass(frozen=True)
class Times:
    """Milliseconds of many queries."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        """Median and 95th percentile."""
        return cls(statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=20)[-1] * 1000)


def by_uid(study: Study) -> Keys:
    return {"StudyInstanceUID": study.uid}


def by_patient(study: Study) -> Keys:
    return {"PatientID": study.patient}


def by_name(study: Study) -> Keys:
    """A wild card: all but the last two letters of a name."""
    return {"PatientName": f"{study.patient[:-2].lower()}*"}


KINDS: dict[str, Callable[[Study], Keys]] = {
    "StudyInstanceUID": by_uid,
    "PatientID": by_patient,
    "PatientName, wild card": by_name,
}
BY_DATE = f"date range and modality, up to {LIMIT} matches"


def by_dates(found: Sequence[Study]) -> list[Keys]:
    """For each study: its day and as many days after it as hold no more than LIMIT studies of its modality.

    Days that alone hold more are passed over: collections are dated with one day for all.
    """
    days: dict[str, list[str]] = {}
    for study in sorted(found, key=lambda study: study.date):
        days.setdefault(study.modality, []).append(study.date)
    made: list[Keys] = []
    for study in found:
        some = days[study.modality]
        reach = some[bisect_left(some, study.date) :][: LIMIT + 1]
        whole = [day for day in reach if day != reach[-1]] if len(reach) > LIMIT else reach
        if whole:
            made.append({"StudyDate": f"{study.date}-{whole[-1]}", "ModalitiesInStudy": study.modality})
    return made


def queries(found: Sequence[Study], dice: random.Random) -> dict[str, list[Keys]]:
    """TIMES queries of each kind, by what the report says of them."""
    made = {what: [keys_of(study) for study in found] for what, keys_of in KINDS.items()}
    made[BY_DATE] = by_dates(found)
    return {what: [dice.choice(some) for _ in range(TIMES)] for what, some in made.items()}


def studies_of(data: Path, dice: random.Random) -> list[Study]:
    """Studies of an index, in random order."""
    text = (
        'SELECT "StudyInstanceUID", "PatientID", "StudyDate", "ModalitiesInStudy" FROM study'
        ' WHERE v1 IS NULL AND "StudyDate" IS NOT NULL AND LENGTH("PatientID") > 4'
    )
    index = sqlite3.connect(data / "datasets" / "main" / "index.db")
    found = [Study(*row[:3], row[3].split("\\")[0]) for row in index.execute(text)]
    index.close()
    dice.shuffle(found)
    return found


def qido(running: Running, asked: Sequence[Keys]) -> Times:
    """QIDO-RS on one kept connection."""
    taken = []
    with WebClient(running.url, running.token) as web:
        for keys in asked:
            began = time.perf_counter()
            web.ask("GET", f"/dicom-web/studies?{urlencode({**keys, 'limit': LIMIT})}")
            taken.append(time.perf_counter() - began)
    return Times.of(taken[len(taken) // 10 :])


def c_find(port: int, title: str, asked: Sequence[Keys]) -> Times:
    """C-FIND on one association."""

    async def ask() -> list[float]:
        taken = []
        async with association(port, STUDY_FIND, called=title) as peer:
            context = peer.context_for(STUDY_FIND)
            assert context is not None
            told = command(Field.C_FIND_RQ, STUDY_FIND)
            for keys in asked:
                wants = dict.fromkeys((*RETURNED, "StudyInstanceUID", "ModalitiesInStudy"), "") | dict(keys)
                data = encoded(identifier("STUDY", wants), context.transfer_syntax)
                began = time.perf_counter()
                async for reply in peer.replies(context, told, data):
                    assert reply.pending or reply.status == 0, reply
                taken.append(time.perf_counter() - began)
        return taken

    taken = asyncio.run(ask())
    return Times.of(taken[len(taken) // 10 :])


def _rows(what: str, times: Times, beside: str = "", ratio: float | None = None) -> list[Row]:
    return [
        Row(f"{what}, p50", times.p50, "ms", beside, ratio, REACH),
        Row(f"{what}, p95", times.p95, "ms"),
    ]


def large(folder: Path) -> list[Row]:
    """Over the large index."""
    data = copy(wanted(), folder / "large")
    dice = random.Random(1)
    found = studies_of(data, dice)
    rows = [Row("studies in the index", len(found), "")]
    with server(data) as running:
        for what, asked in queries(found, dice).items():
            rows += _rows(f"QIDO-RS by {what}", qido(running, asked))
            rows += _rows(f"C-FIND by {what}", c_find(running.dicom_port, running.ae_title, asked))
    return rows


def tiny_files(folder: Path, count: int) -> Iterator[Path]:
    """One instance without pixels of each of so many real series."""
    folder.mkdir()
    bases = {modality: template(modality) for modality in ("CT", "MR")}
    for number, one in enumerate(islice(series(), count)):
        image = Dataset.from_json(header(one, bases[one["Modality"]]))
        for keyword in [e.keyword for e in image if e.tag.is_private or e.VR == "SQ"]:
            if keyword in image:
                del image[keyword]
        image.remove_private_tags()
        image.SOPInstanceUID = f"{one['SeriesInstanceUID'][:60]}.1"
        image.PatientBirthDate, image.Rows, image.Columns, image.BitsAllocated = "19500101", 1, 1, 8
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        path = folder / f"{number:06}.dcm"
        image.save_as(path, enforce_file_format=True)
        yield path


def beside_orthanc(folder: Path) -> list[Row]:
    """The same files in both, the same C-FINDs."""
    list(tiny_files(folder / "files", SERIES))
    dice = random.Random(2)
    data = folder / "small"
    ours: dict[str, Times] = {}
    with server(data) as running:
        _send(running.dicom_port, running.ae_title, folder / "files")
        found = studies_of(data, dice)
        asked = queries(found, dice)
        for what, some in asked.items():
            ours[what] = c_find(running.dicom_port, running.ae_title, some)
    rows = [Row("studies in both", len(found), ""), Row("instances in both", SERIES, "")]
    with orthanc(NAGLE_OFF, DicomAlwaysAllowFind=True) as other:
        _send(other.dicom_port, "ORTHANC", folder / "files")
        for what, some in asked.items():
            theirs = c_find(other.dicom_port, "ORTHANC", some)
            beside = f"quicker than Orthanc ({theirs.p50:.1f} ms)"
            rows += _rows(f"C-FIND by {what}", ours[what], beside, theirs.p50 / ours[what].p50)
    return rows


def _send(port: int, title: str, files: Path) -> None:
    sending = ["dcmsend", "-aec", title, "127.0.0.1", str(port), "--scan-directories", str(files)]
    timed(sending, env=NAGLE_OFF)


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        report(f"Study level queries over {wanted():,} instances, end to end", large(folder))
        if ORTHANC is not None and "--alone" not in sys.argv:
            report("C-FIND beside Orthanc, the same instances in both", beside_orthanc(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
