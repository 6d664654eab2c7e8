"""Editing prompts with undo and redo, against a plain list of states."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from SAMSegmentLib.core.prompt_history import PromptHistory
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from TestSupport.properties import examples

positions = st.integers(-9, 9)


class HistoryMachine(RuleBasedStateMachine):
    """Whatever is done in whatever order, the history is the list of states and a position.

    A state of the model is (edge of the ROI, (x, sign) of each point, length of the line).
    """

    def __init__(self):
        super().__init__()
        self.history = PromptHistory()
        self.states = [(None, (), None)]
        self.position = 0

    @property
    def state(self):
        return self.states[self.position]

    def push(self, state):
        if state != self.state:
            self.states = [*self.states[: self.position + 1], state]
            self.position += 1

    @rule(x=positions, positive=st.booleans())
    def add_point(self, x, positive):
        self.history.add_point(Point((x, 0, 0), positive))
        self.push((self.state[0], (*self.state[1], (x, positive)), self.state[2]))

    @rule(size=st.integers(1, 3))
    def set_roi(self, size):
        self.history.set_roi(roi_of(size))
        self.push((size, *self.state[1:]))

    @rule(size=st.none() | st.integers(1, 2), x=st.integers(0, 1), length=st.none() | st.just(1))
    def replace(self, size, x, length):
        state = (size, ((x, True),), length)
        self.history.replace(prompts_of(state))
        self.push(state)

    @rule()
    def the_same_again_is_no_step(self):
        self.history.replace(prompts_of(self.state))

    @rule()
    def clear(self):
        self.history.clear()
        self.push((None, (), None))

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
        assert self.history.prompts.to_json() == prompts_of(self.state).to_json()

    @invariant()
    def it_knows_what_can_be_undone_and_redone(self):
        assert self.history.can_undo == (self.position > 0)
        assert self.history.can_redo == (self.position + 1 < len(self.states))


def roi_of(size):
    return None if size is None else Roi.from_box((0, 0, 0), (size,) * 3)


def line_of(length):
    return None if length is None else Line((0, 0, 0), (length, 0, 0))


def prompts_of(state):
    size, points, length = state
    return Prompts(
        roi_of(size), tuple(Point((x, 0, 0), sign) for x, sign in points), line_of(length)
    )


HistoryMachine.TestCase.settings = settings(max_examples=examples(40), stateful_step_count=30)
TestPromptHistory = HistoryMachine.TestCase


def test_a_history_may_start_with_prompts():
    prompts = Prompts(points=(Point((1, 2, 3)),))
    history = PromptHistory(prompts)
    assert history.prompts is prompts
    assert not history.undo()


def test_an_edit_that_changes_nothing_leaves_what_was_undone_to_be_redone():
    history = PromptHistory()
    history.set_roi(roi_of(2))
    history.add_point(Point((1, 2, 3)))
    history.undo()
    history.set_roi(roi_of(2))
    assert history.can_redo
    history.redo()
    assert history.prompts.points == (Point((1, 2, 3)),)
