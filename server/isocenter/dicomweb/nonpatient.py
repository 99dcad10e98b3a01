"""Non-Patient Instances (PS3.18 chapter 12): store, search and retrieve objects that have no study.

Color palettes, hanging protocols, procedure protocols and approvals, implant templates, inventories; kept in
the dataset's index, 64 MiB at most in a request. DELETE is ours. Not here: rendering them, C-STORE of them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from isocenter.archive import Origin
from isocenter.archive.nonpatient import NonPatientObjects
from isocenter.dicom.attributes import lookup
from isocenter.dicom.matching import match_all
from isocenter.dicom.non_patient import RESOURCES, RESULTS
from isocenter.dicom.predicate import matches
from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN, clean
from isocenter.dicomweb.data_sets import DataSetHandler, Json
from isocenter.dicomweb.media import ANY, DICOM
from isocenter.dicomweb.parameters import Search, parse_search
from isocenter.dicomweb.paths import ROOT
from isocenter.dicomweb.representation import DICOM_JSON, choose
from isocenter.dicomweb.store_answer import Result, failure, response_items
from isocenter.errors import BadRequest, IsocenterError, NotAcceptable
from isocenter.http.accept import parse_media_type
from isocenter.http.failures import UnsupportedMedia
from isocenter.http.multipart import MultipartReader, MultipartWriter, PartData, PartStart
from isocenter.security import Action

_CONTENT_TYPE = f"{DICOM}; transfer-syntax={EXPLICIT_LITTLE_ENDIAN}"


class NonPatientHandler(DataSetHandler):
    """What the resources of non-patient instances share."""

    face = "nonpatient"
    actions: ClassVar[Mapping[str, Action]] = {
        **DataSetHandler.actions,
        "POST": Action.STORE,
        "DELETE": Action.CURATE,
    }
    max_body = 64 * 1024 * 1024
    resource: str

    def initialize(self, resource: str, **shared: Any) -> None:  # type: ignore[override]
        """Of which kind the instances are."""
        super().initialize(**shared)
        self.resource = resource

    @property
    def objects(self) -> NonPatientObjects:
        """Those of the dataset."""
        return NonPatientObjects(self.dataset().index, self.dataset_name, self.dataset().place.assume_charset)

    @property
    def uid(self) -> str:
        """The instance that the path names."""
        return clean(self.path_kwargs.get("uid") or "")

    async def post(self, **_path: str) -> None:
        """Store the DICOM files of the body; each has its own result."""
        files = _files(bytes(self._body), self.request.headers.get("Content-Type", ""))
        origin = Origin(self.identity.name, self.dataset_name, self.request.remote_ip or "")
        results = []
        for raw in files:
            try:
                found = await self.context.long(self.objects.store, raw, self.resource, origin, self.uid)
                results.append(Result(sop_class=found.SOPClassUID, sop_instance=found.SOPInstanceUID))
            except IsocenterError as error:
                results.append(failure(error))
        base = f"{self.root}/{self.resource}/"
        module = response_items(results, lambda result: base + result.sop_instance)
        failed = [result.status for result in results if result.reason]
        status = 200 if len(failed) < len(results) else (failed[0] if len(set(failed)) == 1 else 409)
        self.write_json(module, status=status, media_type=DICOM_JSON)


class NonPatientInstances(NonPatientHandler):
    """Non-patient instances of a kind: search (GET) and store (POST)."""

    async def get(self, **_path: str) -> None:
        """Answer with those that match, in the order in which they came; `[]` when none does."""
        form = choose(self.accepted())
        raw = self.request.query_arguments
        search = parse_search(
            {name: [one.decode("utf-8", "replace") for one in found] for name, found in raw.items()}
        )
        for text in search.warnings:
            self.warn(text)
        objects, resource = self.objects, self.resource
        found = await self.context.long(lambda: list(_matching(objects.documents(resource), search)))
        self.send_data_sets(found, form)

    head = get


class OneNonPatientInstance(NonPatientHandler):
    """One non-patient instance: retrieve (GET), store (POST), delete (DELETE)."""

    async def get(self, **_path: str) -> None:
        """Answer with the DICOM file, or with all of it as JSON or XML."""
        found = await self.context.short(self.objects.get, self.resource, self.uid)
        self.add_header("Vary", "Accept")
        wanted = _file_wanted(self)
        if wanted is None:
            self.send_data_sets([json.loads(found.json)], choose(self.accepted(), single=True))
        elif wanted == "multipart":
            writer = MultipartWriter(DICOM)
            self.set_header("Content-Type", writer.content_type)
            self.write(writer.head({"Content-Type": _CONTENT_TYPE}) + found.content + writer.tail())
        else:
            self.set_header("Content-Type", _CONTENT_TYPE)
            self.write(found.content)

    head = get

    async def delete(self, **_path: str) -> None:
        """204 when it is gone."""
        await self.context.short(self.objects.delete, self.resource, self.uid)
        self.set_status(204)


def _file_wanted(handler: DataSetHandler) -> str | None:
    """Whether the client wants the file, `single` or `multipart`, rather than JSON or XML.

    Raises:
        NotAcceptable: in a transfer syntax other than Explicit VR Little Endian.
    """
    first = next((item.media for item in handler.accepted() if item.q > 0), None)
    if first is None:
        return None
    multipart = first.name == "multipart/related" and first.get("type").lower() == DICOM
    if first.name != DICOM and not multipart:
        return None
    if first.get("transfer-syntax") not in ("", ANY, EXPLICIT_LITTLE_ENDIAN):
        raise NotAcceptable(f"This is {_CONTENT_TYPE}")
    return "multipart" if multipart else "single"


def _files(body: bytes, content_type: str) -> list[bytes]:
    """The DICOM files of a body. Raises UnsupportedMedia, BadRequest."""
    media = parse_media_type(content_type)
    if media.name == DICOM:
        return [body]
    if media.name != "multipart/related" or media.get("type", DICOM).lower() != DICOM:
        raise UnsupportedMedia(f"Instances are stored as {DICOM}, not {media.name[:60] or 'nothing'}")
    reader = MultipartReader(media.get("boundary"))
    found: list[bytearray] = []
    for event in itertools.chain(reader.feed(body), reader.finish()):
        if isinstance(event, PartStart):
            found.append(bytearray())
        elif isinstance(event, PartData):
            found[-1] += event.data
    if not found:
        raise BadRequest("The body holds no instance")
    return [bytes(one) for one in found]


def _matching(documents: Iterator[Json], search: Search) -> Iterator[Json]:
    predicate = match_all(search.keys, search.rules)
    asked = (*RESULTS, *(name.partition(".")[0] for name in (*search.keys, *search.include)))
    wanted = {lookup(name).tag_text for name in asked}
    found = (one for one in documents if matches(predicate, one))
    end = None if search.limit is None else search.offset + search.limit
    for one in itertools.islice(found, search.offset, end):
        yield one if search.include_all else {key: value for key, value in one.items() if key in wanted}


routes: list[Any] = [
    route
    for name in RESOURCES
    for route in (
        (ROOT + rf"/{name}/?", NonPatientInstances, {"resource": name}),
        (ROOT + rf"/{name}/(?P<uid>[^/]+)", OneNonPatientInstance, {"resource": name}),
    )
]
