"""The automation API at `/api` (row 8)."""

from isocenter.rest import changes, datasets, system, tables

routes = [*system.routes, *tables.routes, *datasets.routes, *changes.routes]
