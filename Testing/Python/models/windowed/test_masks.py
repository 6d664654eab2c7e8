"""Masks come to the volume's grid where they are, and are told again as they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.special import expit

from SAMSegmentLib.core.answer import logit
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.core.proposal import LOWEST_THRESHOLD
from TestSupport.properties import examples

pytest.importorskip("torch")

from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.models.windowed.masks import WindowMask, halved, told_field, told_roi
from SAMSegmentLib.models.windowed.windows import MOST, WindowFrame
from TestSupport.geometries import geometries
from TestSupport.phantoms import ball, grid, middle_of, voxel_positions

any_volume = geometries(st.tuples(*[st.integers(2, 24)] * 3), st.tuples(*[st.floats(1, 12)] * 3))
LARGE = grid((60, 80, 80), (2, 2, 3))
MIDDLE = middle_of(LARGE)
NO_CLICKS = np.empty((0, 3))


def window_in(geometry, spacing=2.0, ras=None):
    return WindowFrame(geometry).around(middle_of(geometry) if ras is None else ras, spacing)


def balls(window, *centers, radius=10.0):
    """A mask of balls, its logits the mm to their surface."""
    places = voxel_positions(window.geometry)
    away = np.min([np.linalg.norm(places - center, axis=-1) for center in centers], axis=0)
    return WindowMask(window, (radius - away).astype(np.float32))


@settings(max_examples=examples(30))
@given(any_volume, st.sampled_from((1.0, 2.0, 4.0)))
def test_a_mask_is_interpolated_where_it_is_in_any_geometry(geometry, spacing):
    window = window_in(geometry, spacing)
    rng = np.random.default_rng(0)
    values = ndimage.gaussian_filter(rng.normal(size=window.shape), 4.0)
    mask = WindowMask(window, (6 * values / values.std() - 2).astype(np.float32))
    place = window.place(voxel_positions(geometry))
    expected = ndimage.map_coordinates(
        mask.logits.astype(float), np.moveaxis(place, -1, 0), order=1, mode="nearest"
    )
    inside = ((place > -0.499) & (place < np.array(window.shape) - 0.501)).all(-1)
    found = mask.on_volume(geometry).on_box((0, 0, 0), geometry.shape)
    shown = inside & (found > BACKGROUND_LOGIT)
    assert np.abs(found - expected)[shown].max(initial=0) < 0.5
    assert (expected[inside & ~shown] <= logit(LOWEST_THRESHOLD) + 1e-4).all()


def test_where_no_threshold_shows_anything_there_is_background():
    window = window_in(LARGE)
    nothing = WindowMask(window, np.full(window.shape, -9, np.float32))
    field = nothing.on_volume(LARGE)
    assert field.values.size == 1 and nothing.box is None and nothing.faces == ()
    assert nothing.only_meant([MIDDLE]) is nothing


def test_pieces_without_a_click_are_as_unlikely_as_they_were_likely():
    centers = [MIDDLE, np.add(MIDDLE, (30, 0, 0)), np.add(MIDDLE, (0, 30, 0))]
    window = window_in(LARGE)
    mask = balls(window, *centers)
    meant = mask.only_meant([centers[0], centers[2]])
    at = [tuple(window.voxels(center)) for center in centers]
    assert meant.logits[at[0]] == mask.logits[at[0]] and meant.logits[at[2]] > 0
    assert meant.logits[at[1]] == -mask.logits[at[1]]
    assert np.array_equal(np.abs(meant.logits), np.abs(mask.logits))
    assert mask.only_meant(centers) is mask


def test_a_click_just_beside_a_piece_means_it_and_pieces_that_touch_at_a_corner_are_one():
    window = window_in(LARGE)
    mask = balls(window, MIDDLE)
    assert mask.only_meant([np.add(MIDDLE, (13, 0, 0))]).box is not None
    assert mask.only_meant([np.add(MIDDLE, (20, 0, 0))]).box is None
    corner = np.full(window.shape, -5, np.float32)
    corner[20:24, 20:24, 20:24] = corner[24:28, 24:28, 24:28] = 5
    mask = WindowMask(window, corner)
    assert mask.only_meant([window.geometry.to_ras(np.array((21, 21, 21)))]) is mask


def test_of_an_roi_the_largest_piece_in_it_is_meant_and_of_a_mask_before_all_that_touch_it():
    window = window_in(LARGE)
    centers = [MIDDLE, np.add(MIDDLE, (30, 0, 0))]
    mask = balls(window, *centers)
    at = [tuple(window.voxels(center)) for center in centers]
    roi = told_roi(Roi.from_box(np.add(MIDDLE, (25, 0, 0)), (36, 30, 30)), window)
    meant = mask.only_meant(NO_CLICKS, roi=roi)
    assert meant.logits[at[1]] > 0 > meant.logits[at[0]]
    before = balls(window, centers[0], radius=4.0).told(window)
    meant = mask.only_meant(NO_CLICKS, before=before)
    assert meant.logits[at[0]] > 0 > meant.logits[at[1]]


def test_a_face_is_reached_with_a_section_not_with_a_leak_nor_where_the_volume_ends():
    wide = grid((60, 80, 300), (2, 2, 3))
    window = window_in(wide, 1.0)
    end = np.array(window.start) + window.side
    face = window.frame.axes @ np.array([end[0], *(window.start + window.side / 2)[1:]])
    assert balls(window, face, radius=20.0).faces == ((0, 1),)
    assert balls(window, face - window.frame.axes[:, 0] * 30, radius=20.0).faces == ()
    leak = balls(window, face - window.frame.axes[:, 0] * 30, radius=20.0).logits
    middle = slice(MOST // 2, MOST // 2 + 2)
    leak[MOST - 28 :, middle, middle] = 3
    leak = WindowMask(window, leak)
    assert leak.box[0].stop == MOST and leak.faces == ()
    small = window_in(grid((20, 20, 20), (2, 2, 2)))
    assert WindowMask(small, np.ones(small.shape, np.float32)).faces == ()


def test_extent_and_ends_are_those_of_the_mask():
    mask = balls(window_in(LARGE, 1.0), MIDDLE, radius=15.0)
    assert np.abs(mask.extent - 30).max() <= 1
    ends = mask.ends()
    assert np.allclose(ends.mean(0), MIDDLE, atol=0.6)
    assert np.allclose(np.abs(np.subtract(*ends)), 30, atol=1.01)


def test_a_mask_is_told_again_as_twice_its_probability_less_one():
    window = window_in(LARGE)
    mask = balls(window, MIDDLE)
    told = mask.told(window)
    assert told.shape == tuple(n // 2 for n in window.shape) and told.dtype == np.float32
    expected = halved(2 * expit(mask.logits) - 1)
    assert np.allclose(told, expected, atol=1e-5)
    # In another window it is at the same place, and beyond its own, background.
    other = window_in(LARGE, 1.5, np.add(MIDDLE, (30, 0, 0)))
    again = mask.told(other)
    near = balls(other, MIDDLE)
    own = np.abs(near.logits) < 8  # well inside
    assert np.abs(again - near.told(other))[halved(own.astype(np.float32)) > 0.9].max() < 0.2
    assert again.min() >= -1.0


def test_a_mask_on_the_volumes_grid_is_told_by_how_much_of_each_voxel_it_fills():
    inside = ball(LARGE, MIDDLE, 20)
    field = Patch(np.where(inside, 30, -30).astype(np.float32), (0, 0, 0))
    window = window_in(LARGE, 1.5)
    told = told_field(field, LARGE, window)
    share = (told + 1) / 2
    assert share.sum() * 27 == pytest.approx(inside.sum() * LARGE.voxel_volume, rel=0.01)
    assert told.min() == -1 and told.max() == 1


def test_halving_averages_eight_voxels():
    values = np.arange(4 * 6 * 8, dtype=np.float32).reshape(4, 6, 8)
    expected = values.reshape(2, 2, 3, 2, 4, 2).mean((1, 3, 5))
    assert np.allclose(halved(values), expected)


@pytest.mark.parametrize(
    ("size", "told"), [((60, 40, 30), (50, 30, 20)), ((12, 8, 40), (6, 4, 30))]
)
def test_an_roi_is_told_as_the_object_that_it_encloses_with_a_margin(size, told):
    window = window_in(LARGE, 0.5)
    half_voxel = 8 * window.spacing**3
    inside = told_roi(Roi.from_box(MIDDLE, size), window) > 0
    assert inside.sum() * half_voxel == pytest.approx(np.prod(told), rel=0.2)
    at = np.argwhere(inside).mean(0)
    assert window.half_geometry.to_ras(at[::-1]) == pytest.approx(MIDDLE, abs=1)
