"""`Deidentifier`: de-identification of data sets, files and folders by one key and one profile.

::

    from isocenter.deid import Deidentifier

    deid = Deidentifier("project.key", options=["modified-dates", "clean-descriptors"])
    deid.folder("incoming", "outgoing")
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset

from isocenter.deid.defacing import Cut
from isocenter.deid.encrypted import encrypt_originals, read_certificate
from isocenter.deid.engine import DEFAULT, Engine
from isocenter.deid.envelope import read_public
from isocenter.deid.faces import find_faces
from isocenter.deid.files import FileOutcome, Files
from isocenter.deid.identifiers import DEFAULT_PATTERN, DEFAULT_WINDOW, Identifiers, Window
from isocenter.deid.key import Key
from isocenter.deid.outcome import Outcome
from isocenter.deid.part10 import MakeHead
from isocenter.deid.pixels import Pixels
from isocenter.deid.plan import PIXEL_DATA
from isocenter.deid.policies import Policies
from isocenter.deid.profile import Option, Profile
from isocenter.deid.risk import Judge
from isocenter.deid.rules import Rule, read_rules
from isocenter.deid.run import Run, run
from isocenter.deid.settling import settle
from isocenter.deid.vault import Vault
from isocenter.deid.verify import Verifier
from isocenter.errors import BadRequest
from isocenter.objects.durable import fsync_folder

PROFILES = ("basic",)


@dataclass(frozen=True)
class Setup:
    """All that decides what a result looks like; can be sent to another process, key included."""

    key: Key
    profile: Profile
    policies: Policies
    judge: Judge
    pattern: str
    window: Window
    verify: bool = True
    vault: tuple[Path, Path] | None = None
    certificates: tuple[bytes, ...] = ()
    shows: bool = False
    faces: Mapping[str, Cut | str] = field(default_factory=dict)

    def seeing(self, paths: Iterable[Path]) -> Setup:
        """For just these files: with the faces that are in them, where they are to be taken away."""
        if not self.profile.has(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES):
            return self
        return replace(self, faces=find_faces(paths))

    def files(self) -> Files:
        """What does files by it."""
        identifiers = Identifiers(self.key, pattern=self.pattern, window=self.window)
        verifier = Verifier(self.profile, self.window) if self.verify else None
        vault = Vault(self.vault[0], read_public(self.vault[1])) if self.vault else None
        engine = Engine(self.profile, identifiers, self.policies)
        return Files(
            engine, self.judge, verifier, vault, self.certificates, faces=self.faces, shows=self.shows
        )


class Deidentifier:
    """De-identifies by PS3.15 Annex E. Results depend on its arguments alone: the same key, the same bytes.

    Args:
        key: the project's key, or its file (`isocenter deid --new-key FILE` makes one).
        profile: `basic`, the Basic Application Level Confidentiality Profile.
        options: names of options, such as `modified-dates`, `clean-descriptors`, `safe-private`.
        config: a TOML file of rules and further options.
        rules: further rules, which win over those of the file.
        policies: what the profile leaves open.
        pattern: of patient pseudonyms.
        window: of date offsets, in days.
        judge: says whether pixels may leave; by default attributes alone decide, with care.
        verify: let a second reader compare each result with its original; what it finds is in the report.
        vault: a file that gets who is who, and the public key (PEM) of whoever may read it.
        encrypt_for: certificates (PEM, RSA), whose holders may open what was changed, sealed in results.

    Raises:
        BadRequest: something of it is not known or contradicts itself.
        NotFound: a file is not there.
    """

    def __init__(
        self,
        key: Key | Path | str,
        *,
        profile: str = "basic",
        options: Iterable[str | Option] = (),
        config: Path | str | None = None,
        rules: Iterable[Rule] = (),
        policies: Policies = DEFAULT,
        pattern: str = DEFAULT_PATTERN,
        window: Window = DEFAULT_WINDOW,
        judge: Judge | None = None,
        verify: bool = True,
        vault: tuple[Path, Path] | None = None,
        encrypt_for: Iterable[Path | str] = (),
    ) -> None:
        if profile not in PROFILES:
            raise BadRequest(f"There is no profile {profile!r}", hint="there is: " + ", ".join(PROFILES))
        told = read_rules(Path(config)) if config is not None else None
        chosen = [*options, *(told.options if told else ())]
        asked = Profile.of(chosen, [*(told.rules if told else ()), *rules])
        key = key if isinstance(key, Key) else Key.read(Path(key))
        judge = judge or Pixels()
        if isinstance(judge, Pixels):
            judge = judge.under(asked)
        sealed_for = tuple(read_certificate(Path(path)) for path in encrypt_for)
        self.setup = Setup(key, asked, policies, judge, pattern, window, verify, vault, sealed_for)
        self._files = self.setup.files()

    def __repr__(self) -> str:
        options = ", ".join(sorted(self.profile.options)) or "no options"
        return f"<Deidentifier basic, {options}, key {self.setup.key.fingerprint}>"

    @property
    def profile(self) -> Profile:
        """The profile, with its options and rules."""
        return self.setup.profile

    @cached_property
    def identifiers(self) -> Identifiers:
        """New identifiers of old ones."""
        return self._files.engine.identifiers

    def apply(self, dataset: Dataset) -> Outcome:
        """De-identify a data set, which stays as it is.

        The outcome's data set is None when it may not leave; `quarantined` says why. File Meta Information
        is not carried over: give the result one of its own.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of values, which pydicom would print
            return self._apply(dataset)

    def _apply(self, dataset: Dataset) -> Outcome:
        outcome = self._files.engine.apply(dataset)
        if outcome.dataset is not None:
            pictured = any(tag in dataset for tag in PIXEL_DATA)
            reason, mask, _ = settle(self._files, dataset, outcome, pictured=pictured)
            if mask is not None:
                reason = "its pixels are not cleared: only in a file they are blacked out"
            if not reason and pictured and self._files.looks:
                reason = "its pixels are not cleared: OCR looks at files only"
            if reason:
                return replace(outcome, dataset=None, quarantined=reason)
            if self.setup.certificates:
                encrypt_originals(dataset, outcome, self.setup.certificates)
        return outcome

    def file(self, source: Path | str, target: Path | str) -> FileOutcome:
        """De-identify a file; one that is at `target` is replaced, once the new one is whole."""
        done = self._seeing(Path(source)).run(Path(source), lambda _result: Path(target), replace=True)
        if done.target is not None:
            fsync_folder(done.target.parent)
        return done

    def stream(self, source: BinaryIO, sink: BinaryIO, head: MakeHead | None = None) -> FileOutcome:
        """De-identify an open file, of which nothing needs to be on a disk: one stored object on the fly.

        The bytes are those that `file` writes. What is quarantined leaves `sink` empty.

        Args:
            source: can be sought in; read from its first byte, left open.
            sink: empty, can be sought in and read (`tempfile.SpooledTemporaryFile`); left open, at its end.
            head: makes preamble and File Meta Information; ours when there is none.
        """
        return self._seeing(source).stream(source, sink, head)

    def _seeing(self, source: Path | BinaryIO) -> Files:
        """For a file that is a whole volume: with the face in it."""
        if not self.profile.has(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES):
            return self._files
        return self._files.seeing(find_faces([source]))

    def folder(
        self,
        source: Path | str,
        target: Path | str,
        *,
        quarantine: Path | str | None = None,
        workers: int | None = 1,
        dry_run: bool = False,
        dicomdir: bool = True,
        progress: Callable[[int], None] | None = None,
        file_seconds: float | None = None,
        title: str = "",
        unlocked: bool = False,
    ) -> Run:
        """De-identify all files below a folder.

        Args:
            source: the folder; stays as it is.
            target: where results go, by names that carry nothing. May hold results of earlier runs.
            quarantine: where the list of what did not leave goes; beside `target` by default.
            workers: processes; None takes one a core where there are files enough.
            dry_run: write nothing.
            dicomdir: make a DICOMDIR of the target.
            progress: told how many files were done since it was told last.
            file_seconds: how long a file may take before it is quarantined. By default the processes of
                several workers have a generous limit (`crew.FILE_SECONDS`) and a single worker, which is this
                process, has none; a limit gives it a process of its own. 0: none.
            title: of the report.
            unlocked: show values in which something was found in the report.

        Raises:
            NotFound: there is no such folder.
            BadRequest: one folder lies within the other.
        """
        return run(
            self.setup,
            Path(source),
            Path(target),
            quarantine=Path(quarantine) if quarantine is not None else None,
            workers=workers,
            dry_run=dry_run,
            dicomdir=dicomdir,
            progress=progress,
            file_seconds=file_seconds,
            title=title,
            unlocked=unlocked,
        )
