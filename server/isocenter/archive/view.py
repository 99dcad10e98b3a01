"""A view: a dataset without objects of its own, each of whose instances is made of one of another dataset.

Its index and catalog hold what was made; the bytes are made again when an object is opened, and compared with
the digest that they had. Nothing else is ever handed out: not what was deleted from the source, not what a
changed recipe or key would make. How it is made comes from above (`made_by`): de-identification, so far.
Not here: keeping a view in step with its source (`following`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Protocol, cast

from isocenter.archive.place import Place
from isocenter.config import Settings
from isocenter.errors import BadRequest, Conflict, Damaged, Gone, NotFound, Unavailable
from isocenter.index import Index
from isocenter.index.origins import Origin, Taken
from isocenter.objects import ObjectInfo, ObjectStore, derived
from isocenter.objects.derived import Derived
from isocenter.objects.durable import fsync_folder, make_folder
from isocenter.objects.faults import storage_errors
from isocenter.objects.part10 import Provenance, measure

IN_MEMORY = 4 * 1024 * 1024
"""Bytes of an object up to which it is made anew each time; larger ones are kept in the cache for a while."""
_MARK = ".view"
_TRIES = 3
_CHECKS = 8


class Derivation(Protocol):
    """How objects of a view are made.

    Attributes:
        digest: differs where anything differs that their bytes depend on.
        facts: what may be told of it.
    """

    digest: str
    facts: dict[str, Any]

    def make(self, source: BinaryIO, sink: BinaryIO, provenance: Provenance, *, again: bool) -> str:
        """Make an object, head included; why there is none ('' when there is).

        Args:
            source: a stored object.
            sink: an empty file that can be sought in and read.
            provenance: what its head tells.
            again: it was made before, and its digest is compared: what only decides whether may be left out.
        """


MakeDerivation = Callable[[Settings, str], Derivation]
_makers: list[MakeDerivation] = []


def made_by(make: MakeDerivation) -> None:
    """Have views made by this, in this process; `app.register` does it in all of them."""
    _makers[:] = [make]


@dataclass(frozen=True)
class Standing:
    """How far a view has come.

    Attributes:
        of: the dataset that it is a view of.
        recipe: facts of its derivation.
        up_to: line of the source's change log that it has taken over; None while it is first filled.
        behind: lines of that log that it has not.
        kept_back: instances of the source that are not in it, by reason.
    """

    of: str
    recipe: dict[str, Any]
    up_to: int | None
    behind: int
    kept_back: dict[str, int]


class View:
    """The objects of a view.

    Args:
        settings: of the server.
        name: of its dataset.
        index: of that.
        source: index of the dataset that it is a view of.
        store: where the objects of that are.
    """

    def __init__(
        self, settings: Settings, name: str, index: Index, source: Index, store: ObjectStore
    ) -> None:
        self.name = name
        self.of = settings.all_datasets()[name].view_of or ""
        self.index = index
        self.source = source
        self.store = store
        self._settings = settings
        self._cache = settings.data.absolute() / "cache" / "objects"
        self._scratch = settings.data.absolute() / "run" / "scratch"
        self._mutex = threading.Lock()
        self._derivation: Derivation | None = None
        self._added = 0

    @property
    def derivation(self) -> Derivation:
        """How its objects are made. Raises Unavailable where nobody can, BadRequest for a bad recipe."""
        with self._mutex:
            if self._derivation is None:
                if not _makers:
                    raise Unavailable("This process cannot make the objects of a view")
                self._derivation = _makers[0](self._settings, self.name)
            return self._derivation

    @property
    def digest(self) -> str:
        """Differs where the view must be made anew: recipe, tools, or source."""
        return f"{self.derivation.digest}/{self.source.reader.identity().name}"

    def standing(self) -> Standing:
        """How far it has come."""
        told = self.index.reader.progress()
        last = self.source.reader.last_change()
        at = told.get("up_to", "")
        up_to = int(at) if at and told.get("recipe") == self.digest else None
        behind = last if up_to is None else max(last - up_to, 0)
        return Standing(self.of, self.derivation.facts, up_to, behind, self.index.reader.kept_back())

    def forget(self) -> None:
        """Have it made anew."""
        self.index.writer.take_over(Taken(progress={"recipe": ""}))

    def provenance(self) -> Provenance:
        """What the head of every object says: when something came to the source is nobody's business here."""
        made = self.index.reader.progress().get("made", "0")
        return Provenance(dataset=self.name, received=int(made))

    def info(self, relpath: str) -> ObjectInfo | None:
        """Size of an object; None when it cannot be made."""
        try:
            origin = self._origin(relpath)
        except NotFound:
            return None
        stored = self.store.info(origin.source)
        return ObjectInfo(relpath, origin.size, stored.modified) if stored else None

    def open(self, relpath: str) -> BinaryIO:
        """An object, made.

        Raises:
            NotFound: there is none of this name.
            Gone: it was deleted from the source, or is another one there; the view follows.
            Conflict: it would be another one now; the view is made anew.
            Damaged: the same recipe gives other bytes.
        """
        origin = self._origin(relpath)
        if self.index.reader.progress().get("recipe") != self.digest:
            raise Conflict(f"The view {self.name} is made anew: its recipe changed", hint="try again later")
        if origin.size > IN_MEMORY:
            return self._kept(origin)
        file = SpooledTemporaryFile(2 * IN_MEMORY)  # noqa: SIM115 (whoever asked closes it)
        try:
            self._make(origin, cast(BinaryIO, file))
        except BaseException:
            file.close()
            raise
        return cast(BinaryIO, file)

    def _origin(self, relpath: str) -> Origin:
        """What an object is made of, if that is still there."""
        origin = self.index.reader.origin_of(relpath)
        if origin is None:
            raise NotFound("There is no such object in this view")
        if not self.source.reader.shows(origin.source):
            raise Gone(f"It is not in {self.of} any more, of which {self.name} is a view")
        return origin

    def _make(self, origin: Origin, file: BinaryIO) -> None:
        """Write it into an empty file, which then stands at its start."""
        with closing(self.store.open(origin.source)) as source:
            reason = self.derivation.make(source, file, self.provenance(), again=True)
        file.seek(0)
        if reason or measure(file)[1] != origin.sha256:
            raise Damaged(
                f"The view {self.name} would give other bytes than it promised",
                hint=f'POST /api/datasets/{self.name}/refresh {{"Rebuild": true}} makes it anew',
            )
        file.seek(0)

    def _kept(self, origin: Origin) -> BinaryIO:
        """From the cache, made when it is not there: of many frames each is asked for."""
        name = Derived(origin.sha256, "object")
        path = derived.path_of(self._cache, name)
        for folder in (self._cache, self._scratch):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

        def work(target: str) -> None:
            with open(target, "w+b") as file:
                self._make(origin, file)

        for _ in range(_TRIES):
            made = not path.exists()
            size = derived.make(str(self._cache), str(self._scratch), name, work, ())
            with suppress(FileNotFoundError):
                file = path.open("rb")
                os.utime(path)
                if made:
                    self._account(path, size)
                return file
        raise Unavailable("What was made of this object is gone again", hint="try again")

    def _account(self, path: Path, size: int) -> None:
        """Keep the cache within its limit, as whoever else fills it does."""
        most = self._settings.cache.size
        if size > most // 4:
            path.unlink(missing_ok=True)  # it is open
            return
        with self._mutex:
            self._added += size
            full = self._added > most // _CHECKS
            self._added = 0 if full else self._added
        if full:
            derived.trim(self._cache, most)


def mark(place: Place, view_of: str | None) -> None:
    """Make sure that a dataset is what it was: its folder says whether it is a view.

    Raises:
        BadRequest: it was none and has instances, or was one and is none now.
    """
    path = place.folder / _MARK
    if path.exists() == bool(view_of):
        return
    hint = "take another name, or remove its folder while the server is stopped"
    if not view_of:
        raise BadRequest(f"The dataset {place.name} was a view and cannot hold objects", hint=hint)
    with place.open_index() as index:
        # Of machines that share an index each has a folder of its own, the next one without a mark.
        if index.reader.identity().last_seq and not index.reader.progress():
            raise BadRequest(f"The dataset {place.name} has objects and cannot be a view", hint=hint)
    with storage_errors("mark a view"):
        make_folder(place.folder)
        path.touch(mode=0o640)
        fsync_folder(place.folder)


def is_view(folder: Path) -> bool:
    """Whether the dataset of a folder is a view, which names no objects that are stored."""
    return (folder / _MARK).exists()
