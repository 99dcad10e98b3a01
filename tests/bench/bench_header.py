"""Reading headers, index keys and DICOM JSON, beside pydicom in the same run.

Both start from the bytes of the file. Figures are processor time, the best of many short rounds taken in
turns with pydicom's: what else runs on the machine counts as little as may be.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pydicom

sys.path.insert(0, str(Path(__file__).parent))
from harness import Row, report  # isort: skip (makes tests/support importable)
from encoded import real_files

from isocenter.datasets.phantoms import Subject, ct
from isocenter.dicom._keys import NAMES
from isocenter.dicom.header import Header, read_header
from isocenter.dicom.json_model import to_json_bytes

KEYWORDS = [name for name in sorted(NAMES) if "." not in name]
REAL = ("MR_small.dcm", "CT_small.dcm", "rtplan.dcm", "emri_small.dcm")


def best(*doings: Callable[[], object], rounds: int = 60, seconds: float = 0.004) -> list[float]:
    """Microseconds of processor time of each doing, in turns: the least over all rounds."""
    least = [float("inf")] * len(doings)
    for _ in range(rounds):
        for index, doing in enumerate(doings):
            began, count = process_time(), 0
            while (took := process_time() - began) < seconds or not count:
                doing()
                count += 1
            least[index] = min(least[index], took / count * 1e6)
    return least


def inputs() -> dict[str, bytes]:
    """A CT of the phantom and some real files."""
    buffer = io.BytesIO()
    next(ct(Subject(), slices=1)).save_as(buffer, enforce_file_format=True)
    found = {"phantom CT": buffer.getvalue()}
    return found | {path.name: path.read_bytes() for path in real_files() if path.name in REAL}


def keys_by_pydicom(data: bytes) -> dict[str, str]:
    """The same texts, read by pydicom as fast as it can: only these tags, no pixels."""
    data_set = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=list(KEYWORDS))
    return {element.keyword: str(element.value) for element in data_set}


def json_by_pydicom(data: bytes) -> str:
    """The header's DICOM JSON by pydicom."""
    data_set = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    return str(data_set.to_json(1024, lambda element: "elsewhere"))


def rows_of(name: str, data: bytes) -> list[Row]:
    """What one file costs."""
    header = read_header(data)
    raw, syntax, offset = header.raw, header.transfer_syntax, header.data_set_offset
    is_ct = name == "phantom CT"

    def unpacked() -> Header:
        return Header.unpack(raw, transfer_syntax=syntax, data_set_offset=offset)

    keys, again, keys_beside = best(
        lambda: read_header(data).index_keys(), lambda: unpacked().index_keys(), lambda: keys_by_pydicom(data)
    )
    text, text_beside = best(lambda: to_json_bytes(unpacked()), lambda: json_by_pydicom(data), rounds=30)
    label = f"{name} ({len(header.tree())} elements)"
    beside, beside_json = f"pydicom's {keys_beside:,.0f}", f"pydicom's {text_beside:,.0f}"
    return [
        Row(f"{label}: read, pack, keys", keys, "us", beside, keys_beside / keys, "60 us" if is_ct else ""),
        Row(f"{label}: keys of a packed one", again, "us", beside, keys_beside / again),
        Row(f"{label}: DICOM JSON", text, "us", beside_json, text_beside / text, "300 us" if is_ct else ""),
    ]


def main() -> None:
    """Measure and print."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report("Headers", [row for name, data in inputs().items() for row in rows_of(name, data)])


if __name__ == "__main__":
    main()
