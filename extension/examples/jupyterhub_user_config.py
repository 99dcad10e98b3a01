"""An Isocenter for each user of a JupyterHub: each user's Jupyter supervises one. `jupyterhub -f` this file.

It is started when the user first wants it and ends with the user's Jupyter; its data stay in the home folder.
Nothing but the user's own processes reaches it: it listens on a unix socket of mode 0600.
"""

c = get_config()  # noqa: F821 (JupyterHub's)

# The folder is isocenter-data in each home folder; a supervised server listens for no DICOM unless it is told
# to, since all users of a machine would want the same port.
c.Spawner.args = ["--Isocenter.mode=supervise", "--Isocenter.data=~/isocenter-data"]

# Idle Jupyters may be culled: neither the side bar nor a running data server keeps one alive.
