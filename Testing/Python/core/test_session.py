"""Undo and redo of prompts, against a plain list of states."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.core.session import PromptHistory


class HistoryMachine(RuleBasedStateMachine):
    """Whatever is done in whatever order, the history is the list of states and a position."""

    def __init__(self):
        super().__init__()
        self.history = PromptHistory()
        self.states = [(None, ())]
        self.position = 0

    def push(self, state):
        self.states = [*self.states[: self.position + 1], state]
        self.position += 1

    @rule(x=st.integers(-9, 9), positive=st.booleans())
    def add_point(self, x, positive):
        point = Point((x, 0, 0), positive)
        self.history.add_point(point)
        roi, points = self.states[self.position]
        self.push((roi, (*points, point)))

    @rule(size=st.none() | st.integers(1, 9))
    def set_roi(self, size):
        roi = None if size is None else Roi.from_box((0, 0, 0), (size,) * 3)
        self.history.set_roi(roi)
        self.push((roi, self.states[self.position][1]))

    @rule()
    def clear(self):
        self.history.clear()
        self.push((None, ()))

    @rule()
    def undo(self):
        assert self.history.undo() == (self.position > 0)
        self.position = max(0, self.position - 1)

    @rule()
    def redo(self):
        last = len(self.states) - 1
        assert self.history.redo() == (self.position < last)
        self.position = min(last, self.position + 1)

    @invariant()
    def the_prompts_are_those_of_the_position(self):
        roi, points = self.states[self.position]
        assert self.history.prompts.roi is roi
        assert self.history.prompts.points == points


HistoryMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPromptHistory = HistoryMachine.TestCase


def test_a_history_may_start_with_prompts():
    prompts = Prompts(points=(Point((1, 2, 3)),))
    history = PromptHistory(prompts)
    assert history.prompts is prompts
    assert not history.undo()
