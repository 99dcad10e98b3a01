"""DICOMweb (PS3.18): QIDO-RS, WADO-RS, STOW-RS, UPS-RS, non-patient instances, capabilities (row 8)."""

from isocenter.dicomweb import (
    bulkdata,
    capabilities,
    frames,
    metadata,
    nonpatient,
    pixeldata,
    qido,
    rendered,
    studies,
    subscribers,
    thumbnail,
    ups,
    uri,
)
from isocenter.http.application import Route

routes: list[Route] = [
    *studies.routes,
    *qido.routes,
    *metadata.routes,
    *frames.routes,
    *bulkdata.routes,
    *pixeldata.routes,
    *ups.routes,
    *subscribers.routes,
    *nonpatient.routes,
    *rendered.routes,
    *thumbnail.routes,
]
routes += capabilities.routes_for(routes)
routes += uri.routes  # a service of its own, beside the root that capabilities describe
