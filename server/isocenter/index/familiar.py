"""What this process stored last, so that more of the same only has to be counted.

Most instances tell of their patient, study and series exactly what the one before told: every value is shown
or kept already, and rows need new totals only.  That is known for sure as long as nobody else stored, deleted
or reset anything since, which the epoch and the last sequence say: each of these moves one of them.

Not here: what is done when something is new (`summary`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isocenter.errors import Damaged
from isocenter.index.database import Session
from isocenter.index.epochs import Epoch
from isocenter.index.summary import Batch
from isocenter.index.told import Told

_LARGEST = 1024

Place = tuple[int, int, str, Told]
"""Study key, series key, SOP class, and what was told."""

_TOTALS = (
    "instances = instances + ?, size = size + ?, changed_seq = ?,"
    " received = CASE WHEN received < ? THEN ? ELSE received END"
)
_SERIES = f"UPDATE series SET {_TOTALS} WHERE study_key = ? AND series_key = ? AND v1 IS NULL"
_STUDY = f"UPDATE study SET {_TOTALS} WHERE study_key = ? AND v1 IS NULL"
_PATIENT = f"UPDATE patient SET {_TOTALS} WHERE patient_key = ? AND identity = ? AND v1 IS NULL"


@dataclass(frozen=True, slots=True)
class Companions:
    """The rows that instances of one place count in."""

    upper_id: int
    patient_key: int
    patient_identity: str


@dataclass(frozen=True, slots=True)
class Familiar:
    """Places whose rows are complete at one state of the index; never changed, only succeeded."""

    epoch: int = 0
    last_seq: int = -1
    places: Mapping[Place, Companions] = field(default_factory=dict)

    def still_holds(self, epoch: Epoch) -> bool:
        """Whether nobody moved on since."""
        return (self.epoch, self.last_seq) == (epoch.now, epoch.last_seq)

    def after(self, epoch: Epoch, learned: Mapping[Place, Companions]) -> Familiar:
        """The same after a commit of one's own that only added."""
        places = {**self.places, **learned} if len(self.places) < _LARGEST else learned
        return Familiar(epoch.now, epoch.last_seq, places)

    def count(self, session: Session, batch: Batch) -> None:
        """Count new instances in; nothing else of these rows changes."""
        companions = self.places[batch.place]
        totals = (batch.count, batch.size, batch.last_seq, batch.received, batch.received)
        changed = (
            session.run(_SERIES, (*totals, batch.study_key, batch.series_key)),
            session.run(_STUDY, (*totals, batch.study_key)),
            session.run(_PATIENT, (*totals, companions.patient_key, companions.patient_identity)),
        )
        if changed != (1, 1, 1):
            raise Damaged("A patient, study or series lacks its row", hint="run `isocenter reindex`")
