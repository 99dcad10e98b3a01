"""Who is asking: a name, a role and the datasets in which it holds. Not how that was proved (see tokens)."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.errors import Forbidden
from isocenter.security.acl import Action, Role


@dataclass(frozen=True)
class Identity:
    """Somebody whose credentials were accepted.

    `datasets` empty means every dataset.
    """

    name: str
    role: Role
    datasets: frozenset[str] = frozenset()

    def may(self, action: Action, dataset: str | None = None) -> bool:
        """Whether `action` is allowed in `dataset` (None: on the server as a whole)."""
        if not self.role.may(action):
            return False
        if dataset is None:
            return action is not Action.ADMINISTER or not self.datasets
        return not self.datasets or dataset in self.datasets

    def require(self, action: Action, dataset: str | None = None) -> None:
        """Raise Forbidden, saying what is missing, unless `action` is allowed."""
        if self.may(action, dataset):
            return
        where = f" in dataset {dataset!r}" if dataset else ""
        raise Forbidden(
            f"{self.name} has role {self.role.value} and may not {action.value}{where}",
            hint="ask an administrator for a token with another role or dataset",
        )


# Who asks while the server has no token: it then serves this machine only, as its owner.
LOCAL = Identity("local", Role.ADMIN)
