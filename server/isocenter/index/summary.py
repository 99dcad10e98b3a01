"""What patient, study and series rows say of the instances below them, kept current in the same commit.

A level shows of each attribute the value of its instance with the lowest sequence; blanks never win; other
values are kept beside it and matched too.  New instances have the highest sequences, so adding them only
fills blanks and adds other values.  When instances go, the values are found again from `upper_values`, but
only where that can make a difference.

A patient is (issuer, PatientID); a study without a PatientID is a patient of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from isocenter.dicom.levels import Level
from isocenter.dicom.uids import key_of
from isocenter.index.database import Session
from isocenter.index.epochs import Epoch
from isocenter.index.level_rows import LevelRow, LevelRows, blank
from isocenter.index.remaking import Remaking, joined
from isocenter.index.told import OF_LEVEL, PLACES, Told, differs


class Member(NamedTuple):
    """What summaries need to know of one instance."""

    study_key: int
    series_key: int
    upper_id: int
    seq: int
    size: int
    received: int
    sop_class: str


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

    def add(self, member: Member, told: Told) -> None:
        """Count an instance in, and show what it tells that nobody told before."""
        study = self._study_for(member, told)
        series = self._series_for(member, told, study)
        patient = self._patient_for(study)
        for row in (series, study, patient):
            self._merge(row, told)
            _count_in(row, member)
        _set_union(series, "sop_classes", [member.sop_class])
        _set_union(study, "SOPClassesInStudy", [member.sop_class])
        _set_union(study, "ModalitiesInStudy", [series.values["Modality"]])

    def _study_for(self, member: Member, told: Told) -> LevelRow:
        study = self.studies.get(member.study_key)
        if study is None:
            study = blank(Level.STUDY, study_key=member.study_key, first_seq=member.seq)
            self.studies[member.study_key] = study
            self.born.append((Level.STUDY, told[PLACES["StudyInstanceUID"]], ""))
            self._merge(study, told)
        return study

    def _series_for(self, member: Member, told: Told, study: LevelRow) -> LevelRow:
        pair = member.study_key, member.series_key
        series = self.series.get(pair)
        if series is None:
            keys = {"study_key": member.study_key, "series_key": member.series_key}
            series = blank(Level.SERIES, **keys, first_seq=member.seq)
            self.series[pair] = series
            uids = told[PLACES["StudyInstanceUID"]], told[PLACES["SeriesInstanceUID"]]
            self.born.append((Level.SERIES, *uids))
            study.set("series", study.values["series"] + 1)
            patient = self._patient_for(study)
            patient.set("series", patient.values["series"] + 1)
            self._merge(series, told)
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

    # -- removing --------------------------------------------------------------------------------------

    def remove(self, member: Member) -> None:
        """Note that an instance is no longer visible; `finish` makes its rows anew from what is."""
        self._thinned.setdefault((member.study_key, member.series_key), set()).add(member.upper_id)

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


def _count_in(row: LevelRow, member: Member) -> None:
    values = row.values
    row.set("instances", values["instances"] + 1)
    row.set("size", values["size"] + member.size)
    row.set("changed_seq", max(values["changed_seq"], member.seq))
    row.set("received", max(values["received"], member.received))


def _set_union(row: LevelRow, name: str, words: list[str | None]) -> None:
    old = row.values[name]
    known = old.split("\\") if old else []
    if any(word and word not in known for word in words):
        row.set(name, joined([*known, *words]))
