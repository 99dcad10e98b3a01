"""What patient, study and series rows say of the instances below them, kept current in the same commit.

A level shows of each attribute the value of its instance with the lowest sequence; blanks never win; other
values are kept beside it and matched too.  New instances have the highest sequences, so adding them only
fills blanks and adds other values.  When instances go, the values are found again from `upper_values`, but
only where that can make a difference.

A patient is (issuer, PatientID); a study without a PatientID is a patient of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isocenter.dicom.levels import Level
from isocenter.dicom.uids import key_of
from isocenter.index.database import Session
from isocenter.index.epochs import Epoch
from isocenter.index.level_rows import LevelRow, LevelRows, blank
from isocenter.index.remaking import Remaking, joined
from isocenter.index.told import OF_LEVEL, PLACES, Told, differs


@dataclass(slots=True)
class Batch:
    """New instances of one series, of one SOP class, that tell the same."""

    study_key: int
    series_key: int
    sop_class: str
    told: Told
    first_seq: int
    last_seq: int = 0
    count: int = 0
    size: int = 0
    received: int = 0

    @property
    def place(self) -> tuple[int, int, str, Told]:
        """What its instances have in common."""
        return self.study_key, self.series_key, self.sop_class, self.told

    def take(self, seq: int, size: int, received: int) -> None:
        """One more instance; sequences rise."""
        self.last_seq = seq
        self.count += 1
        self.size += size
        self.received = max(self.received, received)


def patient_identity(patient_id: str | None, issuer: str | None, default_issuer: str, study_uid: str) -> str:
    """The text that says whether two studies are of one patient."""
    if patient_id:
        return f"{issuer or default_issuer}\x1f{patient_id}"
    return f"\x1f\x1f{study_uid}"


class Summary:
    """The rows above the instances that one transaction touches.

    Use: `find` the rows there are; `add` instances, `remove` instances; `finish` writes everything.
    """

    def __init__(self, session: Session, epoch: Epoch, default_issuer: str) -> None:
        self.session = session
        self.epoch = epoch
        self.default_issuer = default_issuer
        self.rows = LevelRows(session, epoch)
        self.studies: dict[int, LevelRow] = {}
        self.series: dict[tuple[int, int], LevelRow] = {}
        self.patients: dict[str, LevelRow] = {}
        self.born: list[tuple[Level, str, str]] = []
        self._thinned: dict[tuple[int, int], set[int]] = {}
        self._stale_patients: set[str] = set()
        self._uids: dict[tuple[int, ...], str] = {}

    # -- finding ---------------------------------------------------------------------------------------

    def find(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Load the rows of these (study key, series key), and their patients."""
        wanted = set(pairs) - self.series.keys()
        if not wanted:
            return
        for row in self.rows.load(Level.SERIES, "series_key", sorted({series for _, series in wanted})):
            self.series.setdefault((row.values["study_key"], row.values["series_key"]), row)
        missing = {study for study, _ in wanted} - self.studies.keys()
        loaded = self.rows.load(Level.STUDY, "study_key", sorted(missing)) if missing else []
        for row in loaded:
            self.studies[row.values["study_key"]] = row
        self._find_patients({row.values["patient_key"] for row in loaded})

    def _find_patients(self, keys: set[int]) -> None:
        for row in self.rows.load(Level.PATIENT, "patient_key", sorted(keys)) if keys else []:
            self.patients.setdefault(row.values["identity"], row)

    def _patient(self, identity: str) -> LevelRow | None:
        if identity not in self.patients:
            self._find_patients({key_of(identity)})
        return self.patients.get(identity)

    def accepts(self, study_uid: str, study_key: int, series_uid: str, series_key: int) -> bool:
        """Whether these keys stand for these UIDs here; from then on they do.

        Two UIDs of one 64-bit key cannot both be held: the second is refused, never mixed with the first.
        """
        study = self.studies.get(study_key)
        series = self.series.get((study_key, series_key))
        if study is not None and study.values["StudyInstanceUID"] != study_uid:
            return False
        if series is not None and series.values["SeriesInstanceUID"] != series_uid:
            return False
        return (
            self._uids.setdefault((study_key,), study_uid) == study_uid
            and self._uids.setdefault((study_key, series_key), series_uid) == series_uid
        )

    # -- adding ----------------------------------------------------------------------------------------

    def add(self, batch: Batch) -> None:
        """Count instances in, and show what they tell that nobody told before. Batches come in order."""
        study = self._study_for(batch)
        self._merge(study, batch.told)
        patient = self._patient_for(study)
        series = self._series_for(batch, study, patient)
        self._merge(series, batch.told)
        self._merge(patient, batch.told)
        for row in (series, study, patient):
            _count_in(row, batch)
        _set_union(series, "sop_classes", batch.sop_class)
        _set_union(study, "SOPClassesInStudy", batch.sop_class)
        _set_union(study, "ModalitiesInStudy", series.values["Modality"])

    def _study_for(self, batch: Batch) -> LevelRow:
        study = self.studies.get(batch.study_key)
        if study is None:
            study = blank(Level.STUDY, study_key=batch.study_key, first_seq=batch.first_seq)
            self.studies[batch.study_key] = study
            self.born.append((Level.STUDY, batch.told[PLACES["StudyInstanceUID"]], ""))
        return study

    def _series_for(self, batch: Batch, study: LevelRow, patient: LevelRow) -> LevelRow:
        pair = batch.study_key, batch.series_key
        series = self.series.get(pair)
        if series is None:
            keys = {"study_key": batch.study_key, "series_key": batch.series_key}
            series = blank(Level.SERIES, **keys, first_seq=batch.first_seq)
            self.series[pair] = series
            uids = batch.told[PLACES["StudyInstanceUID"]], batch.told[PLACES["SeriesInstanceUID"]]
            self.born.append((Level.SERIES, *uids))
            study.set("series", study.values["series"] + 1)
            patient.set("series", patient.values["series"] + 1)
        return series

    def _patient_for(self, study: LevelRow) -> LevelRow:
        """The patient of a study; a study that only now tells its PatientID moves to another one."""
        values = study.values
        identity = patient_identity(
            values["PatientID"], values["IssuerOfPatientID"], self.default_issuer, values["StudyInstanceUID"]
        )
        if values["patient_identity"] not in ("", identity):
            self._stale_patients |= {values["patient_identity"], identity}
        patient = self._patient(identity)
        if patient is None:
            patient = blank(
                Level.PATIENT, patient_key=key_of(identity), identity=identity, first_seq=values["first_seq"]
            )
            self.patients[identity] = patient
            self.born.append((Level.PATIENT, values["StudyInstanceUID"], ""))
        if values["patient_identity"] != identity:
            study.set("patient_identity", identity)
            study.set("patient_key", patient.values["patient_key"])
            patient.set("studies", patient.values["studies"] + 1)
        return patient

    def _merge(self, row: LevelRow, told: Told) -> None:
        if told in row.merged:
            return
        row.merged.add(told)
        values = row.values
        for place, column in OF_LEVEL[row.level]:
            text = told[place]
            if not text or text == values[column.sql]:
                continue
            shown = values[column.sql]
            if shown is None:
                row.show(column, text)
            elif differs(column, shown, text):
                self.rows.add_other(row, column, text)

    @property
    def only_added(self) -> bool:
        """Whether no instance went and no study moved to another patient."""
        return not self._thinned and not self._stale_patients

    # -- removing --------------------------------------------------------------------------------------

    def remove(self, study_key: int, series_key: int, upper_id: int) -> None:
        """Note that an instance is no longer visible; `finish` makes its rows anew from what is."""
        self._thinned.setdefault((study_key, series_key), set()).add(upper_id)

    # -- finishing -------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write every row that changed, after the instances themselves were written."""
        remaking = Remaking(self.rows, self.epoch)
        for pair, uppers in self._thinned.items():
            remaking.series(self.series[pair], uppers)
        self._save(self.series.values())
        for study_key in {study for study, _ in self._thinned}:
            self._thin_study(remaking, self.studies[study_key])
        self._save(self.studies.values())
        for identity in sorted(self._stale_patients):
            if patient := self._patient(identity):
                remaking.patient(patient)
        self._save(self.patients.values())

    def _thin_study(self, remaking: Remaking, study: LevelRow) -> None:
        self._stale_patients.add(study.values["patient_identity"])
        if remaking.study(study):
            self._patient_for(study)

    def _save(self, rows: Iterable[LevelRow]) -> None:
        for row in rows:
            if row.values["instances"]:
                self.rows.save(row)
            elif row.id:
                self.rows.set_others(row, {})
                self.rows.remove(row)


def _count_in(row: LevelRow, batch: Batch) -> None:
    values = row.values
    row.set("instances", values["instances"] + batch.count)
    row.set("size", values["size"] + batch.size)
    row.set("changed_seq", max(values["changed_seq"], batch.last_seq))
    row.set("received", max(values["received"], batch.received))


def _set_union(row: LevelRow, name: str, word: str | None) -> None:
    old = row.values[name]
    known = old.split("\\") if old else []
    if word and word not in known:
        row.set(name, joined([*known, word]))
