"""Deletion, adoption of conflict objects, and what moves the heads: each inside the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.dicom.levels import Level
from isocenter.dicom.uids import key_of
from isocenter.errors import Conflict, InvalidValue, NotFound
from isocenter.index import changes, schema
from isocenter.index.candidate import prepare
from isocenter.index.columns import plain
from isocenter.index.database import Session, select_text
from isocenter.index.epochs import Epoch, current, end, store
from isocenter.index.ingest import Ingest, Known, bury, end_instances
from isocenter.index.records import OBJECT_COLUMNS, Deleted, Outcome, Put
from isocenter.index.summary import Summary

Target = tuple[str, str, str, str | None]
"""UID or PatientID, study it lies in, series it lies in, issuer of the PatientID."""

_FOUND = (
    "sop_key",
    "SOPInstanceUID",
    "id",
    "v0",
    "study_key",
    "series_key",
    "upper_id",
    "seq",
    "size",
    "received",
    "object",
    "sha256",
)
_STUDY = (
    'study_key IN (SELECT study_key FROM study WHERE study_key = ? AND "StudyInstanceUID" = ? AND v1 IS NULL)'
)
_SERIES = (
    "(study_key, series_key) IN (SELECT study_key, series_key FROM series"
    ' WHERE series_key = ? AND "SeriesInstanceUID" = ? AND v1 IS NULL)'
)
_INSTANCE = 'sop_key = ? AND "SOPInstanceUID" = ?'
_PATIENT = 'study_key IN (SELECT study_key FROM study WHERE v1 IS NULL AND "PatientID" = ?'


def delete(session: Session, level: Level, target: Target, default_issuer: str) -> Deleted:
    """Delete what `target` names at this level."""
    where, params = _conditions(level, target, default_issuer)
    found = session.rows(select_text("instance", _FOUND, f"v1 IS NULL AND {where} ORDER BY seq"), params)
    if not found:
        return Deleted(0)
    return _delete(session, level, found, default_issuer)


def delete_instances(session: Session, sop_uids: Sequence[str], default_issuer: str) -> Deleted:
    """Delete these instances."""
    wanted = {plain(uid) for uid in sop_uids}
    text = select_text("instance", _FOUND, "{among} AND v1 IS NULL ORDER BY seq")
    keys = [key_of(uid) for uid in sorted(wanted)]
    found = [row for row in session.among(text, "sop_key", keys) if row[1] in wanted]
    if not found:
        return Deleted(0)
    return _delete(session, Level.INSTANCE, list(dict.fromkeys(found)), default_issuer)


def _conditions(level: Level, target: Target, default_issuer: str) -> tuple[str, list[Any]]:
    uid, study, series, issuer = target
    uid = plain(uid)
    if not uid:
        raise InvalidValue("What is to be deleted must be named: an empty UID or PatientID names nothing")
    where: list[str] = []
    params: list[Any] = []
    if level is Level.PATIENT:
        where.append(_PATIENT + (")" if issuer is None else " AND patient_identity = ?)"))
        params += [uid] if issuer is None else [uid, f"{issuer or default_issuer}\x1f{uid}"]
    for one, text, name in (
        (Level.STUDY, _STUDY, study),
        (Level.SERIES, _SERIES, series),
        (Level.INSTANCE, _INSTANCE, ""),
    ):
        if name := uid if level is one else plain(name):
            where.append(text)
            params += [key_of(name), name]
    return " AND ".join(where), params


def _delete(session: Session, level: Level, found: Sequence[Any], default_issuer: str) -> Deleted:
    epoch = current(session)
    seq = epoch.next_seq()
    summary = Summary(session, epoch, default_issuer)
    gone = [Known(*row[2:]) for row in found]
    summary.find((known.study_key, known.series_key) for known in gone)
    lines = _lines(summary, level, found, seq)
    end_instances(session, epoch, summary, gone)
    bury(session, epoch, [(row[0], row[1], seq) for row in found])
    objects = [known.object for known in gone]
    objects += _end_conflicts(session, epoch, [(row[0], row[1]) for row in found])
    summary.finish()
    changes.append(session, lines)
    store(session, epoch)
    return Deleted(len(gone), objects, seq)


def _lines(summary: Summary, level: Level, found: Sequence[Any], seq: int) -> list[changes.Line]:
    """One line for each instance; each deletes once, so followers need no other."""
    lines, at = [], changes.now()
    for row in found:
        study_key, series_key = row[4], row[5]
        study = summary.studies[study_key].values["StudyInstanceUID"]
        series = summary.series[study_key, series_key].values["SeriesInstanceUID"]
        uids = (study, series, row[1])
        lines.append(changes.line("deleted", Level.INSTANCE, uids, seq=seq, at=at, detail=level.value))
    return lines


def _end_conflicts(session: Session, epoch: Epoch, instances: Sequence[tuple[int, str]]) -> list[str]:
    text = select_text("conflict", ("SOPInstanceUID", "id", "v0", "object"), "{among} AND v1 IS NULL")
    uids = {uid for _, uid in instances}
    found = [row for row in session.among(text, "sop_key", [key for key, _ in instances]) if row[0] in uids]
    rows = {(row, v0): path for _, row, v0, path in found}
    end(session, schema.conflict, epoch, rows)
    return list(rows.values())


# -- conflict objects ----------------------------------------------------------------------------------

_STORED = ("id", "v0", "keys", "header", *OBJECT_COLUMNS, "problems")


def adopt(session: Session, conflict: int, put: Put | None, default_issuer: str) -> Outcome:
    """Make a conflict object the visible one."""
    found = session.rows(select_text("conflict", _STORED, "id = ? AND v1 IS NULL"), (conflict,))
    if not found:
        raise NotFound("There is no such conflict object")
    row, v0, *told = found[0]
    stored = _stored_put(told)
    if stored is None and put is None:
        raise Conflict(
            "The index no longer has the header of this object", hint="give the object's description"
        )
    if put is not None and put.sha256 != told[6]:
        raise Conflict("The description given is of another object")
    chosen = stored or put
    assert chosen is not None
    displaced = _displaced(session, chosen)
    end(session, schema.conflict, current(session), [(row, v0)])
    outcome = Ingest(session, "replace", default_issuer).run([prepare(chosen)])[0]
    epoch = current(session)
    if displaced is not None and outcome.kind == "replaced":
        session.insert("conflict", (*displaced, "v0"), [(*displaced.values(), epoch.now)])
    uids = (chosen.keys["StudyInstanceUID"], chosen.keys["SeriesInstanceUID"], chosen.keys["SOPInstanceUID"])
    changes.append(session, [changes.line("adopted", Level.INSTANCE, uids, seq=outcome.seq)])
    return outcome


def _stored_put(told: Sequence[Any]) -> Put | None:
    keys, header, syntax, offset, path, size, sha, file_sha, source, called, received, problems = told
    if keys is None or header is None:
        return None
    known = tuple(json.loads(problems)) if problems else ()
    return Put(
        json.loads(keys), header, syntax, offset, path, size, sha, file_sha, source, called, received, known
    )


def _displaced(session: Session, put: Put) -> dict[str, Any] | None:
    """The conflict row of the instance that is visible until now; its header only while it is in the tail."""
    uid = plain(put.keys["SOPInstanceUID"])
    names = (*OBJECT_COLUMNS, "problems", "seq")
    columns = ", ".join(f'i."{name}"' for name in names)
    found = session.rows(
        f'SELECT i.sop_key, i."SOPInstanceUID", e."SeriesInstanceUID", s."StudyInstanceUID", {columns}'
        " FROM instance i JOIN series e ON e.study_key = i.study_key AND e.series_key = i.series_key"
        " AND e.v1 IS NULL JOIN study s ON s.study_key = i.study_key AND s.v1 IS NULL"
        ' WHERE i.sop_key = ? AND i."SOPInstanceUID" = ? AND i.v1 IS NULL',
        (key_of(uid), uid),
    )
    if not found:
        return None
    head = ("sop_key", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    return dict(zip((*head, *names), found[0], strict=True))


def drop_conflict(session: Session, conflict: int) -> str:
    """Forget a conflict object."""
    found = session.rows(
        select_text("conflict", ("id", "v0", "object"), "id = ? AND v1 IS NULL"), (conflict,)
    )
    if not found:
        raise NotFound("There is no such conflict object")
    row, v0, path = found[0]
    end(session, schema.conflict, current(session), [(row, v0)])
    return str(path)


# -- heads ---------------------------------------------------------------------------------------------


def move_heads(session: Session, heads: Mapping[str, int]) -> None:
    """Set the visible version of these catalog tables."""
    session.many("DELETE FROM catalog_head WHERE name = ?", [(name,) for name in heads])
    session.many("INSERT INTO catalog_head (name, version) VALUES (?, ?)", list(heads.items()))


def end_tombstones(session: Session, epoch: Epoch, applied: Sequence[tuple[int, str, int]]) -> None:
    """End tombstones that hide nothing any more; one set anew meanwhile stays."""
    if not applied:
        return
    text = select_text(
        "tombstone", ("id", "v0", "sop_key", "SOPInstanceUID", "seq"), "{among} AND v1 IS NULL"
    )
    wanted = {tuple(one) for one in applied}
    found = session.among(text, "sop_key", [key for key, _, _ in applied])
    end(session, schema.tombstone, epoch, {(row, v0) for row, v0, *grave in found if tuple(grave) in wanted})
