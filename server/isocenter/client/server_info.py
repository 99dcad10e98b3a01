"""`ServerInfo`: a server as its connection file describes it, and the folder where such files are linked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ServerInfo:
    """Where a server is and who may use it.

    Attributes:
        url: `http://host:port` or `http+unix://` and the percent-encoded path of a socket.
        token: bearer token; not shown.
        data: its data folder, when it is on this machine and says so.
        pid: its process.
        version: of Isocenter.
        ae_title: of the dataset `main`.
        dicom_host, dicom_port: where it listens for associations; None when it does not.
        found_by: what led to it.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    data: Path | None = None
    pid: int | None = None
    version: str = ""
    ae_title: str = ""
    dicom_host: str | None = None
    dicom_port: int | None = None
    found_by: str = ""

    @classmethod
    def read(cls, file: Path) -> ServerInfo | None:
        """What a connection file says; None when there is none, or it is no such file."""
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(told, dict) or not isinstance(told.get("url"), str):
            return None
        dicom = told["dicom"] if isinstance(told.get("dicom"), dict) else {}
        return cls(
            url=told["url"],
            token=_of(str, told.get("token")) or None,
            data=Path(told["data"]) if isinstance(told.get("data"), str) else None,
            pid=_of(int, told.get("pid")),
            version=_of(str, told.get("version")) or "",
            ae_title=_of(str, dicom.get("ae_title")) or "",
            dicom_host=_of(str, dicom.get("host")),
            dicom_port=_of(int, dicom.get("port")),
            found_by=str(file),
        )

    def runs(self) -> bool:
        """Whether its process is there; one that names none, or is of another user, counts as running."""
        if self.pid is None:
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            return True
        return True


def _of(kind: type[T], value: object) -> T | None:
    return value if isinstance(value, kind) else None


def runtime_folder() -> Path | None:
    """Where servers of this user leave links to their connection files; None without a home folder."""
    if told := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(told) / "isocenter"
    if told := os.environ.get("XDG_STATE_HOME"):
        return Path(told) / "isocenter"
    try:
        return Path.home() / ".local" / "state" / "isocenter"
    except RuntimeError:
        return None
