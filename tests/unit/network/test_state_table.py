"""Our state table is the standard's: cell by cell what pynetdicom, written by others, says."""

import pytest
from pynetdicom import fsm

from isocenter.network.state_table import NEXT, TABLE, Action, Event, State
from isocenter.network.upper_layer import _METHODS, UpperLayer


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_each_cell_of_table_9_10_names_the_same_action(event, state):
    action = TABLE[event][state]
    assert fsm.TRANSITION_TABLE.get((f"Evt{event}", f"Sta{state}")) == (action and action.value)


@pytest.mark.parametrize("action", Action)
def test_each_action_leads_to_the_same_states(action):
    told = fsm.ACTIONS[action.value][2]
    states = (told,) if isinstance(told, str) else tuple(told)
    assert tuple(f"Sta{state.value}" for state in NEXT[action]) == states


@pytest.mark.parametrize("action", Action)
def test_each_action_is_carried_out(action):
    assert callable(getattr(UpperLayer, _METHODS[action]))


def test_there_are_13_states_and_19_events_and_123_filled_cells():
    filled = sum(cell is not None for row in TABLE[1:] for cell in row)
    assert (len(State), len(Event), filled) == (13, 19, len(fsm.TRANSITION_TABLE))
