"""The scene changes while an answer is on its way: it is never shown, and never written."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.worker.protocol.events import Proposed
from SlicerHost.scene_builder import affine
from TestSupport.phantoms import ball, dice

from ..conftest import BALL, GRID, RADIUS, SMALL
from .test_rules import paint

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
STEP = affine(offset=(4 * GRID.spacing[0], 0, 0))


def other_voxels(user):
    """Written in place, as numpy users do in Slicer."""
    array = slicer.util.arrayFromVolume(user.volume)
    array[:] = np.where(UPPER, 40, array)
    slicer.util.arrayFromVolumeModified(user.volume)


UPPER = np.zeros(GRID.shape, dtype=bool)
UPPER[7:] = True


def other_image(user):
    slicer.util.updateVolumeFromArray(
        user.volume, np.where(UPPER, 40, slicer.util.arrayFromVolume(user.volume))
    )


def other_spacing(user):
    user.volume.SetSpacing(*(GRID.spacing * (1, 1, 1.1)))


def volume_moved(user):
    user.builder.under(user.volume, STEP)


def volume_hardened(user):
    user.builder.under(user.volume, STEP).HardenTransform()


def segmentation_moved(user):
    user.builder.under(user.segmentation, STEP)


def other_grid(user):
    matrix = GRID.ijk_to_ras @ affine(np.diag([0.5, 0.5, 0.5]))
    user.builder.on_grid(user.segmentation, matrix, tuple(2 * n for n in GRID.shape))


def keep_out(user):
    user.editor.effectByName("SAM Segment").setParameter("KeepOut", 0)


def start_from(user):
    user.editor.effectByName("SAM Segment").setParameter("StartFrom", "content")


CHANGES = [
    other_voxels,
    other_image,
    other_spacing,
    volume_moved,
    volume_hardened,
    segmentation_moved,
    other_grid,
    keep_out,
    start_from,
]


class HeldEvents:
    """Holds the events of the worker back until they are released, all in one event of Qt."""

    def __init__(self, user) -> None:
        self.user, self.requester = user, user.session._requester
        self.events = []
        self._pass_on = self.requester.on_worker_event
        self.requester.on_worker_event = self.events.append

    def wait_for_answer(self):
        self.user.wait(lambda: any(type(event) is Proposed for event in self.events))

    def release(self) -> None:
        self.requester.on_worker_event = self._pass_on
        for event in self.events:
            self._pass_on(event)


@pytest.mark.parametrize("change", CHANGES)
def test_an_old_answer_is_dropped_and_asked_for_anew(user, change):
    held = HeldEvents(user)
    user.place(BALL)
    held.wait_for_answer()
    change(user)
    held.release()
    assert user.session._requester.shown is None and user.preview_mask() is None
    # Not even Apply by a script, before anything else was notified.
    user.session.apply()
    assert not user.mask_is_there()
    user.wait(lambda: user.session._requester.shown is not None and not user.is_busy)
    shown = user.session._requester.shown
    assert shown.request.is_same(user.session._current_request())
    user.wait(lambda: not user.session._steps.is_running("show"))
    user.apply()
    assert user.mask_is_there()


@pytest.mark.parametrize("change", CHANGES[:7])
def test_a_shown_proposal_is_not_applied_after_a_change_that_nobody_reported(user, change):
    user.propose(BALL)
    change(user)
    user.session.apply()
    assert not user.mask_is_there()


def test_another_segment_that_is_painted_meanwhile_keeps_its_voxels(user):
    node = user.editor.mrmlSegmentEditorNode()
    node.SetOverwriteMode(node.OverwriteAllSegments)
    mask = user.propose(BALL)
    paint(user, user.second, UPPER)
    user.session.apply()
    assert not user.mask_is_there() and "look again" in user.status
    user.apply()
    assert (user.mask(user.second) == UPPER).all()
    assert (user.mask() == (mask & ~UPPER)).all()


def test_the_content_from_which_a_proposal_starts_is_painted_meanwhile(user):
    paint(user, user.first, TRUTH & ~UPPER)
    user.ui.startSelector.setCurrentIndex(user.ui.startSelector.findData("content"))
    user.propose(SMALL)
    paint(user, user.first, TRUTH)
    user.session.apply()
    assert (user.mask() == TRUTH).all()
    user.wait(lambda: not user.is_busy)
    user.apply()
    assert (user.mask() & TRUTH == TRUTH).all() and user.mask().sum() > TRUTH.sum()


def test_a_click_at_the_moment_of_apply_counts(user):
    user.propose(BALL)
    user.place((33, 30, 27), positive=False)
    user.session.apply()  # Ctrl+Return before the event loop came to the click
    assert not user.mask_is_there()
    assert user.proposal() is not None and len(user.rows) == 2
    user.apply()
    assert user.mask_is_there() and not user.mask()[ball(GRID, (33, 30, 27), 3)].any()


def test_the_scene_is_closed_before_the_answer_comes(user):
    held = HeldEvents(user)
    user.place(BALL)
    held.wait_for_answer()
    user.application.close_scene()
    held.release()
    assert user.session._requester.shown is None
    user.application.wait(seconds=0.1)
    assert not user.is_busy


def test_the_segment_is_removed_before_the_answer_comes(user):
    held = HeldEvents(user)
    user.place(BALL)
    held.wait_for_answer()
    user.segmentation.GetSegmentation().RemoveSegment(user.first)
    held.release()
    assert user.session._requester.shown is None


def test_nothing_changed_and_the_answer_is_shown(user):
    held = HeldEvents(user)
    user.place(BALL)
    held.wait_for_answer()
    # Looks and names are no part of the question.
    user.volume.SetName("Renamed")
    user.segmentation.GetSegmentation().GetSegment(user.second).SetColor(0, 1, 0)
    held.release()
    user.wait(lambda: not user.is_busy)
    assert user.session._requester.shown is not None
    user.wait(lambda: not user.session._steps.is_running("show"))
    user.apply()
    assert dice(user.mask(), TRUTH) > 0.95
