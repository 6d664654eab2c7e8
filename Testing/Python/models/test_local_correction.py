"""A click changes a mask near itself only, in its own direction, with what a network sees there."""

import numpy as np
import pytest

from SAMSegmentLib.core.correction import LEAST_RADIUS_MM, REACH
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch
from SAMSegmentLib.core.prompts import Point
from SAMSegmentLib.models.local_correction import corrected
from TestSupport.phantoms import ball, grid, middle_of, voxel_positions

GEOMETRY = grid((24, 40, 40), (2, 2, 3))
CENTER = middle_of(GEOMETRY)
BALL = ball(GEOMETRY, CENTER, 22)
IMAGE = Image((20 + 160 * BALL).astype(np.int16), GEOMETRY, "CT")
HALF = BALL & (voxel_positions(GEOMETRY)[..., 0] < CENTER[0])


def field_of(mask, start=(0, 0, 0)):
    return Patch(np.where(mask, 5, -5).astype(np.float32), start)


def near_center(x, y=0.0, z=0.0, positive=True):
    return Point(tuple(np.add(CENTER, (x, y, z))), positive)


def mask_of(field):
    return field.on_box((0, 0, 0), GEOMETRY.shape) > 0


def at(point):
    return tuple(np.rint(GEOMETRY.to_ijk(np.array(point.ras))[::-1]).astype(int))


def seen(mask):
    """What a network would propose that sees a mask."""
    return lambda error: field_of(mask).on_box(error.mask.start, error.mask.values.shape) > 0


def test_a_click_adds_what_the_network_sees_there_and_takes_nothing_away():
    click = near_center(12)
    after = mask_of(corrected(IMAGE, field_of(HALF), click, (), seen(BALL)))
    assert after[at(click)] and after[HALF].all()
    assert np.count_nonzero(after & BALL) > np.count_nonzero(HALF) * 1.4
    assert not after[~BALL].any()


def test_a_negative_click_takes_away_what_the_network_proposes_and_adds_nothing():
    click = near_center(10, positive=False)
    after = mask_of(corrected(IMAGE, field_of(BALL), click, (), seen(~HALF)))
    assert not after[at(click)] and not (after & ~BALL).any()
    assert after[HALF].all() and np.count_nonzero(after) < np.count_nonzero(BALL)


@pytest.mark.parametrize("x", [4, 12, 20])
def test_the_network_is_asked_once_for_the_error_and_what_changes_lies_within_it(x):
    errors = []

    def propose(error):
        errors.append(error)
        return np.ones(error.mask.values.shape, bool)

    click = near_center(x)
    after = mask_of(corrected(IMAGE, field_of(HALF), click, (), propose))
    (error,) = errors
    assert tuple(error.voxel) == at(click) and len(error.opposite) == 0
    wrong = np.linalg.norm(voxel_positions(GEOMETRY)[HALF] - click.ras, axis=-1).min()
    assert error.radius == pytest.approx(max(REACH * wrong, LEAST_RADIUS_MM), abs=2 * REACH * 1.5)
    low = np.array(error.mask.start)
    assert (low <= error.voxel).all() and (error.voxel < low + error.mask.values.shape).all()
    changed = after != HALF
    distance = np.linalg.norm(voxel_positions(GEOMETRY) - click.ras, axis=-1)
    # From the middle of the click's voxel.
    assert changed.any() and distance[changed].max() <= error.radius + 2.1


@pytest.mark.parametrize(
    ("click", "mask"), [(near_center(-8), HALF), (near_center(8, positive=False), HALF)]
)
def test_where_the_mask_is_as_the_click_wants_it_the_network_is_not_asked(click, mask):
    def propose(error):
        raise AssertionError("asked")

    after = corrected(IMAGE, field_of(mask), click, (), propose)
    assert np.array_equal(mask_of(after), mask)
    # But it is certain from now on.
    sure = after.on_box(at(click), (1, 1, 1)).item()
    assert (sure >= -BACKGROUND_LOGIT) if click.positive else (sure <= BACKGROUND_LOGIT)


def test_a_click_far_from_the_mask_makes_a_piece_of_its_own_and_keeps_the_mask():
    small = Patch(np.full((2, 2, 2), 5, np.float32), (1, 1, 1))
    click = near_center(25, 25, 20)
    after = corrected(IMAGE, small, click, (), lambda error: None)
    assert mask_of(after)[at(click)] and mask_of(after)[1:3, 1:3, 1:3].all()
    assert (after.on_box((1, 1, 1), (2, 2, 2)) == 5).all()


def test_earlier_clicks_of_the_other_sign_are_kept_and_handed_on():
    told = []

    def propose(error):
        told.extend(error.opposite)
        return np.ones(error.mask.values.shape, bool)

    earlier = (near_center(18, positive=False), near_center(-5))
    after = mask_of(corrected(IMAGE, field_of(HALF), near_center(8), earlier, propose))
    assert [tuple(voxel) for voxel in told] == [at(earlier[0])]
    assert after[at(near_center(8))] and not after[at(earlier[0])]


def test_two_signs_in_one_voxel_are_refused_and_nothing_is_changed():
    field = field_of(HALF)
    before = field.values.copy()
    with pytest.raises(InputError, match="same voxel"):
        corrected(IMAGE, field, near_center(8), (near_center(8.2, positive=False),), seen(BALL))
    assert np.array_equal(field.values, before)


def test_the_mask_given_is_not_changed():
    field = field_of(HALF)
    before = field.values.copy()
    corrected(IMAGE, field, near_center(8), (), seen(BALL))
    assert np.array_equal(field.values, before)


@pytest.mark.parametrize("corner", range(8))
def test_clicks_in_the_corners_of_the_volume_hold(corner):
    voxel = [(n - 1) * (corner >> axis & 1) for axis, n in enumerate(GEOMETRY.shape)]
    click = Point(tuple(GEOMETRY.to_ras(np.array(voxel[::-1]))))
    after = corrected(IMAGE, field_of(HALF), click, (), seen(~BALL))
    assert mask_of(after)[tuple(voxel)] and mask_of(after)[HALF].all()
    assert (np.array(after.start) >= 0).all() and (np.array(after.stop) <= GEOMETRY.shape).all()
