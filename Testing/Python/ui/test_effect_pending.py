"""The scene changes while an answer is on its way: it is never shown, and never written."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.worker.events import Answer
from SlicerHost.studio import affine
from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS, SMALL
from .test_effect_rules import paint

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
STEP = affine(offset=(4 * GRID.spacing[0], 0, 0))


def other_voxels(desk):
    """Written in place, as numpy users do in Slicer."""
    array = slicer.util.arrayFromVolume(desk.volume)
    array[:] = np.where(UPPER, 40, array)
    slicer.util.arrayFromVolumeModified(desk.volume)


UPPER = np.zeros(GRID.shape, dtype=bool)
UPPER[7:] = True


def other_image(desk):
    slicer.util.updateVolumeFromArray(
        desk.volume, np.where(UPPER, 40, slicer.util.arrayFromVolume(desk.volume))
    )


def other_spacing(desk):
    desk.volume.SetSpacing(*(GRID.spacing * (1, 1, 1.1)))


def volume_moved(desk):
    desk.studio.under(desk.volume, STEP)


def volume_hardened(desk):
    desk.studio.under(desk.volume, STEP).HardenTransform()


def segmentation_moved(desk):
    desk.studio.under(desk.segmentation, STEP)


def other_grid(desk):
    matrix = GRID.ijk_to_ras @ affine(np.diag([0.5, 0.5, 0.5]))
    desk.studio.on_grid(desk.segmentation, matrix, tuple(2 * n for n in GRID.shape))


def keep_out(desk):
    desk.editor.effectByName("SAM Segment").setParameter("KeepOut", 0)


def start_from(desk):
    desk.editor.effectByName("SAM Segment").setParameter("StartFrom", "content")


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


class Post:
    """Holds back what the worker answers, until it is delivered; in the midst of an event."""

    def __init__(self, desk) -> None:
        self.desk, self.asking = desk, desk.session._asking
        self.letters = []
        self._deliver = self.asking.on_worker_event
        self.asking.on_worker_event = self.letters.append

    def wait_for_answer(self):
        self.desk.wait(lambda: any(type(letter) is Answer for letter in self.letters))

    def deliver(self) -> None:
        self.asking.on_worker_event = self._deliver
        for letter in self.letters:
            self._deliver(letter)


@pytest.mark.parametrize("change", CHANGES)
def test_an_old_answer_is_dropped_and_asked_for_anew(desk, change):
    post = Post(desk)
    desk.place(BALL)
    post.wait_for_answer()
    change(desk)
    post.deliver()
    assert desk.session._asking.shown is None and desk.preview_mask() is None
    # Not even Apply by a script, before anybody else was told.
    desk.session.apply()
    assert not desk.mask_is_there()
    desk.wait(lambda: desk.session._asking.shown is not None and not desk.is_asking)
    shown = desk.session._asking.shown
    assert shown.question.is_same(desk.session._question())
    desk.wait(lambda: not desk.session._steps.is_running("show"))
    desk.apply()
    assert desk.mask_is_there()


@pytest.mark.parametrize("change", CHANGES[:7])
def test_a_shown_proposal_is_not_applied_after_a_change_that_nobody_told(desk, change):
    desk.propose(BALL)
    change(desk)
    desk.session.apply()
    assert not desk.mask_is_there()


def test_another_segment_that_is_painted_meanwhile_keeps_its_voxels(desk):
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetOverwriteMode(node.OverwriteAllSegments)
    mask = desk.propose(BALL)
    paint(desk, desk.second, UPPER)
    desk.session.apply()
    assert not desk.mask_is_there() and "look again" in desk.status
    desk.apply()
    assert (desk.mask(desk.second) == UPPER).all()
    assert (desk.mask() == (mask & ~UPPER)).all()


def test_the_content_from_which_a_proposal_starts_is_painted_meanwhile(desk):
    paint(desk, desk.first, TRUTH & ~UPPER)
    desk.ui.startSelector.setCurrentIndex(desk.ui.startSelector.findData("content"))
    desk.propose(SMALL)
    paint(desk, desk.first, TRUTH)
    desk.session.apply()
    assert (desk.mask() == TRUTH).all()
    desk.wait(lambda: not desk.is_asking)
    desk.apply()
    assert (desk.mask() & TRUTH == TRUTH).all() and desk.mask().sum() > TRUTH.sum()


def test_a_click_at_the_moment_of_apply_counts(desk):
    desk.propose(BALL)
    desk.place((33, 30, 27), positive=False)
    desk.session.apply()  # Ctrl+Return before the event loop came to the click
    assert not desk.mask_is_there()
    assert desk.proposal() is not None and len(desk.rows) == 2
    desk.apply()
    assert desk.mask_is_there() and not desk.mask()[ball(GRID, (33, 30, 27), 3)].any()


def test_the_scene_is_closed_before_the_answer_comes(desk):
    post = Post(desk)
    desk.place(BALL)
    post.wait_for_answer()
    desk.application.close_scene()
    post.deliver()
    assert desk.session._asking.shown is None
    desk.application.wait(seconds=0.1)
    assert not desk.is_asking


def test_the_segment_is_removed_before_the_answer_comes(desk):
    post = Post(desk)
    desk.place(BALL)
    post.wait_for_answer()
    desk.segmentation.GetSegmentation().RemoveSegment(desk.first)
    post.deliver()
    assert desk.session._asking.shown is None


def test_nothing_changed_and_the_answer_is_shown(desk):
    post = Post(desk)
    desk.place(BALL)
    post.wait_for_answer()
    # Looks and names are no part of the question.
    desk.volume.SetName("Renamed")
    desk.segmentation.GetSegmentation().GetSegment(desk.second).SetColor(0, 1, 0)
    post.deliver()
    desk.wait(lambda: not desk.is_asking)
    assert desk.session._asking.shown is not None
    desk.wait(lambda: not desk.session._steps.is_running("show"))
    desk.apply()
    assert dice(desk.mask(), TRUTH) > 0.95
