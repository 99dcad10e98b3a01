"""What may go wrong with an association, as errors of the one tree.

::

    Unavailable
    └── AssociationProblem
        ├── Unreachable           no connection
        ├── AssociationRejected   A-ASSOCIATE-RJ
        └── AssociationLost       over before what was asked of it was done
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocenter.errors import Unavailable

if TYPE_CHECKING:
    from isocenter.network.associate import Rejection
    from isocenter.network.service import Ending


class AssociationProblem(Unavailable):
    """No association, or no longer."""

    code = "association-problem"


class Unreachable(AssociationProblem):
    """No connection to the peer."""

    code = "unreachable"


class AssociationRejected(AssociationProblem):
    """The peer does not want this association."""

    code = "association-rejected"

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(
            f"The association was rejected: {rejection}",
            detail={"result": rejection.result, "source": rejection.source, "reason": rejection.reason},
        )
        self.rejection = rejection

    def __reduce__(self) -> tuple[type[AssociationRejected], tuple[Rejection]]:
        return type(self), (self.rejection,)


class AssociationLost(AssociationProblem):
    """It is over before what was asked of it was done."""

    code = "association-lost"

    def __init__(self, ending: Ending) -> None:
        who = "The peer" if ending.by_peer else "We"
        what = ending.text or ending.kind.value
        super().__init__(
            f"The association is over: {what}",
            hint=f"{who} ended it",
            detail={"kind": ending.kind.value, "source": ending.source, "reason": ending.reason},
        )
        self.ending = ending

    def __reduce__(self) -> tuple[type[AssociationLost], tuple[Ending]]:
        return type(self), (self.ending,)
