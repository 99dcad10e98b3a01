"""An authorizer for a Jupyter Server under test: it denies what a file says, at each request anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from jupyter_server.auth import Authorizer


class Denying(Authorizer):
    """Denies `[action, resource]` pairs of the JSON file that DENIED names."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return [action, resource] not in json.loads(Path(os.environ["DENIED"]).read_text())
