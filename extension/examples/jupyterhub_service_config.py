"""One Isocenter for all users of a JupyterHub: a service that the hub runs. `jupyterhub -f` this file.

Notebooks find it by `isocenter.connect()`; who they are there, and what they may do, the hub says. A service
that runs elsewhere is the same without `command`: start it with the settings of `environment`, and with the
hub's API as `ISOCENTER_JUPYTERHUB__API_URL`.
"""

import os
import sys

c = get_config()  # noqa: F821 (JupyterHub's)

DATA = os.environ.get("ISOCENTER_SERVICE_DATA", "/srv/isocenter")
ADDRESS = os.environ.get("ISOCENTER_SERVICE_ADDRESS", "http://127.0.0.1:8042")
PREFIX = "/services/isocenter"  # behind c.JupyterHub.base_url, if the hub has one
ACCESS = "access:services!service=isocenter"

c.JupyterHub.services = [
    {
        "name": "isocenter",
        "url": ADDRESS,
        "command": [sys.executable, "-m", "isocenter", "serve", "--data", DATA],
        "environment": {
            "ISOCENTER_HTTP__PORT": ADDRESS.rpartition(":")[2],
            "ISOCENTER_HTTP__PREFIX": PREFIX,
            # What every user of the hub may do; `groups` gives some of them more.
            "ISOCENTER_JUPYTERHUB__ROLE": "contributor",
            "ISOCENTER_JUPYTERHUB__GROUPS": '{"archivists": "curator"}',
        },
    }
]

# A token opens the service only with this scope: those of people, and those of their Jupyter servers.
c.JupyterHub.load_roles = [
    {"name": "user", "scopes": ["self", ACCESS]},
    {"name": "server", "scopes": ["users:activity!user", "access:servers!server", ACCESS]},
]

# Notebooks go there directly, not through the hub's proxy.
c.Spawner.environment = {"ISOCENTER_JUPYTERHUB_URL": ADDRESS + PREFIX}
