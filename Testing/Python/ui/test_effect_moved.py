"""Between Apply and the next click something has moved or was edited: finished work stays."""

import numpy as np
import pytest
from scipy import ndimage

from SAMSegmentLib.scene import provenance
from SlicerHost.studio import GRIDS, affine, geometry_of, rotation, vtk_matrix, world_of
from TestSupport.phantoms import ball, dice
from TestSupport.quick_engine import POINT_MM

from .conftest import BALL, GRID, RADIUS, SMALL
from .test_effect_rules import paint
from .test_effect_views import draw_roi

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
#: Within the ball near its upper end, as index (i, j, k); its centre.
TIP, MIDDLE = (22, 20, 9), (22, 20, 6)
TURN = affine(rotation(10, 20, -30), (25, -60, 40))


def at(desk, index) -> tuple:
    """World RAS of a voxel of the volume, wherever that lies now."""
    world = geometry_of(desk.volume).transformed(world_of(desk.volume))
    return tuple(world.to_ras(np.array(index)))


def applied(desk):
    mask = desk.propose(at(desk, MIDDLE))
    desk.apply()
    assert mask.sum() > 900 and (desk.mask() == mask).all()
    return mask


def corrected(desk, before, index=TIP) -> None:
    """One negative click within the segment changes what is near it, and nothing else."""
    desk.propose(at(desk, index), positive=False)
    desk.apply()
    after = desk.mask()
    removed = np.argwhere(before & ~after)[:, ::-1]
    assert len(removed) and not (after & ~before).any()
    grid = geometry_of(desk.volume)
    distances = np.linalg.norm(grid.to_ras(removed) - grid.to_ras(np.array(index)), axis=1)
    assert distances.max() <= POINT_MM


def move(desk, harden, *nodes) -> None:
    transform = desk.studio.transform(TURN)
    for node in nodes or (desk.volume, desk.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
        if harden:
            node.HardenTransform()


def idle(desk) -> None:
    desk.choose_effect("")


def active(desk) -> None:
    """The effect stays chosen."""


WHILE = pytest.mark.parametrize("meanwhile", [idle, active])


@WHILE
@pytest.mark.parametrize("harden", [False, True])
@pytest.mark.parametrize("grid", [None, "oblique", "gantry tilt"])
def test_moved_together_the_prompts_move_along(make_desk, meanwhile, harden, grid):
    desk = make_desk(matrix=GRIDS.get(grid))
    before = applied(desk)
    meanwhile(desk)
    move(desk, harden)
    desk.application.wait(seconds=0.15)
    desk.choose_effect()
    desk.wait(lambda: "moved with it" in desk.status)
    assert len(desk.rows) == 1 and desk.ui.startSelector.currentData == "prompts"
    np.testing.assert_allclose(desk.session._prompts.rows[0].ras, at(desk, MIDDLE), atol=1e-6)
    # Undo cannot bring back where they were.
    assert not desk.ui.undoPromptButton.isEnabled()
    corrected(desk, before)


@WHILE
def test_moved_one_after_the_other_they_are_back_in_the_end(desk, meanwhile):
    before = applied(desk)
    meanwhile(desk)
    transform = desk.studio.transform(TURN)
    for node in (desk.volume, desk.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
        desk.application.wait(seconds=0.15)
    desk.choose_effect()
    desk.wait(lambda: len(desk.rows) == 1)
    assert desk.ui.startSelector.currentData == "prompts"
    corrected(desk, before)


def parted(desk) -> str:
    matrix = geometry_of(desk.volume).ijk_to_ras @ affine(offset=(3, -2, 0))
    desk.volume.SetIJKToRASMatrix(vtk_matrix(matrix))
    return "has moved since"


def edited(desk) -> str:
    paint(desk, desk.first, ndimage.binary_dilation(desk.mask()))
    return "was changed since"


def old(desk) -> str:
    segment = desk.segmentation.GetSegmentation().GetSegment(desk.first)
    segment.RemoveTag(provenance.FRAME)
    segment.SetTag(provenance.PROMPTS, desk.session._prompts.prompts.to_json())
    return "earlier version"


@pytest.mark.parametrize("happens", [parted, edited, old])
def test_stale_prompts_stay_away_and_the_next_click_corrects_what_is_there(desk, happens):
    applied(desk)
    says = happens(desk)
    desk.choose_effect("")
    before = desk.mask()
    desk.choose_effect()
    assert says in desk.status and desk.rows == []
    assert desk.ui.startSelector.currentData == "content"
    corrected(desk, before, np.argwhere(before).mean(0)[::-1])


def test_another_segment_starts_as_the_user_has_chosen(desk):
    applied(desk)
    edited(desk)
    desk.choose_effect("")
    desk.choose_effect()
    assert desk.ui.startSelector.currentData == "content"
    desk.editor.setCurrentSegmentID(desk.second)
    desk.application.process_events()
    assert desk.ui.startSelector.currentData == "prompts"
    desk.editor.setCurrentSegmentID(desk.first)
    desk.application.process_events()
    assert desk.ui.startSelector.currentData == "content"


def test_who_wants_to_start_from_prompts_all_the_same_can(desk):
    applied(desk)
    edited(desk)
    desk.choose_effect("")
    desk.choose_effect()
    desk.ui.startSelector.setCurrentIndex(desk.ui.startSelector.findData("prompts"))
    assert dice(desk.propose(BALL), TRUTH) > 0.95
    desk.editor.setCurrentSegmentID(desk.second)
    desk.application.process_events()
    assert desk.ui.startSelector.currentData == "prompts"


def test_a_segment_copied_into_a_segmentation_elsewhere_keeps_its_voxels(desk):
    applied(desk)
    other = desk.studio.segmentation(name="Target")
    desk.studio.under(other, affine(offset=4 * GRID.spacing * (1, 1, 0)))
    other.GetSegmentation().CopySegmentFromSegmentation(
        desk.segmentation.GetSegmentation(), desk.first
    )
    desk.segmentation = other
    desk.editor.setSegmentationNode(other)
    desk.editor.setSourceVolumeNode(desk.volume)
    desk.editor.setCurrentSegmentID(desk.first)
    before = desk.mask()
    desk.choose_effect()
    desk.wait(lambda: "has moved since" in desk.status)
    corrected(desk, before, np.argwhere(before).mean(0)[::-1])


def test_what_moves_during_a_proposal_takes_it_along(desk):
    mask = desk.propose(at(desk, MIDDLE))
    move(desk, harden=False)
    again = desk.proposal()
    assert (again == mask).all() and len(desk.rows) == 1
    desk.apply()
    assert (desk.mask() == mask).all()


def test_a_click_after_the_editors_undo_is_one_more_prompt_as_ever(desk):
    mask = applied(desk)
    desk.editor.undo()
    assert not desk.mask().any()
    desk.propose(at(desk, TIP), positive=False)
    assert len(desk.rows) == 2
    desk.apply()
    assert 0 < desk.mask().sum() < mask.sum()


def test_without_a_move_nothing_is_said_and_undo_still_works(desk):
    applied(desk)
    desk.editor.setCurrentSegmentID(desk.second)
    desk.editor.setCurrentSegmentID(desk.first)
    desk.application.process_events()
    assert "moved" not in desk.status and len(desk.rows) == 1
    assert desk.ui.undoPromptButton.isEnabled()


@pytest.mark.parametrize("applied_first", [True, False])
@pytest.mark.parametrize("way", ["Paint", "another segment"])
def test_a_segment_that_was_corrected_after_an_edit_is_so_again_when_it_comes_back(
    desk, way, applied_first
):
    applied(desk)
    edited(desk)
    desk.choose_effect("Paint")
    desk.choose_effect()
    before = desk.mask()
    middle = np.argwhere(before).mean(0)[::-1]
    desk.propose(at(desk, np.add(middle, (9, 0, 0))))
    if applied_first:
        desk.apply()
        before = desk.mask()
    if way == "another segment":
        desk.editor.setCurrentSegmentID(desk.second)
        desk.application.process_events()
        assert desk.ui.startSelector.currentData == "prompts"
        desk.editor.setCurrentSegmentID(desk.first)
        desk.application.process_events()
    else:
        desk.choose_effect(way)
        desk.choose_effect()
    assert desk.ui.startSelector.currentData == "content"
    if applied_first:
        assert "correct what the segment holds" in desk.status
    desk.propose(at(desk, middle), positive=False)
    desk.apply()
    removed = np.argwhere(before & ~desk.mask())[:, ::-1]
    grid = geometry_of(desk.volume)
    distances = np.linalg.norm(grid.to_ras(removed) - grid.to_ras(middle), axis=1)
    assert 0 < distances.max() <= POINT_MM


@WHILE
def test_an_roi_that_a_shear_would_make_another_one_stays_away(desk, meanwhile):
    draw_roi(desk)
    desk.proposal()
    desk.apply()
    before = desk.mask()
    meanwhile(desk)
    shear = desk.studio.transform(affine([[1, 0.3, 0], [0, 1, 0], [0, 0, 1]]))
    for node in (desk.volume, desk.segmentation):
        node.SetAndObserveTransformNodeID(shear.GetID())
        node.HardenTransform()
    desk.application.wait(seconds=0.15)
    desk.choose_effect()
    desk.wait(lambda: "has moved since" in desk.status)
    assert desk.rows == [] and desk.ui.startSelector.currentData == "content"
    corrected(desk, before)


def test_a_finished_segment_that_is_selected_after_a_stale_one_asks_for_nothing(desk):
    applied(desk)
    edited(desk)
    desk.editor.setCurrentSegmentID(desk.second)
    desk.propose(SMALL)
    desk.apply()
    desk.editor.setCurrentSegmentID(desk.first)
    desk.application.process_events()
    assert desk.ui.startSelector.currentData == "content"
    desk.editor.setCurrentSegmentID(desk.second)
    desk.application.wait(seconds=0.1)
    assert desk.ui.startSelector.currentData == "prompts"
    assert not desk.is_asking and desk.session._asking.shown is None
