"""Small holes in a mask are filled, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.holes import MOST_MM, SmallHoles
from TestSupport.phantoms import grid


def solid(shape=(12, 14, 16), *holes):
    """A mask with a border of background, and holes as slices."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(1, -1) if n > 2 else slice(None) for n in shape)] = True
    for hole in holes:
        mask[hole] = False
    return mask


def filled(mask, spacing=(1, 1, 1), **rules):
    result = mask.copy()
    for _ in SmallHoles.of(grid(mask.shape, spacing), **rules).filling(result):
        pass
    return result


def by_definition(mask, most, closed=()):
    """The same, slowly: enclosed pieces of background that are short along every axis."""
    padded = np.pad(mask, [(0 if axis in closed else 1,) * 2 for axis in range(3)])
    pieces, _ = ndimage.label(~padded)
    expected = padded.copy()
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        at_end = [
            part.start == 0 or part.stop == n
            for axis, (part, n) in enumerate(zip(box, padded.shape, strict=True))
            if axis not in closed
        ]
        sides = [part.stop - part.start for part in box]
        if not any(at_end) and all(a <= b for a, b in zip(sides, most, strict=True)):
            expected[pieces == number] = True
    return expected[tuple(slice(None) if axis in closed else slice(1, -1) for axis in range(3))]


@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.integers(0, 2**31),
    st.floats(0.5, 0.95),
    st.tuples(*[st.sampled_from([0.7, 1.0, 2.4, 3.0, 6.0])] * 3),
)
def test_exactly_the_small_enclosed_holes_are_filled(shape, seed, density, spacing):
    mask = np.random.default_rng(seed).random(shape) < density
    most = [max(1, int(MOST_MM / mm + 1e-6)) for mm in spacing[::-1]]
    closed = [axis for axis in range(3) if shape[axis] == 1 and max(shape) > 1]
    assert np.array_equal(filled(mask, spacing), by_definition(mask, most, closed))


@pytest.mark.parametrize("side, is_filled", [(5, True), (6, False)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_hole_longer_than_the_limit_in_any_direction_stays(axis, side, is_filled):
    hole = [slice(5, 6)] * 3
    hole[axis] = slice(3, 3 + side)
    mask = solid((12, 14, 16), tuple(hole))
    assert filled(mask)[tuple(hole)].all() == is_filled


def test_in_thick_slices_a_hole_of_one_voxel_is_small():
    mask = solid((8, 9, 9), np.s_[4, 4, 4])
    assert filled(mask, (0.7, 0.7, 10))[4, 4, 4]
    assert not filled(solid((8, 9, 9), np.s_[3:5, 4, 4]), (0.7, 0.7, 10))[4, 4, 4]


def test_a_vessel_that_leads_out_stays_open_however_thin():
    mask = solid((12, 14, 16), np.s_[5, 5, 3:], np.s_[5, 9, 3:7])
    assert np.array_equal(filled(mask) & ~mask, solid() & ~solid((12, 14, 16), np.s_[5, 9, 3:7]))


def test_a_hole_in_an_image_of_one_slice_is_filled():
    for axis in range(3):
        shape = np.insert([9, 11], axis, 1)
        mask = solid(tuple(shape))
        hole = tuple(np.insert([4, 5], axis, 0))
        mask[hole] = False
        assert filled(mask)[hole]
        assert filled(mask).sum() == 7 * 9


def test_a_hole_at_a_negative_point_or_beside_it_stays():
    mask = solid((12, 14, 16), np.s_[5, 5, 5], np.s_[5, 5, 10])
    geometry = grid(mask.shape, (1, 1, 1))
    for beside in ((0, 0, 0), (0, 1, 0), (-1, 0, 1)):
        ras = geometry.to_ras(np.add((5, 5, 5), beside)[::-1])
        result = filled(mask, kept_ras=[ras])
        assert not result[5, 5, 5] and result[5, 5, 10]
    assert filled(mask, kept_ras=[geometry.to_ras((400.0, -300, 5))])[5, 5, 5]


def test_voxels_of_other_segments_in_a_hole_stay_theirs():
    mask = solid((12, 14, 16), np.s_[5, 5:7, 5])
    taken = np.zeros(mask.shape, bool)
    taken[5, 5, 5] = True
    result = filled(mask, taken=taken)
    assert not result[5, 5, 5] and result[5, 6, 5]


def test_the_limit_is_along_the_grids_axes_however_it_lies():
    turned = np.eye(4)
    turned[:3, :3] = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, -1]]) * (2.0, 1.0, 1.0)
    mask = solid((12, 14, 16), np.s_[5, 5, 5:7], np.s_[5, 9, 5:8])
    for _ in SmallHoles.of(Geometry(turned, mask.shape)).filling(mask):
        pass
    assert mask[5, 5, 5:7].all() and not mask[5, 9, 5:8].any()


def test_nothing_is_done_to_a_mask_without_holes():
    for mask in (np.zeros((4, 5, 6), bool), np.ones((3, 3, 3), bool), np.zeros((1, 1, 1), bool)):
        assert np.array_equal(filled(mask), mask)
    nothing = np.zeros((0, 0, 0), bool)
    for _ in SmallHoles.of(grid((4, 5, 6))).filling(nothing):
        pass
