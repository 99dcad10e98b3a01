"""The BulkDataURIs of stored DICOM JSON, made absolute for whoever asks (PS3.18 F.2.6, 8.7.3.1)."""

from __future__ import annotations

from isocenter.dicomweb.paths import Target

# As `json_model.placeholder` writes it. Inside a JSON text these quotes would be escaped, so that no value of
# an attribute can be taken for it.
_PLACEHOLDER = b'"BulkDataURI":"?'


def absolute(document: bytes, instance: Target, root: str) -> bytes:
    """The DICOM JSON of an instance with links that `bulkdata` answers, at every depth.

    Args:
        document: DICOM JSON as the catalog and `json_model` have it.
        instance: which instance it is of.
        root: absolute URL of the service.
    """
    if _PLACEHOLDER not in document:
        return document
    return document.replace(_PLACEHOLDER, f'"BulkDataURI":"{root}{instance.path}/bulkdata?'.encode())
