"""Objects larger than a cube are followed from cube to cube, and no farther than they go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.sammed3d.model import CUBE_MM, CubeFrame, CubePrompt
from SAMSegmentLib.models.sammed3d.session import MOST_CUBES, followed
from SAMSegmentLib.models.windowed.masks import WindowMask, on_volume
from TestSupport.geometries import rotations
from TestSupport.phantoms import dice, grid, middle_of, voxel_positions
from TestSupport.properties import examples

# 720 mm from left to right, coarse: it is cubes that are tested.
LONG = grid((30, 30, 90), (8, 8, 8))


class Truth:
    """Stands for a network that knows where an object is, but begins with a click on it.

    Args:
        inside: which positions (..., 3) in RAS mm lie in the object.
    """

    def __init__(self, inside):
        self.inside = inside
        self.asked = []

    def __call__(self, cube, prompt):
        there = self.inside(voxel_positions(cube.coarser(4)))
        pieces, _ = ndimage.label(there)
        self.asked.append((cube, prompt))
        piece = pieces[tuple(n // 4 for n in prompt.voxel)]
        logits = np.where(there & (pieces == piece), 6, -6).astype(np.float32)
        return WindowMask(cube, logits)

    def first(self, geometry, ras):
        cube = CubeFrame(geometry).around(ras)
        return self(cube, CubePrompt(tuple(cube.voxels(ras))))


def tube(middle, direction, length, radius=30.0):
    direction = np.array(direction) / np.linalg.norm(direction)

    def inside(ras):
        along = (ras - middle) @ direction
        across = np.linalg.norm(ras - middle - along[..., None] * direction, axis=-1)
        return (np.abs(along) <= length / 2) & (across <= radius)

    return inside


def mask_of(masks, geometry):
    return on_volume(masks, geometry).on_box((0, 0, 0), geometry.shape) > 0


@pytest.mark.parametrize("from_end", [0.05, 0.3, 0.5])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_tube_of_half_a_metre_is_found_whole_wherever_it_is_clicked(axis, from_end):
    shape = [30, 30, 30]
    shape[2 - axis] = 90
    geometry = grid(tuple(shape), (8, 8, 8))
    direction, middle = np.eye(3)[axis], middle_of(geometry)
    truth = Truth(tube(middle, direction, 500))
    first = truth.first(geometry, middle + direction * 500 * (from_end - 0.5))
    new, is_cut_off = followed([first], truth)
    assert not is_cut_off
    assert dice(mask_of([first, *new], geometry), truth.inside(voxel_positions(geometry))) > 0.95
    assert len(new) <= 6


@settings(max_examples=examples(10))
@given(rotations, st.sampled_from((0.0, 0.4)), st.floats(-200, 200))
def test_a_tube_is_followed_in_oblique_and_tilted_volumes(axes, tilt, along):
    matrix = np.eye(4)
    shear = np.eye(3)
    shear[1, 2] = tilt
    matrix[:3, :3] = axes @ shear @ np.diag([-8.0, 8.0, -8.0])
    geometry = Geometry(matrix, (30, 30, 90))
    middle, direction = middle_of(geometry), axes[:, 0]
    truth = Truth(tube(middle, direction, 500))
    first = truth.first(geometry, middle + along * direction)
    new, is_cut_off = followed([first], truth)
    assert not is_cut_off
    assert dice(mask_of([first, *new], geometry), truth.inside(voxel_positions(geometry))) > 0.95


def test_each_cube_is_asked_once_with_what_is_known_and_a_click_on_it():
    truth = Truth(tube(middle_of(LONG), (1, 0, 0), 500))
    first = truth.first(LONG, middle_of(LONG))
    truth.asked.clear()
    shown = []
    new, _ = followed([first], truth, show=lambda masks: shown.append(list(masks)))
    assert [mask.window for mask in new] == [cube for cube, _ in truth.asked]
    assert len({cube for cube, _ in truth.asked} | {first.window}) == len(new) + 1
    for cube, prompt in truth.asked:
        voxel, previous = prompt.voxel, prompt.before
        assert truth.inside(cube.geometry.to_ras(np.array(voxel)[::-1]))
        # Half of it, or nearly, is known.
        assert 0.3 < (previous != 0).mean() < 0.7
        assert previous[tuple(n // 4 for n in voxel)] > 0
        # In the middle of the mask's voxel of 4 x 4 x 4.
        assert all(n % 4 == 2 for n in voxel)
    # Before each cube, all that there was.
    assert [len(masks) for masks in shown] == list(range(1, len(new) + 1))
    assert shown[0] == [first]


def test_an_object_within_its_cube_or_only_touching_a_face_is_left_alone():
    middle = middle_of(LONG)
    for length, radius in ((100, 30), (180, 30)):
        truth = Truth(tube(middle, (1, 0, 0), length, radius))
        assert followed([truth.first(LONG, middle)], truth) == ([], False)
    first = CubeFrame(LONG).around(middle)
    logits = np.full((32,) * 3, -6, np.float32)
    logits[8:, 8:24, 8:24] = 6
    logits[-1] = -6
    logits[-1, 10:14, 10:14] = 6  # a leak
    assert followed([WindowMask(first, logits)], Truth(lambda ras: ras[..., 0] > 0)) == ([], False)


def test_nothing_grows_beyond_the_ends_of_the_volume():
    small = grid((20, 20, 20), (8, 8, 8))  # 160 mm
    truth = Truth(lambda ras: np.ones(ras.shape[:-1], bool))
    assert followed([truth.first(small, middle_of(small))], truth) == ([], False)
    truth = Truth(lambda ras: np.ones(ras.shape[:-1], bool))
    wide = grid((20, 20, 40), (8, 8, 8))  # 320 mm from left to right
    first = truth.first(wide, middle_of(wide))
    new, is_cut_off = followed([first], truth)
    assert not is_cut_off
    masks = [first, *new]
    assert mask_of(masks, wide).all()
    frame = first.window.frame
    for mask in masks:
        low = np.array(mask.window.start)
        assert low[0] >= frame.low[0] - 1e-3 and low[0] + CUBE_MM <= frame.high[0] + 1e-3
    assert len(masks) <= 4


@pytest.mark.parametrize("extent", [193, 195, 197, 199, 203, 290, 381, 389, 400])
def test_an_object_as_long_as_the_volume_reaches_both_of_its_ends(extent):
    geometry = grid((10, 10, extent), (1, 15, 15))
    truth = Truth(tube(middle_of(geometry), (1, 0, 0), 2 * extent, 40))
    for share in (0.05, 0.4, 0.52, 0.9):
        first = truth.first(geometry, geometry.to_ras((share * extent, 4.5, 4.5)))
        new, is_cut_off = followed([first], truth)
        line = mask_of([first, *new], geometry)[5, 5]
        assert not is_cut_off and np.count_nonzero(~line) <= 1


def test_no_cube_is_added_beyond_an_roi():
    middle = middle_of(LONG)
    truth = Truth(tube(middle, (1, 0, 0), 500))
    first = truth.first(LONG, middle)
    within = Roi.from_box(middle, (150, 100, 100))
    assert followed([first], truth, within) == ([], False)
    one_sided = Roi.from_box(np.add(middle, (60, 0, 0)), (250, 100, 100))
    new, is_cut_off = followed([first], truth, one_sided)
    assert not is_cut_off and len(new) == 1
    assert new[0].window.start[0] > first.window.start[0]
    turned = Roi.from_box(middle, (300, 60, 60), [[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    assert turned.corners()[:, 0].max() > middle[0] + CUBE_MM / 2
    assert len(followed([first], truth, turned)[0]) == 2


def test_what_is_too_large_ends_after_so_many_cubes_and_counts_as_cut_off():
    huge = grid((90, 90, 90), (8, 8, 8))
    truth = Truth(lambda ras: np.ones(ras.shape[:-1], bool))
    first = truth.first(huge, middle_of(huge))
    new, is_cut_off = followed([first], truth)
    assert is_cut_off and len(new) + 1 == MOST_CUBES
    # Evenly to all sides, not as a snake.
    starts = np.array([mask.window.start for mask in new]) - first.window.start
    assert {tuple(np.sign(start).astype(int)) for start in starts} >= {
        tuple(side * np.eye(3, dtype=int)[axis]) for axis in range(3) for side in (-1, 1)
    }


def test_where_the_network_sees_nothing_more_it_ends():
    middle = middle_of(LONG)
    truth = Truth(tube(middle, (1, 0, 0), 500))
    first = truth.first(LONG, middle)
    asked = []

    def nothing(cube, prompt):
        asked.append(cube)
        return WindowMask(cube, np.full((32,) * 3, -6, np.float32))

    new, is_cut_off = followed([first], nothing)
    assert not is_cut_off and len(new) == len(asked) == 2


def test_what_is_raised_while_asking_comes_out():
    truth = Truth(tube(middle_of(LONG), (1, 0, 0), 500))
    first = truth.first(LONG, middle_of(LONG))

    def stopped(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        followed([first], stopped)
