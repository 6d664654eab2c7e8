"""The rules of SAM-Med3D's clicks: one at a time, each with the mask before, each where it lies."""

import numpy as np
import pytest

from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Point, Roi
from SAMSegmentLib.models.sammed3d.model import CubePrompt
from SAMSegmentLib.models.sammed3d.session import CONTENT_LOGIT, CubeSession
from SAMSegmentLib.models.windowed.masks import WindowMask
from TestSupport.phantoms import ball, grid, middle_of, voxel_positions

# 720 mm from left to right, 240 mm otherwise.
GEOMETRY = grid((30, 30, 90), (8, 8, 8))
MIDDLE = middle_of(GEOMETRY)


class Recorder:
    """Stands for the network: says another thing each time, and keeps what it was asked."""

    def __init__(self, values=(), reaching=False):
        self.asked = []
        self.said = []
        self.reaching = reaching
        self.values = iter(values)

    def __call__(self, cube, prompt):
        before = np.zeros((32,) * 3, np.float32) if prompt.before is None else prompt.before
        self.asked.append((cube, prompt, before.copy()))
        logits = np.full((32,) * 3, -5.0, np.float32)
        side = slice(None) if self.reaching else slice(4, 28)
        logits[side, 12:20, 12:20] = next(self.values, len(self.asked))
        self.said.append(logits)
        return WindowMask(cube, logits)


def session_with(content=None, reaching=False, shown=None):
    network = Recorder(reaching=reaching)
    show = (lambda masks: None) if shown is None else (lambda masks: shown.append(list(masks)))
    return CubeSession(GEOMETRY, network, show, content), network


def at(x, y=0.0, z=0.0, positive=True):
    return Point(tuple(MIDDLE + np.array([x, y, z], dtype=float)), positive)


def test_the_first_click_goes_in_alone_with_an_empty_mask():
    session, network = session_with()
    answer = session.at_point(at(10, -20, 30))
    ((cube, prompt, previous),) = network.asked
    assert prompt == CubePrompt(tuple(cube.voxels(at(10, -20, 30).ras)), True)
    assert not previous.any()
    assert [mask.window for mask in answer.masks] == [cube]
    assert np.array_equal(answer.masks[0].logits, network.said[0])


def test_each_further_click_goes_in_alone_with_the_logits_before():
    session, network = session_with()
    answer = session.at_point(at(0))
    for number, click in enumerate([at(20), at(-30, 10, positive=False), at(5, 5, 5)], 1):
        answer = session.corrected(answer, click)
        cube, prompt, previous = network.asked[number]
        assert cube == network.asked[0][0]
        assert prompt == CubePrompt(tuple(cube.voxels(click.ras)), click.positive)
        assert np.array_equal(previous, network.said[number - 1])
    assert len(network.asked) == 4
    assert np.array_equal(answer.own[0].logits, network.said[-1])


def test_a_correction_leaves_the_earlier_answer_as_it_was():
    session, _ = session_with()
    before = session.at_point(at(0))
    logits = before.own[0].logits.copy()
    session.corrected(before, at(20))
    assert np.array_equal(before.own[0].logits, logits) and len(before.own) == 1


def test_clicks_farther_apart_than_any_cube_are_both_answered():
    session, network = session_with()
    answer = session.at_point(at(-250))
    answer = session.corrected(answer, at(250))
    assert len(answer.own) == 2
    for mask, click in zip(answer.own, (at(-250), at(250)), strict=True):
        assert mask.window.holds(click.ras)
        assert tuple(mask.window.voxels(click.ras)) == next(
            prompt.voxel for cube, prompt, _ in network.asked if cube == mask.window
        )
    # Nothing is known there yet.
    assert not network.asked[1][2].any()


def test_a_click_in_a_new_cube_gets_what_is_known_of_it():
    session, network = session_with()
    answer = session.at_point(at(0))
    session.corrected(answer, at(140))
    cube, _, previous = network.asked[1]
    assert cube != network.asked[0][0]
    assert (previous > 0).any() and (previous < 0).any() and (previous == 0).any()
    seen = [
        mask.window.holds(ras)
        for mask in answer.own
        for ras in voxel_positions(cube.coarser(4))[::8, ::8, ::8].reshape(-1, 3)
    ]
    assert np.array_equal(previous[::8, ::8, ::8].ravel() != 0, seen)


def test_a_click_where_cubes_of_clicks_overlap_goes_into_both():
    session, network = session_with()
    answer = session.corrected(session.at_point(at(-60)), at(60))
    if len(answer.own) == 1:
        answer = session.corrected(answer, at(110))
    assert len(answer.own) == 2
    network.asked.clear()
    shared = next(
        at(x)
        for x in range(-100, 200, 5)
        if all(mask.window.holds(at(x).ras) for mask in answer.own)
    )
    session.corrected(answer, shared)
    assert [cube for cube, _, _ in network.asked] == [mask.window for mask in answer.own]
    assert all(prompt.voxel == tuple(cube.voxels(shared.ras)) for cube, prompt, _ in network.asked)


def test_a_negative_click_outside_all_cubes_changes_nothing():
    session, network = session_with()
    answer = session.at_point(at(0))
    assert session.corrected(answer, at(300, positive=False)) is answer
    assert len(network.asked) == 1


def test_a_large_object_is_followed_and_what_was_added_is_made_anew_after_a_click():
    shown = []
    session, network = session_with(reaching=True, shown=shown)
    answer = session.at_point(at(0))
    assert len(answer.own) == 1 and len(answer.added) >= 4 and not answer.is_cut_off
    assert len(shown) == len(answer.added) and len(shown[0]) == 1
    first = len(network.asked)
    again = session.corrected(answer, at(10))
    assert len(again.own) == 1
    assert len(network.asked) == 2 * first
    assert {mask.window for mask in again.added} == {mask.window for mask in answer.added}


@pytest.mark.parametrize("positive", [True, False])
def test_a_click_in_an_added_cube_makes_it_the_users_with_the_mask_that_it_had(positive):
    session, network = session_with(reaching=True)
    answer = session.at_point(at(0))
    click = at(200, positive=positive)
    holding = [mask for mask in answer.added if mask.window.holds(click.ras)]
    assert holding and not answer.own[0].window.holds(click.ras)
    network.asked.clear()
    again = session.corrected(answer, click)
    cube, prompt, previous = network.asked[0]
    deepest = max(holding, key=lambda mask: mask.window.depth(click.ras))
    assert cube == deepest.window and prompt.positive == positive
    assert np.array_equal(previous, deepest.logits)
    assert [mask.window for mask in again.own] == [answer.own[0].window, cube]
    assert again.own[0] is answer.own[0]


def test_an_roi_goes_in_as_a_click_in_its_middle_and_as_a_box_to_weights_that_take_one():
    session, network = session_with()
    roi = Roi.from_box(MIDDLE + np.array([3, 5, 7]), (60, 40, 90))
    for with_box in (False, True):
        session.in_roi(roi, roi.center, with_box)
    (cube, plain, previous), (_, boxed, _) = network.asked
    assert plain == CubePrompt(tuple(cube.voxels(roi.center)), True) and not previous.any()
    assert boxed.voxel == plain.voxel and plain.box is None
    low, high = np.array(boxed.box).reshape(2, 3)
    # A voxel's middle is a whole number.
    expected = (np.array([roi.corners().min(0), roi.corners().max(0)]) - cube.start) / 1.5 - 0.5
    assert np.allclose([low, high], expected)


def test_a_box_larger_than_a_cube_is_cut_to_it():
    session, network = session_with()
    session.in_roi(Roi.from_box(MIDDLE, (700, 50, 50)), MIDDLE, True)
    (_, prompt, _), *_ = network.asked
    assert prompt.box[0] == 0 and prompt.box[3] == 127


def test_content_goes_in_as_a_mask_without_a_click():
    content = ball(GEOMETRY, MIDDLE, 50)
    session, network = session_with(Patch(content, (0, 0, 0)).cropped())
    answer = session.of_content()
    ((cube, prompt, previous),) = network.asked
    assert prompt == CubePrompt() and len(answer.own) == 1
    distance = np.linalg.norm(voxel_positions(cube.coarser(4)) - MIDDLE, axis=-1)
    assert np.allclose(previous[distance < 38], CONTENT_LOGIT)
    assert np.allclose(previous[distance > 62], -CONTENT_LOGIT)
    assert previous.dtype == np.float32


@pytest.mark.parametrize(
    "pieces", [[-300, 300], [0, 250], [-340, -120, 0, 120, 340]], ids=["two", "uneven", "many"]
)
def test_content_larger_than_a_cube_goes_into_as_many_as_hold_it_all(pieces):
    content = np.any([ball(GEOMETRY, at(x).ras, 20) for x in pieces], axis=0)
    session, network = session_with(Patch(content, (0, 0, 0)).cropped())
    session.of_content()
    held = np.zeros(GEOMETRY.shape, bool)
    positions = voxel_positions(GEOMETRY)
    for cube, _, previous in network.asked:
        inside = (positions @ cube.frame.axes - cube.start + 1e-3) / 192.0
        held |= ((inside >= 0) & (inside <= 1 + 1e-4)).all(-1)
        assert (previous > 0).any()
    assert held[content].all()
    assert len(network.asked) <= 5


def test_content_at_the_end_of_the_volume_is_held_too():
    content = np.zeros(GEOMETRY.shape, bool)
    content[-1, -1, -3:] = content[0, 0, :2] = True
    session, network = session_with(Patch(content, (0, 0, 0)).cropped())
    session.of_content()
    assert len(network.asked) == 2
    assert all(
        (previous > 0).any() or previous.max() > -CONTENT_LOGIT for *_, previous in network.asked
    )


def test_what_the_network_makes_of_content_after_a_click_is_asked_with_the_content():
    content = ball(GEOMETRY, MIDDLE, 50)
    session, network = session_with(Patch(content, (0, 0, 0)).cropped())
    mask = session.at_content(at(70, positive=False))
    ((cube, prompt, previous),) = network.asked
    assert prompt == CubePrompt(tuple(cube.voxels(at(70).ras)), False)
    assert previous.max() == CONTENT_LOGIT
    assert np.array_equal(mask.logits, network.said[0])
