"""Paths of several services: `/studies` is searched and stored to, a study retrieved, stored to, deleted."""

from __future__ import annotations

from typing import ClassVar

from isocenter.dicom.levels import Level
from isocenter.dicomweb.delete import DeleteHandler
from isocenter.dicomweb.paths import INSTANCE, ROOT, SERIES, STUDY
from isocenter.dicomweb.qido import SearchHandler
from isocenter.dicomweb.stow import StoreHandler
from isocenter.dicomweb.wado import RetrieveHandler
from isocenter.http.application import Route
from isocenter.security import Action


class Studies(StoreHandler, SearchHandler):
    """All studies of the dataset: search (GET) and store (POST)."""


class Study(DeleteHandler, StoreHandler, RetrieveHandler):
    """One study: retrieve (GET), store into it (POST), delete (DELETE)."""

    actions: ClassVar = {**StoreHandler.actions, "DELETE": Action.CURATE}


class Below(DeleteHandler, RetrieveHandler):
    """One series or instance: retrieve (GET), delete (DELETE)."""

    actions: ClassVar = {**RetrieveHandler.actions, "DELETE": Action.CURATE}


routes: list[Route] = [
    (ROOT + r"/studies/?", Studies, {"level": Level.STUDY}),
    (ROOT + STUDY, Study),
    (ROOT + SERIES, Below),
    (ROOT + INSTANCE, Below),
]
