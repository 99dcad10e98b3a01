"""WADO-RS metadata (PS3.18 10.4.1.1.2): every attribute of every instance of what is named, as JSON or XML.

What was left out for its size is a BulkDataURI that `bulkdata` answers, absolute as the client sees this
server. Metadata of a study or series is prepared once for each base URL and kept compressed (`prepared`); its
version comes from one row of the index. Of an instance it is read from the object.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from isocenter import __version__
from isocenter.dicom.json_model import to_json_bytes
from isocenter.dicom.levels import Level
from isocenter.dicomweb.bulk_links import absolute
from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.lookup import absent
from isocenter.dicomweb.paths import INSTANCE, ROOT, SERIES, STUDY, Target
from isocenter.dicomweb.prepared import Make, Prepared, PreparedAnswers
from isocenter.dicomweb.representation import Representation, XmlParts, choose
from isocenter.http.accept import takes_gzip
from isocenter.index.records import StoredInstance

if TYPE_CHECKING:
    from isocenter.archive import Dataset
    from isocenter.config import Settings

log = logging.getLogger("isocenter.dicomweb")

_BATCH = 50
# A date in HTTP has whole seconds: what changed just now may change again within the same one.
_SETTLED = 2.0


@dataclass(frozen=True)
class Version:
    """The state of a study or series: each change of an instance below it gives another one."""

    uids: tuple[str, ...]
    changed_seq: int
    instances: int
    size: int


class MetadataHandler(DicomwebHandler):
    """The metadata of what the path names."""

    face = "metadata"

    async def get(self, **_path: str) -> None:
        """Send a data set for each instance, in series and InstanceNumber order."""
        form = choose(self.accepted())
        self.add_header("Vary", "Accept, Accept-Encoding, Forwarded, Host")
        if self.target.level is Level.INSTANCE:
            await self._send_instance(form)
        else:
            await self._send_prepared(form)

    head = get

    async def _send_instance(self, form: Representation) -> None:
        instance = await self.instance()
        digest = self._digest(form, instance.seq, instance.sha256)
        if self._is_known(digest, "", instance.received // 1_000_000):
            return
        batches = ([document] for document in _of_object(self.dataset(), instance, self.root))
        body = await self.context.short(b"".join, form.render(batches))
        self.set_header("Content-Type", form.content_type)
        self.write(body)

    async def _send_prepared(self, form: Representation) -> None:
        dataset, target, root = self.dataset(), self.target, self.root
        version = await self.context.short(_version, dataset, target)
        if version is None:
            raise await self.context.short(absent, dataset, target)
        digest = self._digest(form, version)
        if isinstance(form, XmlParts):
            form = XmlParts(boundary=digest)
        encoding = "gzip" if takes_gzip(self.request.headers.get_list("Accept-Encoding")) else ""
        if self._is_known(digest, encoding, 0):
            return
        answers = self.context.shared(_Kept).of(self.context.settings)
        prepared = await self.context.short(answers.find, digest)
        if prepared is None:

            def make() -> tuple[Iterator[bytes], int]:
                found = dataset.instances(target.predicate)
                return form.render(_batches(dataset, target, found, root)), _changed(found, version)

            def still() -> bool:
                return _version(dataset, target) == version

            try:
                prepared = await self.context.long(answers.get, digest, make, still)
            except OSError as error:
                log.warning("Metadata cannot be kept: %s", error.strerror)
                await self._send_unprepared(form, make)
                return
        try:
            await self._send(prepared, form, digest, encoding)
        finally:
            prepared.file.close()

    async def _send_unprepared(self, form: Representation, make: Make) -> None:
        """As it is made, where the data folder cannot be written."""
        self.set_header("Content-Type", form.content_type)
        pieces = iter((await self.context.long(make))[0])
        while piece := await self.context.long(next, pieces, b""):
            self.write(piece)
            await self.flush()

    async def _send(self, prepared: Prepared, form: Representation, digest: str, encoding: str) -> None:
        if self._is_known(digest, encoding, prepared.modified):
            return
        self.set_header("Content-Type", form.content_type)
        pieces = prepared.compressed() if encoding else prepared.plain()
        if encoding:
            self.set_header("Content-Encoding", encoding)
            self.set_header("Content-Length", str(prepared.size))
        if self.request.method == "HEAD":
            return
        while piece := await self.context.short(next, pieces, b""):
            self.write(piece)
            await self.flush()

    def _digest(self, form: Representation, *of: object) -> str:
        """Names the answer: everything that its bytes depend on."""
        kind = "xml" if form.multipart else "json"
        told = (__version__, self.dataset_name, self.dataset().place.assume_charset, kind, self.root, *of)
        return blake2b(repr(told).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _is_known(self, digest: str, encoding: str, modified: int) -> bool:
        """Set ETag and Last-Modified; answer 304 when the client has this already (RFC 9110 13.2.2)."""
        self.set_header("ETag", f'W/"{digest}{"-" + encoding if encoding else ""}"')
        if modified:
            self.set_header("Last-Modified", formatdate(modified, usegmt=True))
        if "If-None-Match" in self.request.headers:
            known = self.check_etag_header()
        else:
            known = bool(modified) and _is_since(self.request.headers.get("If-Modified-Since"), modified)
        if known:
            self.set_status(304)
        return known


class _Kept:
    """The prepared answers of this process."""

    def __init__(self) -> None:
        self._answers: PreparedAnswers | None = None

    def of(self, settings: Settings) -> PreparedAnswers:
        if self._answers is None:
            folder = settings.data / "cache" / "metadata"
            self._answers = PreparedAnswers(folder, settings.dicomweb.metadata_cache)
        return self._answers


def _is_since(header: str | None, modified: int) -> bool:
    try:
        return header is not None and parsedate_to_datetime(header).timestamp() >= modified
    except (ValueError, TypeError, OverflowError):
        return False


def _version(dataset: Dataset, target: Target) -> Version | None:
    """The state of what the path names, None when there is nothing."""
    level = target.level
    assert level is not None
    count = f"NumberOf{level.value.capitalize()}RelatedInstances"
    columns = ("StudyInstanceUID", level.unique_key, "_changed_seq", count, "_size")
    for row in dataset.index.reader.find(level, target.predicate, columns=columns):
        uids = tuple(target.uids.values())
        return Version(uids, row.get("_changed_seq", 0), row.get(count, 0), row.get("_size", 0))
    return None


def _changed(found: list[StoredInstance], version: Version) -> int:
    """When it changed last, seconds since 1970; 0 where that was no arrival, or only just now."""
    last = max((one.received for one in found if one.seq == version.changed_seq), default=0) / 1_000_000
    return int(last) if time.time() - last > _SETTLED else 0


def _of_object(dataset: Dataset, instance: StoredInstance, root: str) -> Iterator[bytes]:
    document = to_json_bytes(dataset.header(instance), assume_charset=dataset.place.assume_charset)
    yield absolute(document, _path_of(instance), root)


def _batches(
    dataset: Dataset, target: Target, found: list[StoredInstance], root: str
) -> Iterator[list[bytes]]:
    """The DICOM JSON of every instance, from the catalog."""
    by_uid = {one.SOPInstanceUID: one for one in found}
    batch: list[bytes] = []
    for uid, text in dataset.metadata(target.predicate):
        if uid in by_uid:
            batch.append(absolute(text.encode("utf-8", "replace"), _path_of(by_uid[uid]), root))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _path_of(instance: StoredInstance) -> Target:
    return Target(instance.StudyInstanceUID, instance.SeriesInstanceUID, instance.SOPInstanceUID)


routes = [(ROOT + path + r"/metadata", MetadataHandler) for path in (STUDY, SERIES, INSTANCE)]
