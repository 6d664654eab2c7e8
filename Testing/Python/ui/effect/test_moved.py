"""Between Apply and the next click something has moved or was edited: finished work stays."""

import numpy as np
import pytest
from scipy import ndimage

from SAMSegmentLib.core.smoothing import SMOOTHING_MM
from SAMSegmentLib.scene import provenance
from SlicerHost.scene_builder import GRIDS, affine, rotation, vtk_matrix, world_of
from TestSupport.phantoms import ball, dice
from TestSupport.quick_engine import POINT_MM
from TestSupport.scene_answers import geometry_of

from ..conftest import BALL, GRID, RADIUS, SMALL
from .test_rules import paint
from .test_views import draw_roi

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
#: Within the ball near its upper end, as index (i, j, k); its centre.
TIP, MIDDLE = (22, 20, 9), (22, 20, 6)
TURN = affine(rotation(10, 20, -30), (25, -60, 40))


def at(user, index) -> tuple:
    """World RAS of a voxel of the volume, wherever that lies now."""
    world = geometry_of(user.volume).transformed(world_of(user.volume))
    return tuple(world.to_ras(np.array(index)))


def applied(user):
    mask = user.propose(at(user, MIDDLE))
    user.apply()
    assert mask.sum() > 900 and (user.mask() == mask).all()
    return mask


def corrected(user, before, index=TIP) -> None:
    """One negative click within the segment changes what is near it, and nothing else."""
    user.propose(at(user, index), positive=False)
    user.apply()
    after = user.mask()
    removed = np.argwhere(before & ~after)[:, ::-1]
    assert len(removed) and not (after & ~before).any()
    grid = geometry_of(user.volume)
    distances = np.linalg.norm(grid.to_ras(removed) - grid.to_ras(np.array(index)), axis=1)
    # Where what it takes away meets the old border, the new one is smooth.
    assert distances.max() <= POINT_MM + SMOOTHING_MM


def move(user, harden, *nodes) -> None:
    transform = user.builder.transform(TURN)
    for node in nodes or (user.volume, user.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
        if harden:
            node.HardenTransform()


def idle(user) -> None:
    user.choose_effect("")


def active(user) -> None:
    """The effect stays chosen."""


WHILE = pytest.mark.parametrize("meanwhile", [idle, active])


@pytest.mark.parametrize(
    ("meanwhile", "harden", "grid"),
    [
        (idle, False, "gantry tilt"),
        (idle, True, None),
        (active, False, None),
        (active, True, "oblique"),
    ],
)
def test_moved_together_the_prompts_move_along(make_user, meanwhile, harden, grid):
    user = make_user(matrix=GRIDS.get(grid))
    before = applied(user)
    meanwhile(user)
    move(user, harden)
    user.application.wait(seconds=0.15)
    user.choose_effect()
    user.wait(lambda: "moved with it" in user.status)
    assert len(user.rows) == 1 and user.ui.startSelector.currentData == "prompts"
    np.testing.assert_allclose(user.session._prompts.rows[0].ras, at(user, MIDDLE), atol=1e-6)
    # Undo cannot bring back where they were.
    assert not user.ui.undoPromptButton.isEnabled()
    corrected(user, before)


@WHILE
def test_moved_one_after_the_other_they_are_back_in_the_end(user, meanwhile):
    before = applied(user)
    meanwhile(user)
    transform = user.builder.transform(TURN)
    for node in (user.volume, user.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
        user.application.wait(seconds=0.15)
    user.choose_effect()
    user.wait(lambda: len(user.rows) == 1)
    assert user.ui.startSelector.currentData == "prompts"
    corrected(user, before)


def moved_apart(user) -> str:
    matrix = geometry_of(user.volume).ijk_to_ras @ affine(offset=(3, -2, 0))
    user.volume.SetIJKToRASMatrix(vtk_matrix(matrix))
    return "has moved since"


def edited(user) -> str:
    paint(user, user.first, ndimage.binary_dilation(user.mask()))
    return "was changed since"


def old(user) -> str:
    segment = user.segmentation.GetSegmentation().GetSegment(user.first)
    segment.RemoveTag(provenance.FRAME)
    segment.SetTag(provenance.PROMPTS, user.session._prompts.prompts.to_json())
    return "earlier version"


@pytest.mark.parametrize("happens", [moved_apart, edited, old])
def test_stale_prompts_are_left_out_and_the_next_click_corrects_what_is_there(user, happens):
    applied(user)
    says = happens(user)
    user.choose_effect("")
    before = user.mask()
    user.choose_effect()
    assert says in user.status and user.rows == []
    assert user.ui.startSelector.currentData == "content"
    corrected(user, before, np.argwhere(before).mean(0)[::-1])


def test_another_segment_starts_as_the_user_has_chosen(user):
    applied(user)
    edited(user)
    user.choose_effect("")
    user.choose_effect()
    assert user.ui.startSelector.currentData == "content"
    user.editor.setCurrentSegmentID(user.second)
    user.application.process_events()
    assert user.ui.startSelector.currentData == "prompts"
    user.editor.setCurrentSegmentID(user.first)
    user.application.process_events()
    assert user.ui.startSelector.currentData == "content"


def test_who_wants_to_start_from_prompts_all_the_same_can(user):
    applied(user)
    edited(user)
    user.choose_effect("")
    user.choose_effect()
    user.ui.startSelector.setCurrentIndex(user.ui.startSelector.findData("prompts"))
    assert dice(user.propose(BALL), TRUTH) > 0.95
    user.editor.setCurrentSegmentID(user.second)
    user.application.process_events()
    assert user.ui.startSelector.currentData == "prompts"


def test_a_segment_copied_into_a_segmentation_elsewhere_keeps_its_voxels(user):
    applied(user)
    other = user.builder.segmentation(name="Target")
    user.builder.under(other, affine(offset=4 * GRID.spacing * (1, 1, 0)))
    other.GetSegmentation().CopySegmentFromSegmentation(
        user.segmentation.GetSegmentation(), user.first
    )
    user.segmentation = other
    user.editor.setSegmentationNode(other)
    user.editor.setSourceVolumeNode(user.volume)
    user.editor.setCurrentSegmentID(user.first)
    before = user.mask()
    user.choose_effect()
    user.wait(lambda: "has moved since" in user.status)
    corrected(user, before, np.argwhere(before).mean(0)[::-1])


def test_what_moves_during_a_proposal_takes_it_along(user):
    mask = user.propose(at(user, MIDDLE))
    move(user, harden=False)
    again = user.proposal()
    assert (again == mask).all() and len(user.rows) == 1
    user.apply()
    assert (user.mask() == mask).all()


def test_a_click_after_the_editors_undo_is_one_more_prompt_as_ever(user):
    mask = applied(user)
    user.editor.undo()
    assert not user.mask().any()
    user.propose(at(user, TIP), positive=False)
    assert len(user.rows) == 2
    user.apply()
    assert 0 < user.mask().sum() < mask.sum()


def test_without_a_move_nothing_is_said_and_undo_still_works(user):
    applied(user)
    user.editor.setCurrentSegmentID(user.second)
    user.editor.setCurrentSegmentID(user.first)
    user.application.process_events()
    assert "moved" not in user.status and len(user.rows) == 1
    assert user.ui.undoPromptButton.isEnabled()


@pytest.mark.parametrize("applied_first", [True, False])
@pytest.mark.parametrize("way", ["Paint", "another segment"])
def test_a_segment_that_was_corrected_after_an_edit_is_so_again_when_it_comes_back(
    user, way, applied_first
):
    applied(user)
    edited(user)
    user.choose_effect("Paint")
    user.choose_effect()
    before = user.mask()
    middle = np.argwhere(before).mean(0)[::-1]
    user.propose(at(user, np.add(middle, (9, 0, 0))))
    if applied_first:
        user.apply()
        before = user.mask()
    if way == "another segment":
        user.editor.setCurrentSegmentID(user.second)
        user.application.process_events()
        assert user.ui.startSelector.currentData == "prompts"
        user.editor.setCurrentSegmentID(user.first)
        user.application.process_events()
    else:
        user.choose_effect(way)
        user.choose_effect()
    assert user.ui.startSelector.currentData == "content"
    if applied_first:
        assert "correct what the segment holds" in user.status
    user.propose(at(user, middle), positive=False)
    user.apply()
    removed = np.argwhere(before & ~user.mask())[:, ::-1]
    grid = geometry_of(user.volume)
    distances = np.linalg.norm(grid.to_ras(removed) - grid.to_ras(middle), axis=1)
    assert 0 < distances.max() <= POINT_MM


@WHILE
def test_an_roi_that_a_shear_would_make_another_one_stays_away(user, meanwhile):
    draw_roi(user)
    user.proposal()
    user.apply()
    before = user.mask()
    meanwhile(user)
    shear = user.builder.transform(affine([[1, 0.3, 0], [0, 1, 0], [0, 0, 1]]))
    for node in (user.volume, user.segmentation):
        node.SetAndObserveTransformNodeID(shear.GetID())
        node.HardenTransform()
    user.application.wait(seconds=0.15)
    user.choose_effect()
    user.wait(lambda: "has moved since" in user.status)
    assert user.rows == [] and user.ui.startSelector.currentData == "content"
    corrected(user, before)


def test_a_finished_segment_that_is_selected_after_a_stale_one_asks_for_nothing(user):
    applied(user)
    edited(user)
    user.editor.setCurrentSegmentID(user.second)
    user.propose(SMALL)
    user.apply()
    user.editor.setCurrentSegmentID(user.first)
    user.application.process_events()
    assert user.ui.startSelector.currentData == "content"
    user.editor.setCurrentSegmentID(user.second)
    user.application.wait(seconds=0.1)
    assert user.ui.startSelector.currentData == "prompts"
    assert not user.is_busy and user.session._requester.shown is None
