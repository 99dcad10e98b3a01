"""Whether anything still happens on an association: slow, silent and stuck peers are aborted.

One look every few seconds instead of a timer set at each message; so a limit is kept to a quarter of itself.
Not here: ARTIM and the waits for an answer (``upper_layer``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocenter.network.timers import Timer

if TYPE_CHECKING:
    from isocenter.network.association import Association


class Watch:
    """Looks at one established association from time to time."""

    def __init__(self, association: Association) -> None:
        limits = association.limits
        self._association = association
        self._every = min(limits.message, limits.idle) / 4
        self._timer = Timer(self._look)
        self._sent, self._moved = 0, 0.0

    def start(self) -> None:
        """The association stands."""
        self._timer.start(self._every)

    def stop(self) -> None:
        """It is over."""
        self._timer.stop()

    def _look(self) -> None:
        problem = self._association.overdue() or self._stuck()
        if problem:
            self._association.abort(text=problem)
        else:
            self._timer.start(self._every)

    def _stuck(self) -> str:
        """The peer does not read: for `limits.message` seconds nothing left of what waits to be sent.

        How much waits says nothing: we go on writing as a slow peer reads.
        """
        now, sent, unsent = self._association.progress()
        if not unsent or sent > self._sent:
            self._moved = now
        self._sent = max(sent, self._sent)
        late = now - self._moved > self._association.limits.message
        return "the peer does not read what we send" if late else ""
