"""Catalog rows of as many instances as wanted, made from the real series metadata of PyPI's `idc-index-data`.

Every series is a real one (its UIDs, dates, descriptions, maker, number of instances); its instances get a
CT or MR header of about 3 KB: the public attributes and some private ones of pydicom's CT and MR files, with
the attributes that differ between the images of a real series differing here.
"""

from __future__ import annotations

import hashlib
import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import idc_index_data
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydicom
from pydicom.data import get_testdata_file

from isocenter.catalog.rows import RowBuilder, RowFacts, sort
from isocenter.dicom.uids import key_of

SERIES = """
SELECT PatientID, StudyInstanceUID, SeriesInstanceUID, PatientAge, PatientSex, StudyDate, StudyDescription,
       BodyPartExamined, Modality, SOPClassUID, TransferSyntaxUID, Manufacturer, ManufacturerModelName,
       SeriesDate, SeriesDescription, SeriesNumber, instanceCount
FROM read_parquet($path) WHERE Modality IN ('CT', 'MR') AND instanceCount > 5
ORDER BY hash(StudyInstanceUID), SeriesInstanceUID
"""
_TEXT = ("PatientID", "PatientAge", "PatientSex", "StudyDescription", "BodyPartExamined", "Modality")
_TEXT += ("SOPClassUID", "Manufacturer", "ManufacturerModelName", "SeriesDescription", "SeriesNumber")
_TEXT += ("StudyInstanceUID", "SeriesInstanceUID")
_VARYING = ("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "SliceLocation", "ContentTime")
_VARYING += ("AcquisitionTime", "XRayTubeCurrent", "WindowCenter", "WindowWidth")


def series() -> Iterator[dict[str, Any]]:
    """Real series, in an order that keeps studies together."""
    path = str(Path(idc_index_data.__file__).parent / "idc_index.parquet")
    with duckdb.connect() as connection:
        found = connection.execute(SERIES, {"path": path})
        names = [column[0] for column in found.description]
        while rows := found.fetchmany(500):
            yield from (dict(zip(names, row, strict=True)) for row in rows)


def template(modality: str) -> dict[str, Any]:
    """A header of about 3 KB as DICOM JSON: all public attributes, and two dozen private ones."""
    name = "CT_small.dcm" if modality == "CT" else "MR_small.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document: dict[str, Any] = pydicom.dcmread(
            get_testdata_file(name), stop_before_pixels=True
        ).to_json_dict()
    private = [tag for tag in document if int(tag[:4], 16) % 2 and tag[4:6] != "00"]
    creators = {tag for tag in document if int(tag[:4], 16) % 2 and tag[4:6] == "00"}
    kept = set(private[:24])
    owners = {f"{tag[:4]}00{tag[4:6]}" for tag in kept}
    return {
        tag: element
        for tag, element in document.items()
        if tag in kept or tag in owners or (tag not in creators and tag not in private)
    }


def header(one: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """The header of a series: the template with the series' own values."""
    document = dict(base)
    for keyword in _TEXT:
        attribute = pydicom.datadict.tag_for_keyword(keyword)
        vr = pydicom.datadict.dictionary_VR(keyword)
        text = one[keyword]
        if text:
            value = int(float(text)) if vr == "IS" else text
            document[f"{attribute:08X}"] = {"vr": vr, "Value": [value]}
    for tag, day in (("00080020", "StudyDate"), ("00080021", "SeriesDate"), ("00080022", "SeriesDate")):
        if one[day]:
            document[tag] = {"vr": "DA", "Value": [str(one[day]).replace("-", "")]}
    document["00100010"] = {"vr": "PN", "Value": [{"Alphabetic": one["PatientID"]}]}
    document["00200052"] = {"vr": "UI", "Value": [_uid(random.Random(one["SeriesInstanceUID"]), one)]}
    return dict(sorted(document.items()))


def _uid(dice: random.Random, one: dict[str, Any]) -> str:
    """A UID as the archive's de-identification makes them: the site's root and about 30 random digits."""
    root = one["SeriesInstanceUID"].rpartition(".")[0]
    return f"{root}.{dice.randrange(10**29, 10**30)}"[:64]


def instances(one: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The headers of all instances of a series."""
    dice = random.Random(one["SeriesInstanceUID"] + "i")
    base_z, step = round(dice.uniform(-900, 900), 2), dice.choice([0.625, 1.0, 1.25, 2.5, 3.0, 5.0])
    x, y = round(dice.uniform(-250, -100), 4), round(dice.uniform(-250, -100), 4)
    start = dice.randrange(7 * 3600, 18 * 3600)
    found = []
    for number in range(1, one["instanceCount"] + 1):
        z = round(base_z + number * step, 4)
        clock = start + number * 0.35
        time = f"{int(clock) // 3600:02d}{int(clock) // 60 % 60:02d}{clock % 60:09.6f}"
        varying: dict[str, Any] = {
            "00080018": {"vr": "UI", "Value": [_uid(dice, one)]},
            "00080032": {"vr": "TM", "Value": [time]},
            "00080033": {"vr": "TM", "Value": [time]},
            "00181151": {"vr": "IS", "Value": [dice.randrange(80, 400)]},
            "00200013": {"vr": "IS", "Value": [number]},
            "00200032": {"vr": "DS", "Value": [x, y, z]},
            "00201041": {"vr": "DS", "Value": [z]},
            "00281050": {"vr": "DS", "Value": [dice.randrange(30, 50)]},
            "00281051": {"vr": "DS", "Value": [dice.randrange(300, 400)]},
        }
        found.append(varying)
    return found


def facts(document: dict[str, Any], seq: int) -> RowFacts:
    """What the index knows of an instance."""
    study, series_uid, sop = (document[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
    digest = hashlib.sha256(sop.encode()).hexdigest()
    return RowFacts(
        seq=seq,
        study_key=key_of(study),
        series_key=key_of(series_uid),
        sop_key=key_of(sop),
        received=1_700_000_000_000_000 + seq * 4321,
        source_aet="CT_SCANNER_1",
        called_aet="ISOCENTER",
        object=f"{study}/{series_uid}/{sop}.{digest[:8]}.dcm",
        size=526_000 + seq % 50 * 2,
        sha256=digest,
        transfer_syntax="1.2.840.10008.1.2.1",
        data_set_offset=452,
    )


def documents(count: int) -> Iterator[dict[str, Any]]:
    """Headers of `count` instances, series by series."""
    bases = {modality: template(modality) for modality in ("CT", "MR")}
    for one in series():
        base = header(one, bases[one["Modality"]])
        for varying in instances(one, base):
            yield dict(sorted((base | varying).items()))
            count -= 1
            if not count:
                return


def quick_batches(count: int, rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows made series by series in Arrow, several times quicker than header by header.

    Args:
        count: instances, all in all.
        rows: instances of a batch, at least; 200,000 at most, since Arrow text arrays end at 2 GB.
    """
    bases = {modality: template(modality) for modality in ("CT", "MR")}
    waiting: list[pa.Table] = []
    held, seq = 0, 1
    for one in series():
        table = _series_table(one, header(one, bases[one["Modality"]]), seq, count)
        seq, count, held = seq + table.num_rows, count - table.num_rows, held + table.num_rows
        waiting.append(table)
        if held >= rows or not count:
            whole = pa.concat_tables(waiting, promote_options="default").combine_chunks()
            yield sort(whole.to_batches()[0])
            waiting, held = [], 0
        if not count:
            return


def copied(table: pa.Table, number: int, seq: int) -> pa.Table:
    """The same rows as other instances of other studies of other patients, without `json`.

    Args:
        table: rows.
        number: of the copy, which its UIDs and PatientIDs end in.
        seq: sequence of the first row.
    """
    keys = {
        "StudyInstanceUID": "_study_key",
        "SeriesInstanceUID": "_series_key",
        "SOPInstanceUID": "_sop_key",
    }
    for name in (*keys, "PatientID"):
        texts = pc.dictionary_encode(table[name].combine_chunks())
        others = [f"{text[:60]}.{number}" for text in texts.dictionary.to_pylist()]
        table = _with(table, name, pa.array(others).take(texts.indices))
        if name in keys:
            made = pa.array([key_of(uid) for uid in others], pa.int64())
            table = _with(table, keys[name], made.take(texts.indices))
    table = _with(table, "_seq", pa.array(np.arange(seq, seq + table.num_rows, dtype=np.int64)))
    table = _with(table, "json", pa.nulls(table.num_rows, pa.string()))
    return pa.Table.from_batches([sort(table.combine_chunks().to_batches()[0])])


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    number = table.schema.get_field_index(name)
    return table.set_column(number, table.schema.field(number), column)


def _series_table(one: dict[str, Any], document: dict[str, Any], seq: int, limit: int) -> pa.Table:
    found = instances(one, document)[:limit]
    first = RowBuilder()
    first.add(facts(document | found[0], seq), document | found[0])
    count = len(found)
    table = pa.Table.from_batches([first.batch()]).take(pa.array(np.zeros(count, dtype=np.int64)))
    varied = RowBuilder()
    for number, varying in enumerate(found):
        identity = {tag: document[tag] for tag in ("0020000D", "0020000E")}
        varied.add(facts(identity | varying, seq + number), varying, "")
    own = varied.batch()
    for name in own.schema.names:
        if name in table.schema.names and name not in ("json", "private"):
            table = table.set_column(table.schema.get_field_index(name), name, own.column(name))
    texts = _texts(document, found)
    return table.set_column(table.schema.get_field_index("json"), "json", pa.array(texts))


def _texts(document: dict[str, Any], found: list[dict[str, Any]]) -> list[str]:
    """JSON of the instances, from the series' text with the differing elements cut in."""
    whole = dict(sorted((document | found[0]).items()))
    marked = {tag: f"@{tag}@" if tag in found[0] else element for tag, element in whole.items()}
    text = json.dumps(marked, separators=(",", ":")).replace("{", "{{").replace("}", "}}")
    for tag, element in found[0].items():
        quotes = '"' if isinstance(element["Value"][0], str) else ""
        values = ",".join(f"{quotes}{{e{tag}[{n}]}}{quotes}" for n in range(len(element["Value"])))
        text = text.replace(f'"@{tag}@"', f'{{{{"vr":"{element["vr"]}","Value":[{values}]}}}}')
    return [text.format(**{f"e{tag}": element["Value"] for tag, element in one.items()}) for one in found]
