"""WADO-URI (PS3.18 9): one instance by query parameters, as a DICOM file or rendered, at `/wado`.

Sending is that of WADO-RS: files by `wado`, pictures by `rendered`. Without contentType a single image is a
JPEG, a report HTML, a document or video itself, and a multi-frame image, like all else, the DICOM file
(PS3.18 9.1.2.1.1).
"""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicom.uids import EXPLICIT_LITTLE_ENDIAN
from isocenter.dicomweb.anonymized import anonymized
from isocenter.dicomweb.contents import JPEG, Content, Kind
from isocenter.dicomweb.media import DICOM, Wanted
from isocenter.dicomweb.paths import Target
from isocenter.dicomweb.pictures import Picture, find
from isocenter.dicomweb.rendered import RenderedHandler
from isocenter.dicomweb.uri_parameters import UriRequest, parse_uri
from isocenter.dicomweb.viewing import not_acceptable
from isocenter.dicomweb.wado import RetrieveHandler, plan_of
from isocenter.errors import BadRequest, NotFound
from isocenter.http.accept import negotiate
from isocenter.http.closing import ends_with_connection
from isocenter.index.records import StoredInstance
from isocenter.security import Action


class UriHandler(RenderedHandler, RetrieveHandler):
    """One instance by its UIDs in the query, as a DICOM file or rendered."""

    face = "wado-uri"

    @property
    def target(self) -> Target:
        """The instance that the query names."""
        return self._asked.target

    @ends_with_connection
    async def get(self, **_path: str) -> None:
        """Send it."""
        self._asked = asked = parse_uri(self.query())
        for warning in asked.warnings:
            self.warn(warning)
        if asked.anonymize:
            self.dataset(None, Action.DEIDENTIFY)
        instance = await self.instance()
        if asked.anonymize:
            instance = await anonymized(self.context, instance)
        content = await self.content(instance)
        media_type = _chosen(asked, content)
        if media_type == DICOM:
            wanted = Wanted(False, DICOM, asked.transfer_syntax or EXPLICIT_LITTLE_ENDIAN)
            await self._send_one(plan_of([instance], [wanted]))
            return
        await self.send_picture(await self._picture(asked, instance, content, media_type), asked.view)

    head = get

    async def _picture(
        self, asked: UriRequest, instance: StoredInstance, content: Content, media_type: str
    ) -> Picture:
        if content.kind is Kind.STATE:
            return await self.context.short(self._first, instance, media_type)
        if asked.frame is not None and (content.kind is not Kind.IMAGE or asked.frame > content.frames):
            raise BadRequest(f"There is no frame {asked.frame}", hint=f"frames are 1 to {content.frames}")
        state = await self._state(asked) if asked.state else None
        return Picture(instance, content, media_type, asked.frame, state)

    async def _state(self, asked: UriRequest) -> StoredInstance:
        """The presentation state that the query names."""
        assert asked.state is not None
        series, uid = asked.state
        found = await self.context.short(find, self.dataset(), uid)
        if found is None or found.SeriesInstanceUID != series:
            raise NotFound("There is no such presentation state in this dataset")
        if (await self.content(found)).kind is not Kind.STATE:
            raise BadRequest("presentationUID names an instance that is no presentation state")
        return found


def _chosen(asked: UriRequest, content: Content) -> str:
    """The media type to answer with.

    Raises:
        NotAcceptable: none that contentType names can be had.
    """
    if not asked.content_types:
        return _default(asked, content)
    offers: Sequence[str] = (DICOM, *content.offers) if asked.first_is_dicom else (*content.offers, DICOM)
    chosen = negotiate(asked.content_types, offers)
    if chosen is None:
        raise not_acceptable((*content.offers, DICOM), several=False)
    return chosen


def _default(asked: UriRequest, content: Content) -> str:
    if content.kind is Kind.IMAGE:
        return JPEG if content.frames == 1 or asked.frame is not None or asked.state else DICOM
    return content.offers[0] if content.offers and content.kind is not Kind.OTHER else DICOM


routes = [(r"(?:/datasets/(?P<dataset>[A-Za-z0-9_-]{1,64}))?/wado/?", UriHandler)]
