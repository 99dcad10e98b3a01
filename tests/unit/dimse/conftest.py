"""A live server for the tests of one file, and a small archive to ask."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from data_sets import data_set
from live_dicom import LiveServer, live

from isocenter.archive import Origin

ROOT = "1.2.826.0.1.3680043.8.498"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """An empty server."""
    with live(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with two patients, three studies, four series and eight instances."""
    with live(tmp_path_factory.mktemp("filled")) as running:
        fill(running)
        yield running


def fill(server: LiveServer) -> None:
    """Jane has a CT of two series and an MR later the same day; José has a CT of his own."""
    jane = {"PatientName": "Doe^Jane", "PatientID": "P1", "PatientBirthDate": "19700101"}
    jose = {"PatientName": "García^José", "PatientID": "P2", "PatientBirthDate": "19800202"}
    one = {**jane, "StudyInstanceUID": f"{ROOT}.1", "StudyDate": "20240228", "StudyTime": "230000"}
    two = {**jane, "StudyInstanceUID": f"{ROOT}.2", "StudyDate": "20240229", "StudyTime": "010000"}
    three = {**jose, "StudyInstanceUID": f"{ROOT}.3", "StudyDate": "20240301", "StudyTime": "120000"}
    number = count(1)
    for study, series, modality, instances in (
        (one, "1.1", "CT", 3),
        (one, "1.2", "SR", 1),
        (two, "2.1", "MR", 2),
        (three, "3.1", "CT", 2),
    ):
        for n in range(instances, 0, -1):  # not in the order of their numbers
            raw = data_set(
                **study,
                SeriesInstanceUID=f"{ROOT}.{series}",
                SOPInstanceUID=f"{ROOT}.{series}.{n}",
                Modality=modality,
                InstanceNumber=str(n),
                AccessionNumber=f"A{next(number)}",
            )
            server.dataset.store(raw, Origin("TEST", "ISOCENTER", ""), "1.2.840.10008.1.2.1")
