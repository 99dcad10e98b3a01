"""Who of this Jupyter's users may do what: one table, asked of Jupyter's authorizer with explicit arguments.

Jupyter Server's default authorizer allows everything to whoever is logged in; a deployment that shares one
Jupyter Server sets `ServerApp.authorizer_class`, which is asked about the two resources named here. What the
*data server* allows its users is its own matter: it knows the token and the name that the proxy sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web

SERVER, DATA = "isocenter:server", "isocenter:data"
"""The server as a process (state, log, start, stop), and what it holds, through the proxy."""

ACTIONS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("state", "GET"): ("read", SERVER),
    ("log", "GET"): ("read", SERVER),
    ("start", "POST"): ("execute", SERVER),
    ("stop", "POST"): ("execute", SERVER),
    ("data", "GET"): ("read", DATA),
    ("data", "HEAD"): ("read", DATA),
    ("data", "OPTIONS"): ("read", DATA),
    ("data", "POST"): ("write", DATA),
    ("data", "PUT"): ("write", DATA),
    ("data", "PATCH"): ("write", DATA),
    ("data", "DELETE"): ("write", DATA),
    ("question", "POST"): ("read", DATA),
}
"""What each verb of each route is to the authorizer: an action and a resource.

`data` is the proxy; `question` is what the proxy passes on by POST though it only reads (`paths.QUESTIONS`).
"""


def permitted(route: str, verb: str) -> Any:
    """Jupyter's `authorized`, with what the table says of this verb."""
    action, resource = ACTIONS[route, verb]
    return authorized(action=action, resource=resource)


async def require(handler: Any, route: str, verb: str) -> None:
    """The same before a body is read, where a decorated method would come too late.

    Raises:
        HTTPError: 403, nobody is logged in or the authorizer says no; 405, no verb of this route.
    """
    if (route, verb) not in ACTIONS:
        raise web.HTTPError(405)
    action, resource = ACTIONS[route, verb]
    user = handler.current_user
    allowed = user and await ensure_async(handler.authorizer.is_authorized(handler, user, action, resource))
    if not allowed:
        raise web.HTTPError(403, f"User is not authorized to {action} on resource: {resource}.")
