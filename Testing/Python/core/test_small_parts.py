"""Small holes in a mask are filled, crumbs are removed, and nothing else changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.small_parts import MOST_MM, MOST_SHARE, SmallParts
from TestSupport.phantoms import grid


def solid(shape=(12, 14, 16), *holes):
    """A mask with a border of background, and holes as slices."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(1, -1) if n > 2 else slice(None) for n in shape)] = True
    for hole in holes:
        mask[hole] = False
    return mask


def cleaned(mask, spacing=(1, 1, 1), **rules):
    return filled(mask, spacing, fills=False, cleans=True, **rules)


def filled(mask, spacing=(1, 1, 1), **rules):
    result = mask.copy()
    for _ in SmallParts.of(grid(mask.shape, spacing), **rules).tidying(result):
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
    for _ in SmallParts.of(Geometry(turned, mask.shape)).tidying(mask):
        pass
    assert mask[5, 5, 5:7].all() and not mask[5, 9, 5:8].any()


def test_nothing_is_done_to_a_mask_without_holes():
    for mask in (np.zeros((4, 5, 6), bool), np.ones((3, 3, 3), bool), np.zeros((1, 1, 1), bool)):
        assert np.array_equal(filled(mask), mask)
    nothing = np.zeros((0, 0, 0), bool)
    for _ in SmallParts.of(grid((4, 5, 6))).tidying(nothing):
        pass


def with_crumbs(*crumbs):
    """An object of 6 x 8 x 8 voxels, and crumbs as slices."""
    mask = np.zeros((16, 20, 24), bool)
    mask[2:8, 2:10, 2:10] = True
    for crumb in crumbs:
        mask[crumb] = True
    return mask


def crumbs_by_definition(mask, most):
    """The same, slowly."""
    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    result = mask.copy()
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        sides = [part.stop - part.start for part in box]
        piece = pieces == number
        is_small = all(a <= b for a, b in zip(sides, most, strict=True))
        at_row_end = box[2].start == 0 or box[2].stop == mask.shape[2]
        if is_small and not at_row_end and piece.sum() <= MOST_SHARE * mask.sum():
            result[piece] = False
    return result


@given(
    st.tuples(*[st.integers(2, 12)] * 3),
    st.integers(0, 2**31),
    st.floats(0.02, 0.2),
    st.tuples(*[st.sampled_from([0.7, 1.0, 2.4, 3.0, 6.0])] * 3),
)
def test_exactly_the_small_pieces_that_lie_apart_are_removed(shape, seed, density, spacing):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density
    mask[tuple(slice(0, n // 2) for n in shape)] |= rng.random([n // 2 for n in shape]) < 0.9
    most = [max(1, int(MOST_MM / mm + 1e-6)) for mm in spacing[::-1]]
    once = cleaned(mask, spacing)
    expected = crumbs_by_definition(mask, most)
    # Corner to corner, several crumbs hold each other.
    assert (expected <= once).all() and (once <= mask).all()
    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    by_faces, _ = ndimage.label(mask)
    for number in np.unique(pieces[once & ~expected]):
        assert len(np.unique(by_faces[pieces == number])) > 1


def test_a_crumb_is_removed_unless_it_was_clicked_on():
    mask = with_crumbs(np.s_[12:14, 12:15, 12:14], np.s_[12, 4, 20])
    assert np.array_equal(cleaned(mask), with_crumbs())
    geometry = grid(mask.shape, (1, 1, 1))
    for beside in ((0, 0, 0), (1, 1, -1)):
        kept = cleaned(mask, clicked_ras=[geometry.to_ras(np.add((12, 4, 20), beside)[::-1])])
        assert np.array_equal(kept, with_crumbs(np.s_[12, 4, 20]))
    # Negative points say nothing of crumbs, nor positive ones of holes.
    assert np.array_equal(cleaned(mask, kept_ras=[geometry.to_ras((20.0, 4, 12))]), with_crumbs())


def test_what_touches_the_object_at_a_corner_is_no_crumb():
    diagonal = with_crumbs(*[np.s_[8 + n, 10 + n, 10 + n] for n in range(6)])
    assert np.array_equal(cleaned(diagonal), diagonal)


def test_a_long_thin_piece_and_one_of_several_small_objects_stay():
    vessel = with_crumbs(np.s_[12, 12, 4:20])
    assert np.array_equal(cleaned(vessel), vessel)
    several = np.zeros((16, 20, 24), bool)
    several[3:5, 3:5, 3:5] = several[9:11, 9:11, 9:11] = True
    assert np.array_equal(cleaned(several), several)
    alone = np.zeros((5, 5, 5), bool)
    alone[2, 2, 2] = True
    assert np.array_equal(cleaned(alone), alone)


def test_twice_is_as_once():
    mask = np.random.default_rng(3).random((20, 20, 20)) < 0.04
    mask[3:12, 3:12, 3:12] = np.random.default_rng(4).random((9, 9, 9)) < 0.9
    once = filled(mask, cleans=True)
    assert not np.array_equal(once, mask)
    assert np.array_equal(filled(once, cleans=True), once)
