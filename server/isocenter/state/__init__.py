"""What belongs to the server and not to a dataset: `state.db` (row 1)."""

from isocenter.state.engine import State, open_state

__all__ = ["State", "open_state"]
