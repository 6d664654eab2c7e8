"""Of masks of one object, the one whose border is the object's stands out most."""

import numpy as np
import pytest
from scipy import ndimage

from SAMSegmentLib.core.patch import bounding_box
from SAMSegmentLib.models.samsegment3d.picture import RANKED, contrast, picture_of

SHAPE, MIDDLE, RADIUS = (40, 44, 36), (20, 21, 17), 9


def ball_in(middle=MIDDLE, radius=RADIUS):
    places = np.moveaxis(np.indices(SHAPE), 0, -1)
    return np.linalg.norm(places - np.array(middle), axis=-1) <= radius


BALL = ball_in()


def seen(noise=8.0, seed=0):
    """A bright ball in grey tissue, by rank, as the network sees it."""
    values = np.where(BALL, 100, 20) + np.random.default_rng(seed).normal(0, noise, SHAPE)
    return picture_of(values.astype(np.float32))[RANKED]


@pytest.mark.parametrize("noise", [1.0, 8.0, 25.0])
@pytest.mark.parametrize("by", [1, 2, 4])
def test_a_bright_balls_own_mask_stands_out_more_than_a_grown_a_shrunken_and_a_shifted_one(
    noise, by
):
    picture = seen(noise)
    own = contrast(picture, BALL)
    assert own > contrast(picture, ndimage.binary_dilation(BALL, iterations=by))
    assert own > contrast(picture, ndimage.binary_erosion(BALL, iterations=by))
    assert own > contrast(picture, np.roll(BALL, by, axis=1))


def test_a_dark_ball_stands_out_as_much_as_a_bright_one():
    picture = seen()
    assert contrast(-picture, BALL) == pytest.approx(contrast(picture, BALL), rel=1e-5)


def test_a_mask_of_nothing_or_of_all_has_no_contrast():
    picture = seen()
    assert contrast(picture, np.zeros(SHAPE, bool)) == 0
    assert contrast(picture, np.ones(SHAPE, bool)) == 0


def test_a_mask_of_one_grey_level_has_a_finite_contrast():
    picture = np.where(BALL, np.float32(1), np.float32(-0.9))
    assert 10 < contrast(picture, BALL) < 1000
    one_voxel = np.zeros(SHAPE, bool)
    one_voxel[MIDDLE] = True
    assert contrast(picture, one_voxel) == 0
    assert 0 < contrast(seen(), one_voxel) < 1000


def test_what_lies_far_away_or_beyond_the_window_changes_nothing():
    picture, expected = seen(), contrast(seen(), BALL)
    far = ~ndimage.binary_dilation(BALL)
    other = np.where(far, np.random.default_rng(1).uniform(-1, 1, SHAPE), picture)
    assert contrast(other.astype(np.float32), BALL) == expected
    box = tuple(slice(part.start - 1, part.stop + 1) for part in bounding_box(BALL))
    assert contrast(picture[box], BALL[box]) == expected


def test_a_mask_that_the_window_cuts_off_is_judged_by_the_rest_of_its_border():
    half = seen()[MIDDLE[0] :], BALL[MIDDLE[0] :]
    assert contrast(*half) == pytest.approx(contrast(seen(), BALL), rel=0.1)


def test_what_lies_outside_the_volume_is_no_border():
    picture = np.where(BALL, np.float32(0.2), np.float32(0.1))
    beyond = picture.copy()
    beyond[~BALL] = -1
    assert contrast(picture, BALL) > 0
    assert contrast(beyond, BALL) == 0
