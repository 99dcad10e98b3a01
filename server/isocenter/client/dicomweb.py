"""`archive.dicomweb`: the `DICOMClient` protocol of the package dicomweb-client, over our connections.

Code written for a `DICOMClient` runs with it unchanged, through unix sockets and tokens too, and with our
errors in place of those of requests. dicomweb-client itself is not needed. Services: PS3.18 10.4 to 10.6, and
DELETE.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from isocenter.client.dicomweb_parameters import MediaTypes, Parameters, in_parts, media_type, path_of, query
from isocenter.client.parts import Part, parts
from isocenter.client.resource import dicomweb_root
from isocenter.errors import BadRequest

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from isocenter.client.archive import Archive
    from isocenter.client.resource import Resource
    from isocenter.client.transport import Response

Json = dict[str, dict[str, Any]]

_JSON = "application/dicom+json"
_DICOM = "application/dicom"


class DicomwebClient:
    """DICOMweb of one dataset; every method is that of `dicomweb_client.DICOMClient`, with its arguments.

    UIDs are given as text; `media_types` as `("image/jpeg",)` or `(("application/dicom", transfer_syntax),)`.
    """

    qido_url_prefix: str | None = None
    wado_url_prefix: str | None = None
    stow_url_prefix: str | None = None
    delete_url_prefix: str | None = None

    def __init__(self, archive: Archive | Resource) -> None:
        self._transport = archive.transport
        self._root = dicomweb_root(archive.dataset_name)
        self.base_url = self._transport.url + self._root
        self.scheme = urlsplit(self.base_url).scheme
        self.protocol: str | None = "https" if self.scheme == "https" else "http"
        self.url_prefix = urlsplit(self.base_url).path

    def __repr__(self) -> str:
        return f"<DICOMweb at {self.base_url}>"

    # -- search (QIDO-RS)

    def search_for_studies(
        self,
        fuzzymatching: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
        search_filters: dict[str, Any] | None = None,
        get_remaining: bool = False,
        additional_params: Parameters = None,
    ) -> list[Json]:
        """Studies as DICOM JSON; `get_remaining` asks until there are no more."""
        asked = query(fuzzymatching, limit, offset, fields, search_filters, additional_params)
        return self._search("/studies", asked, get_remaining)

    def search_for_series(
        self,
        study_instance_uid: str | None = None,
        fuzzymatching: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
        search_filters: dict[str, Any] | None = None,
        get_remaining: bool = False,
        additional_params: Parameters = None,
    ) -> list[Json]:
        """Series, of a study if one is given, as DICOM JSON."""
        asked = query(fuzzymatching, limit, offset, fields, search_filters, additional_params)
        return self._search(f"{path_of(study_instance_uid)}/series", asked, get_remaining)

    def search_for_instances(
        self,
        study_instance_uid: str | None = None,
        series_instance_uid: str | None = None,
        fuzzymatching: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
        search_filters: dict[str, Any] | None = None,
        get_remaining: bool = False,
        additional_params: Parameters = None,
    ) -> list[Json]:
        """Instances, of a study or series if one is given, as DICOM JSON."""
        if series_instance_uid is not None and study_instance_uid is None:
            search_filters = {**(search_filters or {}), "SeriesInstanceUID": series_instance_uid}
            series_instance_uid = None
        asked = query(fuzzymatching, limit, offset, fields, search_filters, additional_params)
        return self._search(
            f"{path_of(study_instance_uid, series_instance_uid)}/instances", asked, get_remaining
        )

    # -- retrieve (WADO-RS)

    def retrieve_study(
        self, study_instance_uid: str, media_types: MediaTypes = None, additional_params: Parameters = None
    ) -> list[Dataset]:
        """All data sets of a study; `iter_study` holds one at a time."""
        return list(self.iter_study(study_instance_uid, media_types, additional_params))

    def iter_study(
        self, study_instance_uid: str, media_types: MediaTypes = None, additional_params: Parameters = None
    ) -> Iterator[Dataset]:
        """The data sets of a study, while they arrive."""
        return self._data_sets(path_of(study_instance_uid), media_types, additional_params)

    def retrieve_study_metadata(
        self, study_instance_uid: str, additional_params: Parameters = None
    ) -> list[Json]:
        """Headers of a study as DICOM JSON."""
        return self._metadata(path_of(study_instance_uid), additional_params)

    def retrieve_series(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        media_types: MediaTypes = None,
        additional_params: Parameters = None,
    ) -> list[Dataset]:
        """All data sets of a series."""
        return list(self.iter_series(study_instance_uid, series_instance_uid, media_types, additional_params))

    def iter_series(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        media_types: MediaTypes = None,
        additional_params: Parameters = None,
    ) -> Iterator[Dataset]:
        """The data sets of a series, while they arrive."""
        path = path_of(study_instance_uid, series_instance_uid)
        return self._data_sets(path, media_types, additional_params)

    def retrieve_series_metadata(
        self, study_instance_uid: str, series_instance_uid: str, additional_params: Parameters = None
    ) -> list[Json]:
        """Headers of a series as DICOM JSON."""
        return self._metadata(path_of(study_instance_uid, series_instance_uid), additional_params)

    def retrieve_series_rendered(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        media_types: MediaTypes = None,
        params: Parameters = None,
    ) -> bytes:
        """A series as one picture, video or text."""
        return self._rendered(path_of(study_instance_uid, series_instance_uid), media_types, params)

    def retrieve_instance(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        media_types: MediaTypes = None,
        additional_params: Parameters = None,
    ) -> Dataset:
        """The data set of an instance."""
        path = path_of(study_instance_uid, series_instance_uid, sop_instance_uid)
        return next(self._data_sets(path, media_types, additional_params))

    def retrieve_instance_metadata(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        additional_params: Parameters = None,
    ) -> Json:
        """The header of an instance as DICOM JSON."""
        path = path_of(study_instance_uid, series_instance_uid, sop_instance_uid)
        return self._metadata(path, additional_params)[0]

    def retrieve_instance_rendered(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        media_types: MediaTypes = None,
        params: Parameters = None,
    ) -> bytes:
        """An instance as picture, video or text."""
        path = path_of(study_instance_uid, series_instance_uid, sop_instance_uid)
        return self._rendered(path, media_types, params)

    def retrieve_instance_frames(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        frame_numbers: Sequence[int],
        media_types: MediaTypes = None,
        additional_params: Parameters = None,
    ) -> list[bytes]:
        """Frames, numbered from 1; uncompressed unless `media_types` say otherwise."""
        uids = study_instance_uid, series_instance_uid, sop_instance_uid
        return list(self.iter_instance_frames(*uids, frame_numbers, media_types, additional_params))

    def iter_instance_frames(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        frame_numbers: Sequence[int],
        media_types: MediaTypes = None,
        additional_params: Parameters = None,
    ) -> Iterator[bytes]:
        """Frames, while they arrive."""
        path = path_of(study_instance_uid, series_instance_uid, sop_instance_uid)
        target = f"{path}/frames/{','.join(map(str, frame_numbers))}"
        for part in self._parts(target, in_parts(media_types, "*/*"), additional_params):
            yield part.content

    def retrieve_instance_frames_rendered(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        frame_numbers: Sequence[int],
        media_types: MediaTypes = None,
        params: Parameters = None,
    ) -> bytes:
        """Frames as a picture."""
        path = path_of(study_instance_uid, series_instance_uid, sop_instance_uid)
        return self._rendered(f"{path}/frames/{','.join(map(str, frame_numbers))}", media_types, params)

    def retrieve_bulkdata(
        self,
        url: str,
        media_types: MediaTypes = None,
        byte_range: tuple[int, int] | None = None,
        additional_params: Parameters = None,
    ) -> list[bytes]:
        """The value at a BulkDataURI of this server."""
        return list(self.iter_bulkdata(url, media_types, byte_range, additional_params))

    def iter_bulkdata(
        self,
        url: str,
        media_types: MediaTypes = None,
        byte_range: tuple[int, int] | None = None,
        additional_params: Parameters = None,
    ) -> Iterator[bytes]:
        """The value at a BulkDataURI of this server, while it arrives."""
        split = urlsplit(url)
        _, found, below = split.path.partition(f"{self._root}/")
        if not found:
            raise BadRequest(f"{url} is not of {self.base_url}", hint="use a BulkDataURI of its metadata")
        target = f"/{below}?{split.query}" if split.query else f"/{below}"
        headers = {"Range": f"bytes={byte_range[0]}-{byte_range[1]}"} if byte_range else {}
        for part in self._parts(target, in_parts(media_types, "*/*"), additional_params, headers):
            yield part.content

    # -- store (STOW-RS) and delete

    def store_instances(
        self,
        datasets: Sequence[Dataset],
        study_instance_uid: str | None = None,
        additional_params: Parameters = None,
    ) -> Dataset:
        """Store data sets; the answer is the Store Instances Response Module (PS3.18 I.2)."""
        from pydicom.dataset import Dataset

        boundary = token_hex(16)
        headers = {
            "Accept": _JSON,
            "Content-Type": f'multipart/related; type="{_DICOM}"; boundary={boundary}',
        }
        target = self._target(path_of(study_instance_uid) or "/studies", additional_params)
        request = self._transport.request
        body = lambda: _body(datasets, boundary)  # noqa: E731  # made anew when it is sent anew
        with request("POST", target, body, headers=headers, accept_status=(409,)) as response:
            return Dataset.from_json(response.json())

    def delete_study(self, study_instance_uid: str, additional_params: Parameters = None) -> None:
        """Delete a study."""
        self._delete(path_of(study_instance_uid), additional_params)

    def delete_series(
        self, study_instance_uid: str, series_instance_uid: str, additional_params: Parameters = None
    ) -> None:
        """Delete a series."""
        self._delete(path_of(study_instance_uid, series_instance_uid), additional_params)

    def delete_instance(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        additional_params: Parameters = None,
    ) -> None:
        """Delete an instance."""
        path = path_of(study_instance_uid, series_instance_uid, sop_instance_uid)
        self._delete(path, additional_params)

    # -- requests

    def _target(self, path: str, parameters: Parameters) -> str:
        query = urlencode(parameters or {}, doseq=True)
        joint = "&" if "?" in path else "?"
        return f"{self._root}{path}{joint if query else ''}{query}"

    def _get(
        self, path: str, accept: str, parameters: Parameters = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        target = self._target(path, parameters)
        return self._transport.request("GET", target, headers={"Accept": accept, **(headers or {})})

    def _json(self, path: str, parameters: Parameters) -> list[Json]:
        with self._get(path, _JSON, parameters) as response:
            found: list[Json] = json.loads(response.readall() or b"[]")
        return found

    def _search(self, path: str, asked: dict[str, Any], get_remaining: bool) -> list[Json]:
        found = self._json(path, asked)
        some = found
        while get_remaining and some:
            some = self._json(path, {**asked, "offset": asked.get("offset", 0) + len(found)})
            found = found + some
        return found

    def _metadata(self, path: str, parameters: Parameters) -> list[Json]:
        return self._json(f"{path}/metadata", parameters)

    def _parts(
        self, path: str, accept: str, parameters: Parameters, headers: Mapping[str, str] | None = None
    ) -> Iterator[Part]:
        return parts(self._get(path, accept, parameters, headers))

    def _data_sets(self, path: str, media_types: MediaTypes, parameters: Parameters) -> Iterator[Dataset]:
        from pydicom import dcmread

        for part in self._parts(path, in_parts(media_types, _DICOM), parameters):
            yield dcmread(io.BytesIO(part.content))

    def _rendered(self, path: str, media_types: MediaTypes, parameters: Parameters) -> bytes:
        accept = ", ".join(map(media_type, media_types or ())) or "*/*"
        with self._get(f"{path}/rendered", accept, parameters) as response:
            return response.readall()

    def _delete(self, path: str, parameters: Parameters) -> None:
        self._transport.request("DELETE", self._target(path, parameters)).finish()


def _body(datasets: Sequence[Dataset], boundary: str) -> Iterator[bytes]:
    from isocenter.client.sources import encoded

    for dataset in datasets:
        yield f"--{boundary}\r\nContent-Type: {_DICOM}\r\n\r\n".encode()
        yield encoded(dataset)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
