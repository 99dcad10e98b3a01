"""Objects that belong to no patient: color palettes, hanging and procedure protocols, implant templates.

They come over DICOMweb (PS3.18 chapter 12) and are kept whole in the dataset's index, in Explicit VR Little
Endian; a rebuild carries them over from the old index. Not here: C-STORE, which refuses what has no study.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from isocenter.archive.arrival import Origin
from isocenter.dicom.header import read_header
from isocenter.dicom.json_model import to_json
from isocenter.dicom.non_patient import RESOURCES
from isocenter.dicom.transcode import to_file
from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN
from isocenter.errors import BadRequest, Conflict, NotFound, UnreadableObject
from isocenter.index import Index, nonpatient
from isocenter.index.nonpatient import NonPatient
from isocenter.objects.part10 import LONGEST_NAME, Provenance, build_head

Json = dict[str, Any]
_TEXT = frozenset({"LT", "ST", "UC", "UR", "UT"})


class NonPatientObjects:
    """The objects without a patient of one dataset. Methods block: call them in a thread.

    Args:
        index: of the dataset.
        dataset: its name, for the provenance.
        assume_charset: character set of text beyond ASCII where an object names none.
    """

    def __init__(self, index: Index, dataset: str, assume_charset: str | None = None) -> None:
        self._database = index.database
        self._dataset = dataset
        self._assume_charset = assume_charset

    def store(self, raw: bytes, resource: str, origin: Origin, uid: str = "") -> NonPatient:
        """Store a Part 10 file, durably when this returns. The same bytes again change nothing.

        Args:
            raw: the file.
            resource: one of `dicom.non_patient.RESOURCES`.
            origin: who sends it.
            uid: the only SOP Instance UID that is taken, if given.

        Raises:
            UnreadableObject: not DICOM, or it cannot be written in Explicit VR Little Endian.
            BadRequest: it is not of this resource, or has no or another UID.
            Conflict: other bytes are stored under its UID.
        """
        made = self._describe(raw, origin)
        if made.SOPClassUID not in RESOURCES[resource]:
            raise BadRequest(f"This object is none of the {resource}", detail={"sop_class": made.SOPClassUID})
        if uid and made.SOPInstanceUID != uid:
            raise BadRequest("This object has another SOP Instance UID than the path")
        with self._database.write() as session:
            known = nonpatient.find(session, made.SOPInstanceUID)
            if known is None:
                nonpatient.add(session, made)
            elif known.sha256 != made.sha256:
                raise Conflict("Other bytes are stored under this SOP Instance UID")
        return known or made

    def _describe(self, raw: bytes, origin: Origin) -> NonPatient:
        data_set = _explicit(raw)
        header = read_header(data_set, transfer_syntax=EXPLICIT_LITTLE_ENDIAN)
        keys = header.index_keys()
        uid, sop_class = (keys.get(keyword, "") for keyword in ("SOPInstanceUID", "SOPClassUID"))
        if not uid or not sop_class:
            raise UnreadableObject("The data set has no SOP Instance UID or SOP Class UID")
        received = time.time_ns() // 1000
        names = (origin.source_aet[:LONGEST_NAME], origin.called_aet[:LONGEST_NAME])
        head = build_head(sop_class, uid, EXPLICIT_LITTLE_ENDIAN, Provenance(*names, self._dataset, received))
        document = _with_values(to_json(header, assume_charset=self._assume_charset), data_set)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return NonPatient(
            uid, sop_class, hashlib.sha256(data_set).hexdigest(), received, text, head + data_set
        )

    def documents(self, resource: str) -> Iterator[Json]:
        """The DICOM JSON of all objects of a resource, in the order in which they came."""
        with self._database.read() as session:
            for text in nonpatient.documents(session, RESOURCES[resource]):
                yield json.loads(text)

    def get(self, resource: str, uid: str) -> NonPatient:
        """One object. Raises NotFound."""
        with self._database.read() as session:
            found = nonpatient.find(session, uid)
        if found is None or found.SOPClassUID not in RESOURCES[resource]:
            raise NotFound(f"There is no such object among the {resource} of this dataset")
        return found

    def delete(self, resource: str, uid: str) -> None:
        """Delete one object. Raises NotFound."""
        self.get(resource, uid)
        with self._database.write() as session:
            nonpatient.remove(session, uid)


def _explicit(raw: bytes) -> bytes:
    """The data set of a file in Explicit VR Little Endian. Raises UnreadableObject."""
    header = read_header(io.BytesIO(raw))
    if header.transfer_syntax == EXPLICIT_LITTLE_ENDIAN:
        return raw[header.data_set_offset :]
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(raw)
        target.touch()
        to_file(
            str(source), header.data_set_offset, header.transfer_syntax, EXPLICIT_LITTLE_ENDIAN, str(target)
        )
        return target.read_bytes()


def _with_values(document: Json, data_set: bytes) -> Json:
    """DICOM JSON with the large values in it: there is no other place to get them from."""
    made: Json = {}
    for key, element in document.items():
        if "BulkDataURI" in element:
            made[key] = _inline(element["vr"], element["BulkDataURI"], data_set)
        elif element["vr"] == "SQ" and "Value" in element:
            made[key] = {"vr": "SQ", "Value": [_with_values(item, data_set) for item in element["Value"]]}
        else:
            made[key] = element
    return made


def _inline(vr: str, place: str, data_set: bytes) -> Json:
    told = parse_qs(place.lstrip("?"))
    start = int(told["offset"][0])
    value = data_set[start : start + int(told["length"][0])] if "length" in told else data_set[start:]
    if vr in _TEXT:
        return {"vr": vr, "Value": [value.decode("utf-8", "replace").rstrip(" \0")]}
    return {"vr": vr, "InlineBinary": b64encode(value).decode()}
