"""Keeping a view in step with its source: along the change log, or by comparing all where that does not help.

A step looks what became of the instances that the log names, makes what is new, and takes that over in one
transaction with how far it has come: killed anywhere, the next step does the same again. What cannot be made
is kept back, with the reason; so is what a process died of three times.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

from isocenter.archive.differences import parts
from isocenter.archive.view import View
from isocenter.archive.view_store import named
from isocenter.dicom.header import read_header
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import OneOf
from isocenter.errors import NotFound, UnreadableObject
from isocenter.index import Change, Put, StoredInstance
from isocenter.index.origins import Origin, Taken
from isocenter.objects import HEAD_SIZE, object_path
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import Provenance, measure

if TYPE_CHECKING:
    from isocenter.archive.dataset import Dataset

_LINES = 1000
_AT_ONCE = 32
_GONE_AT_ONCE = 1000
_PART = 20_000
_IN_MEMORY = 64 * 1024 * 1024
_DEATHS = 3
_WHOLESALE = frozenset({"reset", "rebuilt", "changed"})
"""Lines of the change log that may concern any instance, where they name none."""
DEADLY = "the process that read it died of it"

Tell = Callable[[int, int], None]
"""Called with how many instances were looked at, and how many there are."""


def is_behind(view: View) -> bool:
    """Whether there is something to do; asked often."""
    told = view.index.reader.progress()
    if told.get("recipe") != view.digest:
        return True
    return told.get("up_to") != str(view.source.reader.last_change())


class Following:
    """One view and its source.

    Args:
        dataset: that is a view.
        source: of which it is one.
        tell: progress.
    """

    def __init__(self, dataset: Dataset, source: Dataset, tell: Tell = lambda done, of: None) -> None:
        if dataset.view is None:
            raise AssertionError(f"{dataset.name} is no view")
        self.view = dataset.view
        self._dataset = dataset
        self._index = dataset.index
        self._source = source
        self._tell = tell
        self._trial = Trial(trial_of(dataset))
        self._provenance = Provenance()

    def run(self) -> int:
        """Step until nothing is left; how many instances of the source were looked at."""
        seen = 0
        with self._alone():
            while is_behind(self.view):
                seen += self._step()
        return seen

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else follows meanwhile, in no process on no machine."""
        with storage_errors("lock a view"), open(self._dataset.place.folder / ".view.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._index.database.alone("view"):
                yield

    def _step(self) -> int:
        told = self._index.reader.progress()
        if told.get("recipe") != self.view.digest:
            self._begin()
            told = self._index.reader.progress()
        self._provenance = self.view.provenance()
        lines = self._lines(told.get("up_to", ""), told.get("at", ""))
        if lines is None:
            return self._everything()
        uids = {one.SOPInstanceUID: None for one in lines if one.SOPInstanceUID}
        self._take_all(list(uids))
        self._index.writer.take_over(Taken(progress=_up_to(lines[-1])))
        return len(uids)

    def _begin(self) -> None:
        """Made by another recipe, or never: what is there goes first, since nobody wants it any more."""
        self._index.writer.take_over(Taken(progress={"recipe": "", "up_to": ""}))
        while page := self._index.reader.origins_after(0, _GONE_AT_ONCE):
            origins = [one for _, one in page]
            gone = [one.SOPInstanceUID for one in origins if one.SOPInstanceUID]
            forgotten = [one.SourceInstanceUID for one in origins]
            self._index.writer.take_over(Taken(gone=gone, forgotten=forgotten))
        made = str(time.time_ns() // 1000)
        self._index.writer.take_over(Taken(progress={"recipe": self.view.digest, "made": made}))

    def _lines(self, up_to: str, at: str) -> list[Change] | None:
        """The next lines of the source's log; None where only comparing all of it helps."""
        if not up_to:
            return None
        last = int(up_to)
        lines = self._source.changes(max(last - 1, 0), _LINES + 1)
        if last:
            if not lines or lines[0].id != last or str(lines[0].time) != at:
                return None  # trimmed, or the log of another index
            lines = lines[1:]
        elif lines and lines[0].id != 1:
            return None
        wholesale = any(not one.SOPInstanceUID and one.kind in _WHOLESALE for one in lines)
        return None if wholesale or not lines else lines

    def _everything(self) -> int:
        """Compare all instances of the source with what is here."""
        reader = self._source.index.reader
        last = reader.last_change()
        lines = self._source.changes(last - 1, 1) if last else []
        seen, count = 0, self._source.count(Level.INSTANCE)
        for low, high in parts(count, _PART):
            uids = [one.SOPInstanceUID for one in reader.instances_between(low, high)]
            for some in _parts(uids, _GONE_AT_ONCE):
                self._take_all(some)
                seen += len(some)
                self._tell(seen, max(seen, count))
        after = 0
        while page := self._index.reader.origins_after(after, _GONE_AT_ONCE):
            after = page[-1][0]
            self._take_all([one.SourceInstanceUID for _, one in page])
        progress = _up_to(lines[0]) if lines else {"up_to": "0", "at": ""}
        self._index.writer.take_over(Taken(progress=progress))
        return seen

    def _take_all(self, uids: Sequence[str]) -> None:
        """Take over what became of these instances of the source."""
        for some in _parts(uids, _GONE_AT_ONCE):
            known = self._index.reader.origins(some)
            there = self._there(some)
            changed = [uid for uid in some if _source(known.get(uid)) != _object(there.get(uid))]
            for part in _parts(changed, _AT_ONCE):
                taken = Taken()
                for uid in part:
                    self._take(taken, known.get(uid), there.get(uid))
                self._index.writer.take_over(taken)
                self._trial.over()

    def _there(self, uids: Sequence[str]) -> dict[str, StoredInstance]:
        found = self._source.index.reader.instances(OneOf(("SOPInstanceUID",), tuple(uids)))
        return {one.SOPInstanceUID: one for one in found}

    def _take(self, taken: Taken, known: Origin | None, there: StoredInstance | None) -> None:
        put: Put | None = None
        if there is None:
            if known is not None:
                taken.forgotten.append(known.SourceInstanceUID)
        else:
            origin, put = self._made(there)
            taken.origins.append(origin)
        if put is not None:
            taken.puts.append(put)
        stays = put.keys["SOPInstanceUID"] if put is not None else ""
        if known is not None and known.SOPInstanceUID and known.SOPInstanceUID != stays:
            taken.gone.append(known.SOPInstanceUID)

    def _made(self, there: StoredInstance) -> tuple[Origin, Put | None]:
        """What is made of an instance; no put where it is kept back."""
        kept_back = Origin(there.SOPInstanceUID, there.object)
        if self._trial.begin(there.SOPInstanceUID) >= _DEATHS:
            return replace(kept_back, reason=DEADLY), None
        with SpooledTemporaryFile(_IN_MEMORY) as spooled:
            sink = cast(BinaryIO, spooled)
            try:
                with closing(self._source.objects.open(there.object)) as source:
                    reason = self.view.derivation.make(source, sink, self._provenance, again=False)
                if reason:
                    return replace(kept_back, reason=reason), None
                put = self._put(sink)
            except NotFound:
                return replace(kept_back, reason="its object is lost"), None
            except UnreadableObject:
                return replace(kept_back, reason="what was made of it cannot be read"), None
        uid = put.keys["SOPInstanceUID"]
        return replace(
            kept_back, SOPInstanceUID=uid, object=put.object, size=put.size, sha256=put.sha256
        ), put

    def _put(self, file: BinaryIO) -> Put:
        """What the index needs of an object that was made."""
        file.seek(0)
        _, identity, whole = measure(file)
        size = file.tell()
        file.seek(0)
        header = read_header(file)
        keys = header.index_keys(assume_charset=self._dataset.place.assume_charset)
        study, series, instance = (
            keys.get(name, "") for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        if not (study and series and instance):
            raise UnreadableObject("What was made of it has no UID")
        return Put(
            keys=keys,
            header=zlib.compress(header.raw, 1),
            transfer_syntax=header.transfer_syntax,
            data_set_offset=HEAD_SIZE,
            object=named(self._dataset.name, object_path(study, series, instance, identity)),
            size=size,
            sha256=identity,
            file_sha256=whole,
            received=self._provenance.received,
            problems=header.problems,
        )


def trial_of(dataset: Dataset) -> Path:
    """The file that tells which instance is being made."""
    return dataset.place.folder / ".trying"


class Trial:
    """Which instance is being made, in a file: whoever dies of it is known to the next process.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[str, int] = ("", 0)
        with suppress(OSError, ValueError, TypeError):
            uid, deaths = json.loads(path.read_text())
            self._last = str(uid), int(deaths)

    def begin(self, uid: str) -> int:
        """Note it; how many processes died of it before."""
        deaths = self._last[1] if self._last[0] == uid else 0
        part = self._path.with_suffix(".new")
        with storage_errors("note what is being made"):
            part.write_text(json.dumps([uid, deaths + 1]))
            os.replace(part, self._path)
        return deaths

    def over(self) -> None:
        """Nobody died."""
        self._path.unlink(missing_ok=True)


def _up_to(line: Change) -> dict[str, str]:
    return {"up_to": str(line.id), "at": str(line.time)}


def _parts(uids: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    return (uids[start : start + most] for start in range(0, len(uids), most))


def _source(origin: Origin | None) -> str:
    return origin.source if origin is not None else ""


def _object(instance: StoredInstance | None) -> str:
    return instance.object if instance is not None else ""
