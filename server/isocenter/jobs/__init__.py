"""Jobs (row 5): work that outlives a request: durable in `state.db`, run in processes, watched and cancelled.

A kind of job is registered under a name (`kinds`) by `app.register`, which every process of a server runs; a
job is such a name and parameters in JSON. Not here: what combines packages above (their kinds register too).
"""

from isocenter.jobs.job import Job, Outcome, State, Trouble
from isocenter.jobs.kinds import KINDS, Kind, register
from isocenter.jobs.queue import Jobs
from isocenter.jobs.run import Cancelled, Run, Stopped

__all__ = [
    "KINDS",
    "Cancelled",
    "Job",
    "Jobs",
    "Kind",
    "Outcome",
    "Run",
    "State",
    "Stopped",
    "Trouble",
    "register",
]
