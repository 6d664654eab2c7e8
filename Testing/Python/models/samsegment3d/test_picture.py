"""A window's picture shows what there is, whatever the scanner and its numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.models.samsegment3d.picture import ONE_INTENSITY, OUTSIDE, picture_of


def tissues(levels, shares, noise=0.0, size=32, seed=0):
    """Voxels of some intensities in given shares, in no order."""
    rng = np.random.default_rng(seed)
    values = rng.choice(levels, size=(size,) * 3, p=shares)
    return (values + noise * rng.normal(size=values.shape)).astype(np.float32)


CT = tissues((-1000, -100, 40, 60, 700), (0.5, 0.15, 0.15, 0.15, 0.05), noise=8)


def test_both_channels_run_from_black_to_white_in_float32():
    picture = picture_of(CT)
    assert picture.dtype == np.float32 and picture.shape == (2, *CT.shape)
    assert picture[0].min() == -1 and picture[0].max() == 1
    assert -1 <= picture[1].min() < -0.95 and 0.95 < picture[1].max() <= 1


def test_the_first_channel_is_linear_between_the_percentiles_and_cut_beyond():
    black, white = np.percentile(CT, (0.5, 99.5))
    expected = np.clip(2 * (CT - black) / (white - black) - 1, -1, 1)
    assert np.abs(picture_of(CT)[0] - expected).max() < 1e-5


def test_the_second_channel_is_the_share_of_darker_voxels():
    values = np.arange(64000, dtype=np.float32).reshape(40, 40, 40)
    ranked = picture_of(values)[1]
    expected = 2 * (values + 0.5) / values.size - 1
    inner = np.abs(expected) < 0.98
    assert np.abs(ranked - expected)[inner].max() < 0.002


def test_ranks_follow_intensities_and_tell_soft_tissues_apart_in_a_ct():
    linear, ranked = picture_of(CT)
    order = np.argsort(CT, axis=None)
    assert (np.diff(ranked.ravel()[order]) >= 0).all()
    near = np.abs(CT - 40) < 5, np.abs(CT - 60) < 5
    steps = [abs(channel[near[1]].mean() - channel[near[0]].mean()) for channel in (linear, ranked)]
    assert steps[0] < 0.03 and steps[1] > 0.2


def test_background_of_one_value_is_the_middle_of_its_share():
    mr = tissues((0, 300, 500), (0.6, 0.2, 0.2))
    ranked = picture_of(mr)[1]
    assert [ranked[mr == level].mean() for level in (0, 300, 500)] == pytest.approx(
        [-0.4, 0.4, 0.8], abs=0.03
    )


@given(st.floats(0.01, 1000), st.floats(-1e4, 1e4))
def test_it_is_the_same_in_any_unit(scale, offset):
    scaled = (CT.astype(np.float64) * scale + offset).astype(np.float32)
    # As far as float32 still tells the intensities apart.
    precision = 1e-6 * np.abs(scaled).max() / scale
    assert np.abs(picture_of(scaled) - picture_of(CT)).mean() < 0.002 + 0.01 * precision


def test_what_lies_outside_the_volume_is_black_and_counts_for_nothing():
    outside = np.zeros(CT.shape, bool)
    outside[:, :, 20:] = True
    values = np.where(outside, np.finfo(np.float32).max, CT)
    picture = picture_of(values, outside)
    assert (picture[:, outside] == OUTSIDE).all()
    assert np.array_equal(picture[:, :, :, :20], picture_of(CT[:, :, :20]))


def test_an_intensity_range_cuts_both_channels():
    wide, narrow = picture_of(CT), picture_of(CT, None, (-160, 240))
    assert (narrow[:, CT < -160] == narrow[:, CT < -160].min(1, keepdims=True)).all()
    near = np.abs(CT - 40) < 5, np.abs(CT - 60) < 5
    step = [picture[0][near[1]].mean() - picture[0][near[0]].mean() for picture in (wide, narrow)]
    assert step[1] > 3 * step[0]
    # A range wider than the intensities changes nothing.
    assert np.array_equal(picture_of(CT, None, (-1e5, 1e5)), wide)


def test_a_speck_on_empty_ground_is_seen():
    values = np.zeros((64,) * 3, dtype=np.float32)
    values[31, 33, 35] = 7
    picture = picture_of(values)
    assert picture[0, 31, 33, 35] == 1 and picture[1, 31, 33, 35] > 0.99
    outside = np.ones_like(values, dtype=bool)
    outside[31, 33, 34:36] = False
    assert picture_of(values, outside)[0, 31, 33, 35] == 1


@pytest.mark.parametrize("value", [0.0, -1000.0])
def test_a_window_of_one_intensity_is_refused(value):
    values = np.full((32,) * 3, value, dtype=np.float32)
    with pytest.raises(InputError, match="same intensity"):
        picture_of(values)
    values[0] = 5
    outside = np.zeros(values.shape, bool)
    outside[0] = True
    with pytest.raises(InputError, match="same intensity"):
        picture_of(values, outside)
    with pytest.raises(InputError, match="same intensity"):
        picture_of(CT, None, (5000, 6000))
    with pytest.raises(InputError) as refused:
        picture_of(CT, np.ones(CT.shape, bool))
    assert str(refused.value) == ONE_INTENSITY


def test_the_given_arrays_stay_as_they_are():
    values, outside = CT.copy(), CT > 500
    picture_of(values, outside, (-100, 100))
    assert np.array_equal(values, CT) and np.array_equal(outside, CT > 500)
