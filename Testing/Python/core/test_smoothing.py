"""Borders are smoothed; what a mask holds, and what it does not, neither comes nor goes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.answer import UNCHANGED, Answer, LabelledMask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.core.smoothing import smoothed
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from TestSupport.phantoms import grid
from TestSupport.properties import examples, settings

CORNERS = np.ones((3, 3, 3), bool)
TURNED = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, -1]])


def logits_of(mask, sure=4.0):
    return np.where(mask, sure, -sure).astype(np.float32)


def smooth(logits, mm=1.0, spacing=(1, 1, 1), geometry=None, points=(), roi=None, voxels=None):
    """The logits after smoothing; of a mask, the mask."""
    if logits.dtype == bool:
        given_logits = logits_of(logits)
        return smooth(given_logits, mm, spacing, geometry, points, roi, voxels) > 0
    answer = Answer.of(Patch(logits, (0, 0, 0)), geometry or grid(logits.shape, spacing))
    return smoothed(answer, mm, Prompts(roi, tuple(points)), voxels).logits


def slab(shape=(16, 20, 20), height=8):
    mask = np.zeros(shape, bool)
    mask[:height] = True
    return mask


def distance(shape, spacing, radius):
    """mm from the border of a ball in the middle, positive inside."""
    at = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, spacing[::-1], strict=True)]
    k, j, i = np.meshgrid(*at, indexing="ij")
    return radius - np.sqrt(k**2 + j**2 + i**2)


def test_teeth_and_notches_of_a_plane_go():
    plane = slab()
    toothed = plane.copy()
    toothed[8, 2:18:2, 3:17:3] = True
    toothed[7, 3:17:3, 2:18:2] = False
    assert np.array_equal(smooth(toothed), plane)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 0.7, 1.5), (0.5, 0.5, 3), (3, 3, 3)])
@pytest.mark.parametrize("radius", [4, 7, 12])
def test_a_ball_keeps_its_size(spacing, radius):
    shape = [int(2 * (radius + 5) / mm) for mm in spacing[::-1]]
    soft = distance(shape, spacing, radius)
    for logits in (soft, logits_of(soft > 0)):
        before = np.count_nonzero(logits > 0)
        after = np.count_nonzero(smooth(logits.astype(np.float32), spacing=spacing) > 0)
        assert abs(after / before - 1) < 0.3 / radius


def test_the_distance_is_in_mm_along_any_axes():
    """A grid of other spacing, oblique and flipped, gives what its own voxels' mm give."""
    rough = slab()
    rough[8, ::2, ::2] = True
    for axes in (np.eye(3), TURNED, np.diag([-1.0, 1, 1])):
        matrix = np.eye(4)
        matrix[:3, :3] = axes * (2.0, 2.0, 2.0)
        there = smooth(rough, 2.0, geometry=Geometry(matrix, rough.shape))
        assert np.array_equal(there, smooth(rough, 1.0))
    # Of what is much finer than a voxel, nothing is seen; sheared grids are smoothed along axes.
    assert np.array_equal(smooth(rough, 1.0, spacing=(8, 8, 8)), rough)
    sheared = np.eye(4)
    sheared[1, 2] = 0.4
    assert not smooth(rough, geometry=Geometry(sheared, rough.shape))[8].any()


@pytest.mark.parametrize("mm", [0.5, 1.0, 2.0, 5.0])
def test_small_and_thin_objects_stay_as_they_are(mm):
    one = np.zeros((9, 9, 9), bool)
    one[4, 4, 4] = True
    line = np.zeros((9, 9, 30), bool)
    line[4, 4, 3:27] = True
    bent = line.copy()
    bent[4, 4:8, 15] = True
    sheet = np.zeros((9, 20, 20), bool)
    sheet[4, 3:17, 3:17] = True
    for mask in (
        one,
        line,
        bent,
        ndimage.binary_dilation(line) & (np.arange(9) < 6)[:, None, None],
    ):
        after = smooth(mask, mm)
        assert after.sum() >= 0.9 * mask.sum()
        assert ndimage.label(after, CORNERS)[1] == 1
    assert smooth(sheet, mm)[4, 4:16, 4:16].all()
    assert smooth(~line, mm)[4, 4, 3:27].sum() <= 2  # a gap that is as thin


def test_a_vessel_is_not_cut_where_it_leaves_an_organ_nor_where_it_is_thin():
    mask = np.zeros((20, 30, 40), bool)
    mask[5:15, 5:15, 2:12] = True
    mask[10, 10, 12:38] = True  # of one voxel,
    mask[9:12, 9:12, 20:24] = True  # thicker on its way,
    mask[9:12, 9:12, 26:30] = True  # twice
    after = smooth(mask)
    assert ndimage.label(after, CORNERS)[1] == 1
    assert after[10, 10, 12:38].all()


@settings(max_examples=examples(40))
@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.sampled_from([0.4, 1.0, 2.4, 6.0])] * 3),
    st.integers(0, 2**31),
    st.floats(0.1, 5.0),
)
def test_clicks_keep_their_side_and_nothing_comes_from_nothing(shape, spacing, seed, mm):
    rng = np.random.default_rng(seed)
    logits = ndimage.gaussian_filter(rng.normal(0, 20, shape), 0.8).astype(np.float32)
    unseen = rng.random(shape) < 0.1
    logits[unseen] = BACKGROUND_LOGIT
    geometry, voxel = grid(shape, spacing), tuple(int(rng.integers(n)) for n in shape)
    click = Point(tuple(geometry.to_ras(np.array(voxel[::-1]))), bool(logits[voxel] > 0))
    before = logits.copy()
    after = smooth(logits, mm, spacing, points=[click])
    assert np.array_equal(logits, before)
    assert (after[voxel] > 0) == click.positive
    assert after.shape == shape and after.dtype == np.float32 and np.isfinite(after).all()
    assert (after[unseen] == BACKGROUND_LOGIT).all()
    assert (after > 0).any() == (before > 0).any() and (after <= 0).any() == (before <= 0).any()


def test_a_border_at_a_hard_limit_stays_there():
    """Where the mask ends because nothing beyond may belong to it, its side does not move."""
    logits = np.full((16, 20, 20), 1.0, np.float32)
    logits[:, 10:] = BACKGROUND_LOGIT
    logits[10:] = -1.0
    logits[:, 10:] = BACKGROUND_LOGIT
    assert np.array_equal(smooth(logits, 2.0) > 0, logits > 0)


def test_at_the_volumes_edge_an_object_stays():
    mask = slab((8, 16, 16), 8)
    mask[:, 10:] = False
    assert np.array_equal(smooth(mask, 2.0), mask)


def test_nothing_is_added_outside_of_an_roi():
    turned = np.eye(4)
    turned[:3, :3] = TURNED * 14
    turned[:3, 3] = 10
    roi = Roi(turned)
    geometry = grid((20, 20, 20), (1, 1, 1))
    inside = roi.contains_voxels(geometry)
    assert (smooth(inside, 1.5) & ~inside).any()
    assert not (smooth(inside, 1.5, roi=roi) & ~inside).any()


def test_a_click_on_a_tooth_keeps_it():
    rough = slab()
    rough[8, 10, 10] = rough[8, 4, 4] = True
    after = smooth(rough, points=[Point((10, 10, 8))])
    assert after[8, 10, 10] and not after[8, 4, 4]


def test_a_click_that_keeps_a_tooth_does_not_change_nothing():
    rough = slab()
    rough[8, 10, 10] = True
    logits = Patch(logits_of(rough), (0, 0, 0))
    answer = Answer.of(logits, grid(rough.shape, (1, 1, 1)), warnings=("other", UNCHANGED))
    tooth, inside = Point((10, 10, 8)), Point((4, 4, 4))
    for points, told in (
        ((tooth,), False),
        ((inside,), True),
        ((tooth, inside), True),
        ((inside, tooth), False),
        ((tooth, tooth), True),
    ):
        warnings = smoothed(answer, 1.0, Prompts(points=points)).warnings
        assert warnings == (("other", UNCHANGED) if told else ("other",))


def test_off_and_on_content_as_it_is_the_answer_is_the_same():
    rough = slab()
    rough[8, ::2, ::2] = True
    answer = Answer.of(Patch(logits_of(rough), (0, 0, 0)), grid(rough.shape, (1, 1, 1)))
    content = Patch(rough, (0, 0, 0))
    assert smoothed(answer, 0.0) is answer
    assert smoothed(answer, 1.0, voxels=VoxelPrompts(content)) is answer
    assert not (smoothed(answer, 1.0, voxels=VoxelPrompts(content, True)).logits[8] > 0).any()


def test_every_mask_of_an_answer_is_smoothed_where_it_lies():
    rough = slab((16, 12, 12))
    rough[8, ::2, ::2] = True
    patches = Patch(logits_of(rough), (3, 4, 5)), Patch(logits_of(np.zeros_like(rough)), (0, 0, 0))
    masks = tuple(LabelledMask(each, Label(str(n))) for n, each in enumerate(patches))
    answer = smoothed(Answer(masks, grid((30, 30, 30), (1, 1, 1))), 1.0)
    first, second = answer.masks
    assert first.label == Label("0") and first.logits.start == (3, 4, 5)
    assert np.array_equal(first.logits.values > 0, slab((16, 12, 12)))
    assert not (second.logits.values > 0).any()


def test_a_mask_of_a_single_slice_is_smoothed_in_its_plane():
    for axis in range(3):
        flat = np.expand_dims(slab((16, 20, 1))[..., 0], axis)
        rough = flat.copy()
        place = [8, 9]
        place.insert(axis, 0)
        rough[tuple(place)] = True
        assert np.array_equal(smooth(rough, 1.5), flat)
