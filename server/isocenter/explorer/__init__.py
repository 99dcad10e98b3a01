"""Pages for a browser: viewers that were installed (row 8)."""

from isocenter.explorer import viewers
from isocenter.http.application import Route

routes: list[Route] = [*viewers.routes]
