"""What jobs there are: each kind has a name, checks its parameters, says who may ask for it, and does it.

`app.register` registers them in every process. Not here: any kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocenter.errors import BadRequest
from isocenter.jobs.job import Outcome
from isocenter.security import Action

if TYPE_CHECKING:
    from isocenter.jobs.run import Run


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    Attributes:
        name: by which it is asked for.
        says: one line for people.
        work: does it; tells its progress to the run, which raises when the job is to end.
        fields: parameters that it takes, with their types.
        action: what whoever asks for it must be allowed in its dataset, or on the server.
        of_server: it is about the whole server and has no dataset.
    """

    name: str
    says: str
    work: Callable[[Run], Outcome]
    fields: dict[str, type]
    action: Action = Action.READ
    of_server: bool = False

    def checked(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters, if they are ones. Raises BadRequest."""
        for name, value in parameters.items():
            if name not in self.fields:
                known = ", ".join(self.fields) or "none"
                raise BadRequest(f"{self.name} has no parameter {name!r}", hint=f"it has {known}")
            wanted = self.fields[name]
            if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):
                raise BadRequest(f"The parameter {name!r} of {self.name} is no {wanted.__name__}")
        return parameters


KINDS: dict[str, Kind] = {}
"""Every registered kind by its name."""


def register(kind: Kind) -> None:
    """Make a kind known in this process; again is as once."""
    KINDS[kind.name] = kind


def kind_of(name: str) -> Kind:
    """The kind of a name. Raises BadRequest."""
    found = KINDS.get(name)
    if found is None:
        raise BadRequest(f"There is no job {name!r}", hint="there are " + ", ".join(sorted(KINDS)))
    return found
