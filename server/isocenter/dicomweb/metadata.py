"""WADO-RS metadata (PS3.18 10.4.1.1.2): the DICOM JSON of every instance of what is named.

What was left out of the JSON for its size is a BulkDataURI that `bulkdata` answers, absolute as the client
sees this server. Not here: XML, and metadata prepared and kept compressed.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

from isocenter.dicom.json_model import to_json_bytes
from isocenter.dicom.levels import Level
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.paths import INSTANCE, ROOT, SERIES, STUDY, Target
from isocenter.index.records import StoredInstance

if TYPE_CHECKING:
    from isocenter.archive import Dataset

# As `json_model.placeholder` writes it. Inside a JSON text these quotes would be escaped, so that no value of
# an attribute can be taken for it.
_PLACEHOLDER = b'"BulkDataURI":"?'
_AT_ONCE = 256 * 1024


class MetadataHandler(DicomwebHandler):
    """The metadata of what the path names."""

    face = "metadata"

    async def get(self, **_path: str) -> None:
        """Send a JSON array with one object for each instance, in series and InstanceNumber order."""
        media_type = self.json_type()
        single = self.target.level is Level.INSTANCE
        found = [await self.instance()] if single else await self.instances()
        etag = _etag(found, self.root)
        self.set_header("Content-Type", media_type)
        self.set_header("ETag", etag)
        self.add_header("Vary", "Accept, Forwarded, Host")
        if self.check_etag_header():
            self.set_status(304)
            return
        pieces = _pieces(self.dataset(), self.target, found, self.root)
        try:
            while piece := await self.context.long(next, pieces, b""):
                self.write(piece)
                await self.flush()
        finally:
            await self.context.long(pieces.close)

    head = get


def _etag(found: list[StoredInstance], root: str) -> str:
    """Changes when an instance comes, goes or is replaced, and with the address that the links have."""
    digest = blake2b(root.encode(), digest_size=12)
    digest.update(array("q", sorted(one.seq for one in found)).tobytes())
    return f'W/"{digest.hexdigest()}"'


def _pieces(
    dataset: Dataset, target: Target, found: list[StoredInstance], root: str
) -> Generator[bytes, None, None]:
    """The JSON array in pieces of about 256 KiB."""
    held, size, before = [b"["], 1, b""
    for document in _documents(dataset, target, found, root):
        held.append(before + document)
        size += len(document)
        before = b","
        if size > _AT_ONCE:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join([*held, b"]"])


def _documents(dataset: Dataset, target: Target, found: list[StoredInstance], root: str) -> Iterator[bytes]:
    """One instance is read from its object, many come from the catalog."""
    if target.level is Level.INSTANCE:
        header = dataset.header(found[0])
        document = to_json_bytes(header, assume_charset=dataset.place.assume_charset)
        yield _absolute(document, found[0], root)
        return
    by_uid = {one.SOPInstanceUID: one for one in found}
    for uid, text in dataset.metadata(target.predicate):
        if uid in by_uid:
            yield _absolute(text.encode("utf-8", "replace"), by_uid[uid], root)


def _absolute(document: bytes, instance: StoredInstance, root: str) -> bytes:
    if _PLACEHOLDER not in document:
        return document
    where = Target(instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID).path
    return document.replace(_PLACEHOLDER, f'"BulkDataURI":"{root}{where}/bulkdata?'.encode())


routes = [(ROOT + path + r"/metadata", MetadataHandler) for path in (STUDY, SERIES, INSTANCE)]
