"""The automation API at `/api` (row 8)."""

from isocenter.rest import (
    anonymize,
    changes,
    cohorts,
    datasets,
    deid,
    deid_review,
    jobs,
    openapi,
    system,
    table_summaries,
    tables,
)

routes = [
    *system.routes,
    *tables.routes,
    *table_summaries.routes,
    *datasets.routes,
    *changes.routes,
    *cohorts.routes,
    *jobs.routes,
    *deid.routes,
    *anonymize.routes,
    *deid_review.routes,
    *openapi.routes,
]
