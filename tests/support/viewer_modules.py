# ruff: noqa: E501 - JavaScript in strings
"""The pure modules of the series viewer, run in a page, and DICOM JSON for them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom import Dataset

Run = Callable[..., Any]

RUN = """async ([modules, source, given]) => {
  const loaded = {};
  for (const name of modules) Object.assign(loaded, await import(`/modules/static/series_viewer/${name}.js`));
  const work = new Function("m", "given", `return (async () => { ${source} })()`);
  return work(loaded, given);
}"""


def plane_json(**changes: Any) -> dict[str, Any]:
    """DICOM JSON of an image plane that is oblique in all three directions."""
    first = np.array([0.8, 0.6, 0.0])
    second = np.array([-0.36, 0.48, 0.8])
    told = {
        "00200037": {"vr": "DS", "Value": [*first, *second]},
        "00200032": {"vr": "DS", "Value": [10.0, -20.0, 30.0]},
        "00280030": {"vr": "DS", "Value": [0.5, 0.75]},
    }
    return {**told, **changes}


def image_json(rows: int, columns: int, *, uid: str = "1.2.3", **tags: Any) -> dict[str, Any]:
    """DICOM JSON of a small axial image of signed 16 bits; values by tag."""
    values = {
        "00080018": uid,
        "00080060": "CT",
        "00280010": rows,
        "00280011": columns,
        "00280100": 16,
        "00280101": 16,
        "00280102": 15,
        "00280103": 1,
        "00280002": 1,
        "00280004": "MONOCHROME2",
    }
    made = {tag: {"vr": "", "Value": [value]} for tag, value in values.items()}
    for tag, value in tags.items():
        made[tag.removeprefix("t")] = {"vr": "", "Value": value if isinstance(value, list) else [value]}
    return made


def axial_tags(z: float, *, spacing: float = 1.0, origin: tuple[float, float] = (0.0, 0.0)) -> dict[str, Any]:
    return {
        "t00200037": [1, 0, 0, 0, 1, 0],
        "t00200032": [*origin, z],
        "t00280030": [spacing, spacing],
        "t00200052": "9.9",
    }


def drawn_flat(run: Run, image: Dataset, view: dict[str, Any], *, colour: bool = False) -> np.ndarray:
    """Grey levels (or RGBA) of the first frame, as the flat drawing has them."""
    told = run(
        "frames pixels luts tables flat",
        """const [frame] = m.frames_of([given.dataset]);
        const tables = await m.tables_of(frame, null);
        const bytes = Uint8Array.from(atob(given.pixels), (c) => c.charCodeAt(0));
        const pixels = m.decode_frame(frame.image, bytes.buffer);
        const table = pixels.kind === "grey" ? m.lookup_table(pixels, frame, tables, given.view) : null;
        const colours = m.colours_of(pixels, table);
        let text = "";
        for (let at = 0; at < colours.length; at += 4096) text += String.fromCharCode(...colours.slice(at, at + 4096));
        return btoa(text);""",
        dataset=dicom_json(image),
        pixels=base64.b64encode(image.PixelData).decode(),
        view=view,
    )
    made = np.frombuffer(base64.b64decode(told), np.uint8).reshape(-1, image.Rows, image.Columns, 4)[0]
    return made if colour else made[..., 0].astype(int)


def dicom_json(image: Dataset) -> dict[str, Any]:
    """DICOM JSON as our server writes it, as far as these modules read it: a native PixelData is a link with a length."""
    told: dict[str, Any] = image.to_json_dict(bulk_data_threshold=1 << 30, suppress_invalid_tags=True)
    told["7FE00010"] = {"vr": "OW", "BulkDataURI": "http://server/bulkdata?offset=1&length=2"}
    return told
