"""DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS (row 8)."""

from isocenter.dicomweb import bulkdata, frames, metadata, qido, studies
from isocenter.http.application import Route

routes: list[Route] = [
    *studies.routes,
    *qido.routes,
    *metadata.routes,
    *frames.routes,
    *bulkdata.routes,
]
