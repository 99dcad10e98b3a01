"""One file in, one file out: header by the engine, Pixel Data as they are, blacked out, or not at all.

A file that may not leave is never written, not even for a moment under another name in the target's folder
that a reader could take for a result: it is made hidden, and given its name only when it is whole.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset

from isocenter.deid.beside import text_spans
from isocenter.deid.defacing import Cut
from isocenter.deid.encrypted import encrypt_originals
from isocenter.deid.engine import Engine
from isocenter.deid.faces import cutting
from isocenter.deid.masking import CannotMask, black_out, describe_result
from isocenter.deid.ocr import find_text
from isocenter.deid.outcome import Change, Finding
from isocenter.deid.overlays import black_out_overlays
from isocenter.deid.part10 import MakeHead, Part10, opened, reading, write
from isocenter.deid.pixels import Pixels
from isocenter.deid.policies import Residual
from isocenter.deid.results import PART, Named, begin_to_store, give_name, new_part
from isocenter.deid.review import Seen, look
from isocenter.deid.risk import Judge
from isocenter.deid.segments import NotThat, without
from isocenter.deid.settling import Settled, settle
from isocenter.deid.steps import Unreadable
from isocenter.deid.vault import Entry, Vault
from isocenter.deid.verify import RESIDUAL, Examined, Verifier
from isocenter.dicom import uids
from isocenter.dicom.header import UnreadableHeader, read_header
from isocenter.errors import IsocenterError

Place = Callable[[Dataset], Path]


class End(StrEnum):
    """What became of a file; each file has one."""

    OUT = "out"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    """It is no object: not DICOM, a DICOMDIR, or the same object once more."""


@dataclass
class FileOutcome:
    """What became of a file.

    Attributes:
        end: out, quarantined or skipped.
        reason: why, when it is not out; carries nothing of the file's values.
        target: where the result is; None when there is none.
        sop_instance: new UID of the object; '' when there is none.
        cleared: whether Patient Identity Removed is YES.
        written: False when the very same result was there already.
        findings: what a person should look at.
        changes: each changed element; identifying.
        examined: what the second reader saw in the result; None where it did not look.
        seen: what was done, with values, for a review; None where none is asked for. Identifying.
        part: the result under a hidden name, before it has its own.
    """

    end: End
    reason: str = ""
    target: Path | None = None
    sop_instance: str = ""
    cleared: bool = False
    written: bool = True
    findings: list[Finding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    examined: Examined | None = None
    seen: Seen | None = None
    part: Path | None = None


class Files:
    """De-identifies files.

    Args:
        engine: does the headers.
        judge: says whether pixels may leave.
        verifier: the second reader, which compares each result with its original; None for none.
        vault: gets who is who, before a result is there; None for none.
        certificates: for whom what was changed is sealed within the results (PEM); none for none.
        faces: what is cut away of volumes of the head, or why not, by SOP Instance UID (`faces`).
        shows: tell with values what was done (`FileOutcome.seen`).
    """

    def __init__(
        self,
        engine: Engine,
        judge: Judge | None = None,
        verifier: Verifier | None = None,
        vault: Vault | None = None,
        certificates: Sequence[bytes] = (),
        *,
        faces: Mapping[str, Cut | str] | None = None,
        shows: bool = False,
    ) -> None:
        self.certificates = certificates
        self.faces = faces or {}
        self.shows = shows
        self.verifier = verifier
        self.vault = vault
        self.engine = engine
        self.judge = judge or Pixels().under(engine.profile)

    def seeing(self, faces: Mapping[str, Cut | str]) -> Files:
        """The same for other faces."""
        made = copy(self)
        made.faces = faces
        return made

    def run(self, source: Path, place: Place | None, *, replace: bool = False) -> FileOutcome:
        """De-identify a file.

        Args:
            source: the file; stays as it is.
            place: where the result goes, which it is given; None writes nothing (a rehearsal).
            replace: whether a file that is there may be replaced; else another result is quarantined.
        """
        return self.begin(source, place, replace=replace)()

    def begin(self, source: Path, place: Place | None, *, replace: bool = False) -> Callable[[], FileOutcome]:
        """As `run`, but for the wait for the disk: what is returned does that, in any thread. Call it."""
        done = self._told(source, lambda: self._run(source, place))
        return lambda: self._named(done, replace=replace)

    def stream(self, source: BinaryIO, sink: BinaryIO, head: MakeHead | None = None) -> FileOutcome:
        """De-identify an open file into another one, which is empty where there is no result.

        Args:
            source: can be sought in; read from its first byte, left open.
            sink: empty, can be sought in and read; left open, at its end.
            head: makes preamble and File Meta Information; ours when there is none.
        """
        done = self._told(source, lambda: self._stream(source, sink, head))
        if done.end is not End.OUT:
            sink.seek(0)
            sink.truncate()
        return done

    def _told(self, source: Path | BinaryIO, work: Callable[[], FileOutcome]) -> FileOutcome:
        """What became of a file, whatever it makes a parser do."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of values, which pydicom would print
            try:
                return work()
            except UnreadableHeader as error:
                return _not_dicom(source, error)
            except Unreadable as error:
                return FileOutcome(End.QUARANTINED, str(error))
            except CannotMask as error:
                return FileOutcome(End.QUARANTINED, f"its pixels are not cleared: {error.message}")
            except IsocenterError as error:
                return FileOutcome(End.QUARANTINED, f"it cannot be read: {error.code}")
            except OSError as error:
                return FileOutcome(End.QUARANTINED, f"it cannot be read or written: {error.strerror}")
            except Exception as error:  # noqa: BLE001 (whatever a broken file makes a parser do)
                return FileOutcome(End.QUARANTINED, f"it cannot be processed: {type(error).__name__}")

    def _run(self, source: Path, place: Place | None) -> FileOutcome:
        with opened(source) as file:
            done, result = self._made(file)
            if result is None:
                return done
            if place is not None:
                done.target = place(result)
                done.target.parent.mkdir(parents=True, exist_ok=True)
                self._write(done, source, file, result)
            elif self.verifier is not None or self.looks:
                self._rehearse(done, source, file, result)
            return done

    def _stream(self, source: BinaryIO, sink: BinaryIO, head: MakeHead | None) -> FileOutcome:
        with opened(source) as file:
            done, result = self._made(file)
            if result is not None:
                write(sink, file, result, head)
                sink.flush()
                self._examine(done, source, sink)
                if done.end is End.OUT:
                    self._remember(file, result)
                sink.seek(0, os.SEEK_END)
            return done

    def _made(self, file: Part10) -> tuple[FileOutcome, Dataset | None]:
        """The result with its pixels settled; None where there is none."""
        if str(file.dataset.get("SOPClassUID", "")) == "" and 0x00041220 in file.dataset:
            return FileOutcome(End.SKIPPED, "a DICOMDIR, which is made anew"), None
        outcome = self.engine.apply(file.dataset)
        done = FileOutcome(End.QUARANTINED, outcome.quarantined, findings=outcome.findings)
        if self.shows:
            done.seen = look(file.dataset, outcome.changes)
        if outcome.dataset is None:
            return done, None
        instance = outcome.dataset.get("SOPInstanceUID")
        if not isinstance(instance, str) or not instance:
            done.reason = "it has no SOP Instance UID, or several"
            return done, None
        done.end, done.changes = End.OUT, outcome.changes
        pictured = file.pixels is not None
        hidden = _hidden(file) or _blank_text(file)
        settled = settle(self, file.dataset, outcome, pictured=pictured, hidden=hidden)
        done.reason = settled.reason
        done.cleared = outcome.dataset.PatientIdentityRemoved == "YES"
        if done.reason:
            done.end = End.QUARANTINED
            return done, None
        _change_pixels(done, file, settled, outcome.dataset)
        if file.blanked:
            words = "frames carried comments or metadata beside the image: overwritten"
            done.findings.append(Finding("text-in-frames", (0x7FE00010,), words))
        done.sop_instance = str(instance)
        if self.certificates:
            encrypt_originals(file.dataset, outcome, self.certificates)
        return done, outcome.dataset

    def _remember(self, file: Part10, result: Dataset) -> None:
        if self.vault is not None:
            self.vault.put(Entry.of(file.dataset, result))

    def _write(self, done: FileOutcome, source: Path, file: Part10, result: Dataset) -> None:
        """Write a part that is whole and looked at; one that may not leave is gone."""
        if done.target is None:
            return
        part = new_part(done.target)
        try:
            with part.open("xb") as stream:
                write(stream, file, result)
                begin_to_store(stream)
            self._examine(done, source, part)
            if done.end is End.OUT:
                self._remember(file, result)
                done.part = part
        finally:
            if done.part is None:
                part.unlink(missing_ok=True)

    def _named(self, done: FileOutcome, *, replace: bool) -> FileOutcome:
        """Give a part its name; a target that is there is compared, and replaced only if asked."""
        if done.part is None or done.target is None:
            return done
        try:
            named = give_name(done.part, done.target, replace=replace, certificates=self.certificates)
        except (OSError, UnreadableHeader) as error:
            done.end, done.target = End.QUARANTINED, None
            done.reason = f"it cannot be written: {getattr(error, 'strerror', error.args[0])}"
            return done
        done.written = named is Named.NEW
        if named is Named.OTHER:
            done.end, done.target = End.QUARANTINED, None
            done.reason = "another result of the same SOP Instance UID is there already"
        return done

    def _rehearse(self, done: FileOutcome, source: Path, file: Part10, result: Dataset) -> None:
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder, PART)
            with part.open("xb") as stream:
                write(stream, file, result)
            self._examine(done, source, part)

    @property
    def looks(self) -> bool:
        """Whether results are looked at before they leave."""
        return isinstance(self.judge, Pixels) and self.judge.ocr

    def _examine(self, done: FileOutcome, source: Path | BinaryIO, result: Path | BinaryIO) -> None:
        if self.looks and done.cleared:
            _require_no_text(result)
        if self.verifier is not None:
            done.examined = self.verifier.examine(source, result)
            done.findings.extend(done.examined.findings)
            residual = any(finding.kind == RESIDUAL for finding in done.examined.findings)
            if residual and self.engine.policies.residual is Residual.QUARANTINE:
                done.end, done.target, done.examined = End.QUARANTINED, None, None
                done.reason = "the second reader found a value of the original in the result"


def _require_no_text(result: Path | BinaryIO) -> None:
    """Raises CannotMask where OCR sees text in a result, or cannot look."""
    with reading(result) as file:
        header = read_header(file)
        if header.pixel_data is None:
            return
        try:
            found = find_text(file, header)
        except IsocenterError as error:
            raise CannotMask("OCR cannot look at them") from error
    if found:
        raise CannotMask("OCR sees text in them")


def _change_pixels(done: FileOutcome, file: Part10, settled: Settled, result: Dataset) -> None:
    """Black out and cut away what was settled, if there is any of it."""
    cut = cutting(settled.cut, file.dataset) if settled.cut is not None else None
    if settled.mask is None and cut is None:
        return
    file.masked = black_out(file.stream, file.header, settled.mask, cut)
    if file.blanked:
        cleaned = tuple(without(fragment) for fragment in file.masked.fragments)
        file.masked = replaced(file.masked, fragments=cleaned)
    describe_result(result, file.masked)
    if settled.mask is not None:
        black_out_overlays(result, settled.mask)
        done.findings.append(Finding("blacked-out", (0x7FE00010,), "a rule told where"))
        done.seen = done.seen and done.seen.blackened(settled.mask)
    if cut is not None:
        done.findings.append(Finding("defaced", (0x7FE00010,), "a face was cut away: look at it"))


def _hidden(file: Part10) -> str:
    """Whether there is more in Pixel Data than the image."""
    pixels, dataset = file.pixels, file.dataset
    if pixels is None or pixels.length < 0 or uids.is_encapsulated(file.transfer_syntax):
        return ""
    try:
        bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames", 1) or 1)
        bits *= int(dataset.get("SamplesPerPixel", 1)) * int(dataset.BitsAllocated)
    except (AttributeError, TypeError, ValueError):
        return "nothing tells how large its image is"
    return "its Pixel Data are longer than the image" if pixels.length > (bits + 7) // 8 + 1 else ""


def _blank_text(file: Part10) -> str:
    """Have text beside the image in compressed frames overwritten; why nobody can tell where it is."""
    try:
        file.blanked = text_spans(file.stream, file.header)
    except NotThat:
        return "a compressed frame is not what its transfer syntax says"
    return ""


def _not_dicom(source: Path | BinaryIO, error: UnreadableHeader) -> FileOutcome:
    """Skipped if it is no DICOM at all; what says it is and cannot be read is kept back."""
    with reading(source) as file:
        head = file.read(132)
    if head[128:] == b"DICM":
        return FileOutcome(End.QUARANTINED, f"it cannot be read: {error.message}")
    return FileOutcome(End.SKIPPED, "no DICOM")
