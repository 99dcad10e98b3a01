"""Where objects, index and catalog meet; the only writer (row 4)."""

from isocenter.archive.archive import Archive
from isocenter.archive.arrival import Origin
from isocenter.archive.dataset import Dataset
from isocenter.archive.ingest import Mismatch, Rejected
from isocenter.archive.rebuild import Rebuilt, rebuild
from isocenter.archive.reception import Reception, Stored
from isocenter.archive.verify import Finding, Report
from isocenter.index.records import StoredInstance

__all__ = [
    "Archive",
    "Dataset",
    "Finding",
    "Mismatch",
    "Origin",
    "Rebuilt",
    "Reception",
    "Rejected",
    "Report",
    "Stored",
    "StoredInstance",
    "rebuild",
]
