"""The server extension: it says which Isocenter server a notebook of this Jupyter would connect to.

It neither starts a server nor passes requests on to one.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.application import ExtensionApp
from tornado import web

from isocenter.client.connect import connect
from isocenter.errors import IsocenterError


class ServerHandler(APIHandler):
    """`GET <base>/isocenter/server`: `{"found", "url", "version"}`, or what was tried and what to do."""

    auth_resource = "isocenter"

    @web.authenticated
    @authorized(action="read", resource="isocenter")
    async def get(self) -> None:
        """Look for a server; the token that would be used is not told."""
        found = await asyncio.get_running_loop().run_in_executor(None, _look)
        self.finish(json.dumps(found))


def _look() -> dict[str, Any]:
    try:
        archive = connect()
    except IsocenterError as error:
        return {"found": False, "message": error.message, "hint": error.hint}
    try:
        return {"found": True, "url": archive.url, "version": archive.system().get("Version")}
    finally:
        archive.close()


class Isocenter(ExtensionApp):
    """The extension, `isocenter_jupyter`."""

    name = "isocenter_jupyter"
    extension_url = "/isocenter"

    def initialize_handlers(self) -> None:
        """Add our handlers to Jupyter Server's."""
        self.handlers.append((r"/isocenter/server", ServerHandler))
