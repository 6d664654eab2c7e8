"""What the user is told of a point of which the model says that it changes nothing."""

import pytest

from SAMSegmentLib.core.answer import UNCHANGED
from TestSupport.quick_engine import STUBBORN

from ..conftest import BALL

pytestmark = pytest.mark.mrml

CLICK = (BALL[0], BALL[1] - 8, BALL[2])


@pytest.fixture
def user(make_user):
    return make_user(modality=STUBBORN)


def test_a_point_that_leaves_the_preview_as_it_is_says_so(user):
    before = user.propose(CLICK)
    assert (user.propose(CLICK) == before).all()
    assert UNCHANGED in user.status


def test_a_point_that_changes_the_preview_does_not(user):
    before = user.propose(CLICK)
    assert (user.propose(BALL, positive=False) != before).any()
    assert UNCHANGED not in user.status


def test_an_roi_around_what_was_clicked_on_does_not(user):
    user.propose(CLICK)
    user.ui.roiSelector.setCurrentNode(user.builder.roi(BALL, (60, 60, 60)))
    user.proposal()
    assert UNCHANGED not in user.status


def test_smoothing_less_does_not(user):
    user.propose(CLICK)
    user.propose(CLICK)
    user.button("smoothBorderBox", False)
    user.proposal()
    assert UNCHANGED not in user.status
