"""The table of HTTP routes, from the handlers themselves."""

from __future__ import annotations

from isocenter import dicomweb, explorer, rest
from isocenter.http import routes as http_routes
from isocenter.http.route_table import operations


def routes() -> str:
    """Path, method and what the handler says of itself."""
    lines = ["| path | method | |", "|---|---|---|"]
    for one in operations([*http_routes.routes, *dicomweb.routes, *rest.routes, *explorer.routes]):
        lines.append(f"| `{one.path}` | {one.method} | {one.says} |")
    return "\n".join(lines)
