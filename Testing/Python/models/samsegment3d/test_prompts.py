"""Prompts become maps at half resolution, and choose the components of a mask that they mean."""

import numpy as np
import pytest
from scipy.special import expit

from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Roi

pytest.importorskip("torch")

from SAMSegmentLib.models.samsegment3d.prompts import (
    content_map,
    halved,
    mask_map,
    prompted_components,
    roi_map,
    roi_ramp,
)
from SAMSegmentLib.models.samsegment3d.windows import WindowFrame
from SAMSegmentLib.models.windowed.masks import WindowMask
from TestSupport.phantoms import ball, grid, middle_of, voxel_positions

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


def test_components_without_a_click_are_as_unlikely_as_they_were_likely():
    centers = [MIDDLE, np.add(MIDDLE, (30, 0, 0)), np.add(MIDDLE, (0, 30, 0))]
    window = window_in(LARGE)
    mask = balls(window, *centers)
    meant = prompted_components(mask, [centers[0], centers[2]])
    at = [tuple(window.voxels(center)) for center in centers]
    assert meant.logits[at[0]] == mask.logits[at[0]] and meant.logits[at[2]] > 0
    assert meant.logits[at[1]] == -mask.logits[at[1]]
    assert np.array_equal(np.abs(meant.logits), np.abs(mask.logits))
    assert prompted_components(mask, centers) is mask


def test_a_click_just_beside_a_component_means_it_and_those_that_touch_at_a_corner_are_one():
    window = window_in(LARGE)
    mask = balls(window, MIDDLE)
    assert prompted_components(mask, [np.add(MIDDLE, (13, 0, 0))]).box is not None
    assert prompted_components(mask, [np.add(MIDDLE, (20, 0, 0))]).box is None
    corner = np.full(window.shape, -5, np.float32)
    corner[20:24, 20:24, 20:24] = corner[24:28, 24:28, 24:28] = 5
    mask = WindowMask(window, corner)
    assert prompted_components(mask, [window.geometry.to_ras(np.array((21, 21, 21)))]) is mask


def test_of_an_roi_the_largest_component_in_it_is_kept_and_of_a_mask_before_all_that_touch_it():
    window = window_in(LARGE)
    centers = [MIDDLE, np.add(MIDDLE, (30, 0, 0))]
    mask = balls(window, *centers)
    at = [tuple(window.voxels(center)) for center in centers]
    roi = roi_map(Roi.from_box(np.add(MIDDLE, (25, 0, 0)), (36, 30, 30)), window)
    meant = prompted_components(mask, NO_CLICKS, roi=roi)
    assert meant.logits[at[1]] > 0 > meant.logits[at[0]]
    before = mask_map(balls(window, centers[0], radius=4.0), window)
    meant = prompted_components(mask, NO_CLICKS, before=before)
    assert meant.logits[at[0]] > 0 > meant.logits[at[1]]


def test_the_map_of_a_mask_is_twice_its_probability_less_one():
    window = window_in(LARGE)
    mask = balls(window, MIDDLE)
    given = mask_map(mask, window)
    assert given.shape == tuple(n // 2 for n in window.shape) and given.dtype == np.float32
    expected = halved(2 * expit(mask.logits) - 1)
    assert np.allclose(given, expected, atol=1e-5)
    # In another window it is at the same place, and beyond its own, background.
    other = window_in(LARGE, 1.5, np.add(MIDDLE, (30, 0, 0)))
    again = mask_map(mask, other)
    near = balls(other, MIDDLE)
    own = np.abs(near.logits) < 8  # well inside
    assert np.abs(again - mask_map(near, other))[halved(own.astype(np.float32)) > 0.9].max() < 0.2
    assert again.min() >= -1.0


def test_the_map_of_content_says_how_much_of_each_voxel_it_fills():
    inside = ball(LARGE, MIDDLE, 20)
    mask = Patch(inside, (0, 0, 0))
    window = window_in(LARGE, 1.5)
    given = content_map(mask, LARGE, window)
    share = (given + 1) / 2
    assert share.sum() * 27 == pytest.approx(inside.sum() * LARGE.voxel_volume, rel=0.01)
    assert given.min() == -1 and given.max() == 1


def test_halving_averages_eight_voxels():
    values = np.arange(4 * 6 * 8, dtype=np.float32).reshape(4, 6, 8)
    expected = values.reshape(2, 2, 3, 2, 4, 2).mean((1, 3, 5))
    assert np.allclose(halved(values), expected)


@pytest.mark.parametrize(
    ("size", "given"), [((60, 40, 30), (50, 30, 20)), ((12, 8, 40), (6, 4, 30))]
)
def test_the_map_of_an_roi_is_the_object_that_it_encloses_with_a_margin(size, given):
    window = window_in(LARGE, 0.5)
    half_voxel = 8 * window.spacing**3
    inside = roi_map(Roi.from_box(MIDDLE, size), window) > 0
    assert inside.sum() * half_voxel == pytest.approx(np.prod(given), rel=0.2)
    at = np.argwhere(inside).mean(0)
    assert window.coarser(2).to_ras(at[::-1]) == pytest.approx(MIDDLE, abs=1)


def test_an_rois_ramp_falls_from_its_middle_to_its_faces_and_beyond():
    window = window_in(LARGE)
    turned = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    roi = Roi.from_box(np.add(MIDDLE, (3, -5, 4)), (40, 24, 30), turned)
    ramp = roi_ramp(roi, window)
    half = window.coarser(2)
    places = np.moveaxis(np.indices(half.shape), 0, -1)[..., ::-1]
    unit = half.to_ras(places) @ np.linalg.inv(roi.box_to_ras)[:3, :3].T
    unit = unit + np.linalg.inv(roi.box_to_ras)[:3, 3]
    assert np.allclose(ramp, np.clip(1 - 2 * np.abs(unit).max(-1), -1, 1), atol=1e-5)
    assert np.array_equal(ramp > 0, roi.contains_voxels(half) & (ramp != 0))
    assert ramp.dtype == np.float32 and ramp.min() == -1 and 0.85 < ramp.max() <= 1
