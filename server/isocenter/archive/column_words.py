"""What the columns of the tables hold, in a few words: ours, and by the dictionary."""

from __future__ import annotations

from isocenter.dicom.attributes import lookup
from isocenter.errors import UnknownAttribute

_OWN = {
    "_study_key": "64-bit key of StudyInstanceUID",
    "_series_key": "64-bit key of SeriesInstanceUID",
    "_sop_key": "64-bit key of SOPInstanceUID",
    "_seq": "sequence in which instances were stored",
    "_received": "when its last byte arrived, UTC",
    "_source_aet": "AE title that sent it",
    "_called_aet": "AE title that it was sent to",
    "_object": "path of the object below the object store",
    "_size": "bytes of the object",
    "_sha256": "identity digest: data set bytes and transfer syntax",
    "_transfer_syntax": "UID of the encoding it is stored in",
    "_data_set_offset": "where its data set begins in the object",
    "_problems": "what is wrong with its encoding",
    "_unconverted": "attributes whose value does not fit their column and is in json only",
}


def describe_column(name: str) -> str:
    """What a column holds, in a few words."""
    if name.startswith("_"):
        return _OWN.get(name, "")
    try:
        attribute = lookup(name)
    except UnknownAttribute:
        return ""
    return f"{attribute.tag_text} {attribute.vr}"
