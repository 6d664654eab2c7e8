"""Masks on cubes come to the volume's grid where they are, and join without a seam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.answer import logit
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT
from SAMSegmentLib.core.proposal import LOWEST_THRESHOLD
from SAMSegmentLib.models.sammed3d.model import CubeFrame
from SAMSegmentLib.models.windowed.masks import WindowMask, on_grid, on_volume
from TestSupport.geometries import geometries, reorientations
from TestSupport.phantoms import grid, middle_of, voxel_positions
from TestSupport.properties import examples

any_volume = geometries(st.tuples(*[st.integers(2, 20)] * 3), st.tuples(*[st.floats(1, 25)] * 3))
shares = st.tuples(*[st.floats(0, 1)] * 3)
LOWEST = logit(LOWEST_THRESHOLD)


def smooth_logits(seed=0, spread=6.0):
    """Logits of both signs that change slowly."""
    rng = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(rng.normal(size=(32, 32, 32)), 3.0)
    return (spread * values / values.std()).astype(np.float32)


def cube_in(geometry, share=(0.5, 0.5, 0.5)):
    ras = geometry.to_ras(np.array(share) * geometry.shape[::-1] - 0.5)
    return CubeFrame(geometry).around(ras)


def places_in(cube, ras):
    """Continuous voxels x, y, z of the cube's mask, from its corner alone."""
    return (ras @ cube.frame.axes - cube.start) / 6.0 - 0.5


def slowly(mask, ras):
    """A mask's logits at positions; beyond its cube, background. And mm into the cube."""
    place = places_in(mask.window, ras)
    values = ndimage.map_coordinates(
        mask.logits.astype(float), np.moveaxis(place, -1, 0), order=1, mode="nearest"
    )
    depth = np.minimum(place + 0.5, 31.5 - place).min(-1)
    return np.where(depth >= 0, values, BACKGROUND_LOGIT), depth


def whole(field, geometry):
    return field.on_box((0, 0, 0), geometry.shape)


@settings(max_examples=examples(40))
@given(any_volume, shares)
def test_one_mask_is_interpolated_where_it_is_in_any_geometry(geometry, share):
    mask = WindowMask(cube_in(geometry, share), smooth_logits())
    expected, depth = slowly(mask, voxel_positions(geometry))
    found = whole(on_volume([mask], geometry), geometry)
    assert found.dtype == np.float32
    shown = found > BACKGROUND_LOGIT
    # Grids count as parallel up to a twentieth of a voxel of the mask.
    clearly = np.abs(depth) > 1e-4
    assert np.abs(found - expected)[shown & clearly].max(initial=0) < 0.5
    # What was left out could not have been seen.
    assert (expected[~shown & clearly] <= LOWEST + 1e-4).all()


@settings(max_examples=examples(25))
@given(any_volume, shares, reorientations())
def test_however_voxels_are_stored_the_mask_is_the_same(geometry, share, storage):
    mask = WindowMask(cube_in(geometry, share), smooth_logits())
    plain = whole(on_volume([mask], geometry), geometry)
    other = storage.apply_to_geometry(geometry)
    stored = storage.undo(whole(on_volume([mask], other), other))
    _, depth = slowly(mask, voxel_positions(geometry))
    doubtful = (np.abs(depth) < 1e-4) | (np.minimum(plain, stored) == BACKGROUND_LOGIT)
    assert np.allclose(stored[~doubtful], plain[~doubtful], atol=0.01)


@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_it_is_torchs_trilinear_interpolation_at_the_volumes_voxels(tilt):
    torch = pytest.importorskip("torch")
    tilted = np.eye(4)
    tilted[1, 2] = tilt
    geometry = grid((50, 60, 70), (2.3, 2.9, 3.7), (10, 20, 30)).transformed(tilted)
    mask = WindowMask(cube_in(geometry), smooth_logits())
    # Each voxel's place in the cube, -1 to 1 from face to face; grid_sample takes z, y, x.
    place = (places_in(mask.window, voxel_positions(geometry)) + 0.5) / 16 - 1
    sampled = torch.nn.functional.grid_sample(
        torch.from_numpy(mask.logits)[None, None],
        torch.from_numpy(place[None, ..., ::-1].astype(np.float32).copy()),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )[0, 0].numpy()
    inside = (np.abs(place) < 1).all(-1)
    found = whole(on_volume([mask], geometry), geometry)
    shown = inside & (found > BACKGROUND_LOGIT)
    assert shown.sum() > 1000
    assert np.abs(found - sampled)[shown].max() < 1e-3
    assert (found[~inside] == BACKGROUND_LOGIT).all()
    fine = torch.nn.functional.interpolate(
        torch.from_numpy(mask.logits)[None, None], size=(128,) * 3, mode="trilinear"
    )[0, 0].numpy()
    own = on_volume([mask], mask.window.geometry)
    box = tuple(slice(a, b) for a, b in zip(own.start, own.stop, strict=True))
    assert np.abs(own.values - fine[box]).max() < 1e-3


def overlapping(geometry, shifts):
    """Cubes around places along the volume's middle line, mm from its middle."""
    frame = CubeFrame(geometry)
    return [frame.around(middle_of(geometry) + np.array(shift)) for shift in shifts]


LARGE = grid((30, 30, 120), (5, 6, 6))
SHIFTS = [(0, 0, 0), (96, 0, 0), (-130, 0, 0)]


def test_masks_that_agree_give_the_same_again():
    # Linear in RAS, so that every cube can say exactly the same.
    slope, middle = np.array([0.02, -0.03, 0.025]), middle_of(LARGE)

    def said(ras):
        return (ras - middle) @ slope + 2

    masks = [
        WindowMask(cube, said(voxel_positions(cube.coarser(4))).astype(np.float32))
        for cube in overlapping(LARGE, SHIFTS)
    ]
    found = whole(on_volume(masks, LARGE), LARGE)
    ras = voxel_positions(LARGE)
    # Beyond the middles of a cube's outer voxels, their values hold.
    depths = [slowly(mask, ras)[1] for mask in masks]
    inner = (np.max(depths, axis=0) > 0.5) & ~np.any([np.abs(d) <= 0.5 for d in depths], axis=0)
    assert np.allclose(found[inner], said(ras)[inner], atol=1e-3)
    assert (found[np.max(depths, axis=0) < 0] == BACKGROUND_LOGIT).all()


def test_masks_that_differ_fade_into_each_other_without_a_seam():
    first, second = overlapping(LARGE, SHIFTS[:2])
    yes, no = (np.full((32,) * 3, value, np.float32) for value in (4, -4))
    found = whole(on_volume([WindowMask(first, yes), WindowMask(second, no)], LARGE), LARGE)
    line = found[15, 15]
    shared = slice(*np.flatnonzero((line > -4) & (line < 4))[[0, -1]])
    assert (np.diff(line[shared]) <= 0).all()
    assert np.abs(np.diff(line[shared])).max() < 1.2
    # At the face of either, the other's word counts alone, or nearly.
    assert line[shared][0] > 3 and line[shared][-1] < -3


def test_each_mask_counts_by_how_far_a_voxel_is_from_its_faces():
    masks = [
        WindowMask(cube, smooth_logits(n)) for n, cube in enumerate(overlapping(LARGE, SHIFTS))
    ]
    ras = voxel_positions(LARGE)
    total, weights = np.zeros(LARGE.shape), np.zeros(LARGE.shape)
    for mask in masks:
        values, depth = slowly(mask, ras)
        place = np.clip(places_in(mask.window, ras), 0, 31) + 0.5
        weight = np.prod(np.minimum(place, 32 - place) / 16, axis=-1) * (depth >= 0)
        total, weights = total + weight * values, weights + weight
    found = on_volume(masks, LARGE)
    box = tuple(slice(a, b) for a, b in zip(found.start, found.stop, strict=True))
    seen = weights[box] > 0
    assert np.abs(found.values - (total / np.maximum(weights, 1e-9))[box])[seen].max() < 0.02
    left_out = np.ones(LARGE.shape, bool)
    left_out[box] = False
    assert max(slowly(mask, ras)[0][left_out].max() for mask in masks) <= LOWEST


@settings(max_examples=examples(25))
@given(any_volume, shares, shares, st.data())
def test_a_box_that_no_mask_leaves_cuts_exactly(geometry, one, other, data):
    low = np.array([data.draw(st.integers(0, n - 1)) for n in geometry.shape])
    high = np.array(
        [data.draw(st.integers(a + 1, n)) for a, n in zip(low, geometry.shape, strict=True)]
    )
    masks = [
        WindowMask(cube_in(geometry, share), smooth_logits(n))
        for n, share in enumerate((one, other))
    ]
    for part in (masks[:1], masks):
        uncut = whole(on_volume(part, geometry), geometry)
        cut = whole(on_volume(part, geometry, (low, np.array(high))), geometry)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        # Where a smaller box lies more nearly parallel, a fraction of a voxel is spared.
        assert np.allclose(cut[box], uncut[box], atol=0.5)
        cut[box] = BACKGROUND_LOGIT
        assert (cut == BACKGROUND_LOGIT).all()


def test_where_no_threshold_shows_anything_there_is_background():
    nothing = WindowMask(cube_in(LARGE), np.full((32,) * 3, LOWEST - 0.1, np.float32))
    for masks in ([nothing], [nothing, nothing]):
        field = on_volume(masks, LARGE)
        assert field.values.size == 1 and (whole(field, LARGE) == BACKGROUND_LOGIT).all()


def test_between_masks_far_apart_nothing_is_known():
    masks = [
        WindowMask(cube, np.full((32,) * 3, 4, np.float32))
        for cube in overlapping(LARGE, [(-250, 0, 0), (250, 0, 0)])
    ]
    found = whole(on_volume(masks, LARGE), LARGE)
    depths = np.max([slowly(mask, voxel_positions(LARGE))[1] for mask in masks], axis=0)
    assert np.allclose(found[depths > 0], 4, atol=1e-4)
    assert (found[depths < -1e-4] == BACKGROUND_LOGIT).all() and (depths < 0).sum() > 1000


def test_one_voxel_of_a_mask_costs_one_small_box():
    logits = np.full((32,) * 3, -8, np.float32)
    logits[10, 20, 5] = 8
    cube = cube_in(LARGE)
    field = on_volume([WindowMask(cube, logits)], LARGE)
    assert field.values.size < 40
    ras = np.array(cube.start) + 6 * np.array([10.5, 20.5, 5.5])
    peak = np.add(np.unravel_index(field.values.argmax(), field.values.shape), field.start)
    assert np.abs(LARGE.to_ras(peak[::-1]) - ras).max() <= 3.01


def test_masks_beside_a_box_leave_it_empty():
    mask = WindowMask(cube_in(LARGE, (0, 0, 0)), smooth_logits())
    far = (np.array([0, 0, 118]), np.array([30, 30, 120]))
    assert (whole(on_volume([mask], LARGE, far), LARGE) == BACKGROUND_LOGIT).all()


def test_on_another_cube_what_is_known_is_the_same_and_the_rest_is_zero():
    tilted = np.eye(4)
    tilted[:3, :3] = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
    volume = LARGE.transformed(tilted)
    frame = CubeFrame(volume)
    cube = frame.around(middle_of(volume))
    other = frame.beside(cube, 0, 1)
    mask = WindowMask(cube, smooth_logits())
    known = on_grid([mask], other.coarser(4))
    assert known.dtype == np.float32 and known.shape == (32, 32, 32)
    shift = int((other.start[0] - cube.start[0]) / 6)
    assert shift == 16
    assert np.allclose(known[:-shift], mask.logits[shift:], atol=1e-3)
    assert (known[-shift:] == 0).all()
    assert np.allclose(on_grid([mask], cube.coarser(4)), mask.logits, atol=1e-4)
    assert not on_grid([], cube.coarser(4)).any()
    far = frame.around(volume.to_ras((119, 15, 15)))
    outer = WindowMask(frame.around(volume.to_ras((0, 15, 15))), mask.logits)
    assert not on_grid([outer], far.coarser(4)).any()


def test_on_another_cube_masks_of_several_are_blended_as_in_the_volume():
    cubes = overlapping(LARGE, [(-60, 0, 0), (60, 0, 0), (0, 0, 0)])
    masks = [WindowMask(cube, smooth_logits(n)) for n, cube in enumerate(cubes[:2])]
    known = on_grid(masks, cubes[2].coarser(4))
    there = on_volume(masks, cubes[2].coarser(4)).on_box((0, 0, 0), (32,) * 3)
    shown = there > BACKGROUND_LOGIT
    assert shown.any()
    assert np.allclose(known[shown], there[shown], atol=0.02)
