"""Paths of several services: `/studies` is searched and stored to, a study retrieved and stored to."""

from __future__ import annotations

from isocenter.dicom.levels import Level
from isocenter.dicomweb.paths import ROOT, STUDY
from isocenter.dicomweb.qido import SearchHandler
from isocenter.dicomweb.stow import StoreHandler
from isocenter.dicomweb.wado import RetrieveHandler
from isocenter.http.application import Route


class Studies(StoreHandler, SearchHandler):
    """All studies of the dataset: search (GET) and store (POST)."""


class Study(StoreHandler, RetrieveHandler):
    """One study: retrieve (GET) and store into it (POST)."""


routes: list[Route] = [
    (ROOT + r"/studies/?", Studies, {"level": Level.STUDY}),
    (ROOT + STUDY, Study),
]
