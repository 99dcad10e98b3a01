"""`Held`: results of a de-identification in its job's folder, from where nothing leaves by itself.

Files have names that carry nothing; which original each was made of is in a list that only the owner may
read, and that goes with them. Not here: who may let them leave (`deid`), how they do (`releasing`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

REPORT, PAGE, REVIEW, ARCHIVE = "report.json", "report.html", "review.json", "archive"
"""Names of what else is in the folder of such a job."""


class Held:
    """The held results of one job; a context manager while they are made.

    Args:
        folder: of the job.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "held"
        self._list = folder / "held.jsonl"
        self._stream: IO[str] | None = None

    def __enter__(self) -> Held:
        self.results.mkdir(mode=0o700)
        self._stream = private(self._list)
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()

    def record(self, uid: str, path: Path) -> None:
        """Take note of which instance a result was made."""
        if self._stream is None:
            raise AssertionError("nothing is being held")
        self._stream.write(json.dumps([uid, path.relative_to(self.results).as_posix()]) + "\n")

    def _entries(self) -> Iterator[tuple[str, Path]]:
        if self._list.is_file():
            with self._list.open(encoding="utf-8") as stream:
                for line in stream:
                    uid, name = json.loads(line)
                    yield uid, self.results / name

    def uids(self) -> set[str]:
        """The originals of which there are results."""
        return {uid for uid, _ in self._entries()}

    def remove(self, uids: Collection[str]) -> None:
        """Delete the results of these originals; again is as once."""
        for uid, path in self._entries():
            if uid in uids:
                path.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        """The results that are there."""
        return sorted(path for _, path in self._entries() if path.is_file())

    def drop(self) -> None:
        """Delete all of them, and what tells whose they were."""
        shutil.rmtree(self.results, ignore_errors=True)
        self._list.unlink(missing_ok=True)


def private(path: Path) -> IO[str]:
    """A new text file that only its owner may read, in place of one that is there."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


def write_json(path: Path, told: Any) -> None:
    """Write a document that only its owner may read, whole or not at all, durably."""
    part = path.with_suffix(".part")
    with private(part) as stream:
        json.dump(told, stream, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, path)
