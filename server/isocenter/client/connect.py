"""`isocenter.connect()`: find the server and say what was tried when there is none.

In order: the arguments; `ISOCENTER_URL` and `ISOCENTER_TOKEN`; the connection files that servers of this user
leave in the runtime folder (`isocenter serve` writes them); `./isocenter-data`. An address that was named and
does not answer is an error: nobody wants to write into another archive than the one named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isocenter.client.archive import Archive
from isocenter.client.server_info import runtime_folder
from isocenter.client.transport import Transport
from isocenter.errors import IsocenterError, Unauthorized, Unavailable


@dataclass(frozen=True)
class _Candidate:
    url: str
    token: str | None
    found_by: str
    chosen: bool = False  # by the user, who would not expect another server in its place


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    dataset: str = "main",
    data: str | os.PathLike[str] | None = None,
    verify: bool | str | os.PathLike[str] = True,
) -> Archive:
    """Connect to a server.

    Args:
        url: `http://host:port` or `unix:/path/to.sock`; found when absent.
        token: bearer token; found together with the URL when absent.
        dataset: which dataset to work with.
        data: the data folder of a server on this machine, in place of a URL.
        verify: whether TLS certificates are checked, or the PEM file of their authorities.

    Raises:
        Unavailable: no server answered; the hint lists what was tried.
        Unauthorized: the server wants a (better) token.
    """
    tried: list[str] = []
    for candidate in _candidates(url, token, data, tried):
        archive = Archive(Transport(candidate.url, candidate.token, verify=verify), dataset)
        try:
            archive.system()
        except IsocenterError as error:
            archive.close()
            if candidate.chosen or isinstance(error, Unauthorized):
                raise
            tried.append(f"{candidate.found_by}: {candidate.url} ({error.hint or error.message})")
            continue
        return archive
    hint = "start one with `isocenter serve`, or give its address; tried " + "; ".join(tried)
    raise Unavailable("No Isocenter server was found", hint=hint, detail={"tried": tried})


def _candidates(
    url: str | None, token: str | None, data: str | os.PathLike[str] | None, tried: list[str]
) -> Iterator[_Candidate]:
    if url is not None:
        token = token or _token_for(url) or _environment_token(url)
        yield _Candidate(url, token, "argument", chosen=True)
        return
    if data is not None:
        yield from _file(Path(data) / "run" / "connection.json", token, tried)
        return
    named = os.environ.get("ISOCENTER_URL")
    if named:
        told = token or _environment_token(named) or _token_for(named)
        yield _Candidate(named, told, "ISOCENTER_URL", chosen=True)
        return
    tried.append("ISOCENTER_URL: not set")
    yield from _published(token, tried)
    yield from _file(Path("isocenter-data", "run", "connection.json").absolute(), token, tried)


def _environment_token(url: str) -> str | None:
    """ISOCENTER_TOKEN, unless ISOCENTER_URL says that it is another server's."""
    named = os.environ.get("ISOCENTER_URL") or url
    return os.environ.get("ISOCENTER_TOKEN") if named.rstrip("/") == url.rstrip("/") else None


def _published(token: str | None, tried: list[str]) -> Iterator[_Candidate]:
    """The servers of this user on this machine, the one started last first."""
    folder = runtime_folder()
    if folder is None:
        tried.append("connection files: this user has no home folder")
    files = sorted(_files(folder), key=_started, reverse=True)
    if folder and not files:
        tried.append(f"connection files: none in {folder}")
    for file in files:
        yield from _file(file, token, tried)


def _file(file: Path, token: str | None, tried: list[str]) -> Iterator[_Candidate]:
    told = _read(file)
    if told is None:
        tried.append(f"{file}: not there or not readable")
    elif not _runs(told.get("pid")):
        tried.append(f"{file}: its server has stopped")
    else:
        yield _Candidate(str(told["url"]), token or _text(told.get("token")), str(file))


def _files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    try:
        return list(folder.glob("*.json"))
    except OSError:
        return []


def _started(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _read(file: Path) -> dict[str, object] | None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("url"), str) else None


def _token_for(url: str) -> str | None:
    """The token that the server at this very address published on this machine."""
    for file in _files(runtime_folder()):
        told = _read(file)
        if told is not None and str(told["url"]).rstrip("/") == url.rstrip("/") and _runs(told.get("pid")):
            return _text(told.get("token"))
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _runs(pid: object) -> bool:
    """Whether the process is there; a server of another machine sharing the folder counts as running."""
    if not isinstance(pid, int):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
