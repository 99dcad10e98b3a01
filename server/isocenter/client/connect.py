"""`isocenter.connect()` and `isocenter.servers()`: find the server, or say what was tried.

An address that was named and does not answer is an error: nobody wants to write into another archive than the
one named. Not here: where to look (`discovery`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from isocenter.client.archive import Archive
from isocenter.client.discovery import HUB_URL, Search
from isocenter.client.display.html import Preview, table_html
from isocenter.client.server_info import ServerInfo
from isocenter.client.transport import Transport
from isocenter.errors import IsocenterError, NoServer, Unauthorized

_START_ONE = "start one with `isocenter serve`, or with isocenter.start(), or give its address to connect()"


def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    dataset: str = "main",
    data: str | os.PathLike[str] | None = None,
    verify: bool | str | os.PathLike[str] = True,
) -> Archive:
    """Connect to a server.

    Without arguments it is, in this order: the one at `ISOCENTER_URL`, the server that this Jupyter
    looks after (started if need be), the service `isocenter` of the JupyterHub in which this runs, the one of
    this user on this machine that was started last, or that of `./isocenter-data`.

    Args:
        url: `http://host:port` or `unix:/path/to.sock`; found when absent.
        token: bearer token; found together with the URL when absent.
        dataset: which dataset to work with.
        data: the data folder of a server on this machine, in place of a URL.
        verify: whether TLS certificates are checked, or the PEM file of their authorities.

    Raises:
        NoServer: none answered; it lists what was tried.
        Unavailable: the one that was named does not answer.
        Unauthorized: the server wants a (better) token.
    """
    search = Search(url, token, data)
    for candidate in search.candidates():
        info = candidate.info
        archive = Archive(Transport(info.url, info.token, verify=verify), dataset)
        try:
            archive.system()
        except IsocenterError as error:
            archive.close()
            if candidate.chosen or (isinstance(error, Unauthorized) and info.found_by != "JupyterHub"):
                raise
            search.tried.append(f"{info.found_by}: {info.url} ({_why(error, info)})")
            continue
        return archive
    raise NoServer("No Isocenter server was found", hint=_START_ONE, detail={"tried": search.tried})


def _why(error: IsocenterError, info: ServerInfo) -> str:
    if info.found_by == "JupyterHub" and isinstance(error, Unauthorized):
        return "it refuses this server's hub token, which needs the scope access:services!service=isocenter"
    if info.found_by == "JupyterHub" and error.status in (403, 404):
        return f"the hub has no such service, unless its administrator says where with {HUB_URL}"
    return error.hint or error.message


class ServerList(tuple[ServerInfo, ...]):
    """Servers, shown as a table; `isocenter.connect(servers[0].url)` connects to one."""

    __slots__ = ()

    def __repr__(self) -> str:
        lines = [f"  {one.url}  {one.data or ''}  found by {one.found_by}" for one in self]
        return "\n".join([_counted(len(self)), *lines])

    def _repr_html_(self) -> str:
        rows: list[dict[str, Any]] = [
            {
                "address": one.url,
                "data folder": str(one.data or ""),
                "version": one.version,
                "DICOM": f"{one.ae_title} at port {one.dicom_port}" if one.dicom_port else "not listening",
                "found by": one.found_by,
            }
            for one in self
        ]
        return table_html(Preview(_counted(len(self)), tuple(rows[0]) if rows else (), rows, len(rows)))


def _counted(count: int) -> str:
    return f"{count or 'No'} Isocenter server{'' if count == 1 else 's'}"


def servers() -> ServerList:
    """The servers that `connect()` could find without being told an address, those it would take first first.

    Each was asked who it is; one that does not answer is left out. None is started.
    """
    found: dict[str, ServerInfo] = {}
    for candidate in Search().candidates(ring=False):
        info = candidate.info
        if info.url in found:
            continue
        try:
            with Archive(Transport(info.url, info.token)) as archive:
                system = archive.system()
        except IsocenterError:
            continue
        found[info.url] = replace(
            info,
            version=str(system.get("Version") or ""),
            ae_title=str(system.get("DicomAet") or ""),
            dicom_port=system.get("DicomPort"),
        )
    return ServerList(found.values())
