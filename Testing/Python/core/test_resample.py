"""Values and masks on other grids: right in every geometry, and only what is needed is read."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.resample import (
    area_weights,
    interpolated,
    linear_weights,
    resample_linear,
    sample_linear,
)
from TestSupport.cases import shared_case
from TestSupport.geometries import (
    any_spacing,
    geometries,
    linear_transforms,
    reorientations,
    rigid_transforms,
    rotations,
)
from TestSupport.phantoms import ball, centroid, dice, grid, middle_of, voxel_positions
from TestSupport.properties import examples

LARGE_ENOUGH = 500


def to_window_and_back(mask, geometry, window):
    """A mask as logits on a window's grid, and back to the volume's own grid."""
    logits = np.where(mask, 10.0, -10.0)
    on_window = resample_linear(logits, geometry, window, -10.0)
    return resample_linear(on_window, window, geometry, -10.0) > 0


def window_around(center, axes, spacing, size) -> Geometry:
    """A cube of voxels as a 3D network sees it."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(axes) * spacing
    matrix[:3, 3] = center - matrix[:3, :3] @ np.full(3, (size - 1) / 2)
    return Geometry(matrix, (size,) * 3)


@settings(max_examples=examples(30))
@given(
    geometries(st.just((20, 22, 24)), st.tuples(st.floats(1, 2), st.floats(1, 2), st.floats(1, 3))),
    rotations,
)
def test_a_mask_keeps_its_place_through_a_window_of_any_orientation(geometry, axes):
    center = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
    mask = ball(geometry, center, 0.35 * np.min(geometry.spacing * 20))
    assume(mask.sum() > 100)
    window = window_around(center, axes, 1.0, 64)
    back = to_window_and_back(mask, geometry, window)
    offset = geometry.ras_to_ijk[:3, :3] @ (centroid(back, geometry) - centroid(mask, geometry))
    assert np.abs(offset).max() < 0.5
    assert dice(mask, back) > 0.95


@given(geometries(st.just((6, 7, 8))), rigid_transforms())
def test_a_linear_field_is_resampled_exactly(geometry, moved_by):
    field = voxel_positions(geometry) @ np.array([0.3, -0.2, 0.5])
    target = geometry.crop((1, 1, 1), (4, 5, 6))
    turned = resample_linear(field, geometry, target, np.nan)
    assert np.allclose(turned, field[1:5, 1:6, 1:7], atol=1e-2)
    # The same two grids, both moved: nothing changes.
    again = resample_linear(
        field, geometry.transformed(moved_by), target.transformed(moved_by), np.nan
    )
    assert np.allclose(again, turned, atol=1e-2)


def test_outside_starts_at_the_voxels_faces_not_at_their_centres():
    source = Geometry(np.eye(4), (4, 4, 4))
    target = source.transformed(np.diag([0.5, 0.5, 0.5, 1.0]))
    shifted = Geometry(target.ijk_to_ras - 0.75 * np.eye(4, k=3), (4, 4, 8))
    line = resample_linear(np.ones(source.shape), source, shifted, -1.0)[0, 0]
    assert line.tolist() == [-1, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("source", "target"), [(512, 256), (100, 256), (256, 256), (333, 171)])
def test_area_weights_average_what_a_pixel_covers(source, target):
    weights = area_weights(source, target)
    assert np.allclose(weights.sum(1), 1)
    # Each source cell is seen as much as any other, and a ramp stays a ramp.
    assert np.allclose(weights.sum(0), target / source)
    ramp = weights @ (np.arange(source) + 0.5)
    middle = (np.arange(target) + 0.5) * source / target
    assert np.allclose(ramp, middle, atol=1e-6 if source % target == 0 else 0.5)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(-30, 70), st.floats(0.5, 80))
def test_area_weights_of_a_window_average_what_of_it_lies_in_the_source(
    source, target, start, extent
):
    weights = area_weights(source, target, start, extent)
    assert weights.shape == (target, source) and (weights >= 0).all()
    step = extent / target
    edges = start + step * np.arange(target + 1)
    covered = np.clip(edges[1:], 0, source) - np.clip(edges[:-1], 0, source)
    assert np.allclose(weights.sum(1), covered / step)
    # Where a pixel lies in the source entirely, a ramp has its value at the pixel's middle.
    whole = (edges[:-1] >= 0) & (edges[1:] <= source)
    if step >= 1 and float(start).is_integer() and float(step).is_integer():
        ramp = weights @ (np.arange(source) + 0.5)
        assert np.allclose(ramp[whole], (edges[:-1] + step / 2)[whole])


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_a_window_on_whole_pixels_is_that_part_of_the_whole(source, target, data):
    first = data.draw(st.integers(0, target - 1))
    last = data.draw(st.integers(first + 1, target))
    step = source / target
    part = area_weights(source, last - first, first * step, (last - first) * step)
    assert np.allclose(part, area_weights(source, target)[first:last])


@given(st.integers(1, 30), st.lists(st.floats(-5, 40), max_size=12))
def test_linear_weights_interpolate_as_numpy_does(size, positions):
    values = np.random.default_rng(0).normal(size=size)
    weights = linear_weights(np.array(positions), size)
    assert weights.shape == (len(positions), size)
    assert (weights >= 0).all() and np.allclose(weights.sum(1), 1)
    assert np.allclose(weights @ values, np.interp(positions, np.arange(size), values))


@given(st.integers(1, 30))
def test_linear_weights_at_the_values_themselves_change_nothing(size):
    assert np.array_equal(linear_weights(np.arange(size), size), np.eye(size))


places = st.lists(st.floats(-4, 12), min_size=1, max_size=9)


@given(st.tuples(*[st.integers(1, 8)] * 3), st.tuples(places, places, places))
def test_interpolated_values_are_those_of_scipy_and_beyond_the_ends_the_ends_value(shape, wanted):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = interpolated(values, [np.array(axis) for axis in wanted])
    expected = ndimage.map_coordinates(
        values.astype(float), np.meshgrid(*wanted, indexing="ij"), order=1, mode="nearest"
    )
    assert found.dtype == np.float32 and found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-5)
    # However the values lie in memory.
    turned = interpolated(values.transpose(2, 0, 1), [np.array(wanted[n]) for n in (2, 0, 1)])
    assert np.allclose(turned, found.transpose(2, 0, 1), atol=1e-5)


def test_a_mask_of_32_voxels_becomes_one_of_128_as_torch_does_it():
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).normal(size=(32, 32, 32)).astype(np.float32)
    places = [(np.arange(128) + 0.5) / 4 - 0.5] * 3
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=(128,) * 3, mode="trilinear", align_corners=False
    )
    assert np.allclose(interpolated(values, places), expected[0, 0].numpy(), atol=1e-5)


def test_the_truth_of_an_oblique_ct_survives_a_3d_window_and_back():
    case = shared_case("ct_oblique_derived")
    geometry = case.image.geometry
    window_spacing = 1.5
    for label in np.unique(case.labels)[1:]:
        mask = case.labels == label
        if mask.sum() <= LARGE_ENOUGH:
            continue
        voxels = voxel_positions(geometry)[mask]
        center = (voxels.min(0) + voxels.max(0)) / 2
        size = int(np.ceil(np.ptp(voxels, axis=0).max() / window_spacing)) + 16
        back = to_window_and_back(
            mask, geometry, window_around(center, np.eye(3), window_spacing, size)
        )
        moved = geometry.ras_to_ijk[:3, :3] @ (centroid(back, geometry) - centroid(mask, geometry))
        assert np.abs(moved).max() < 0.5, f"label {label}"
        assert dice(mask, back) >= 0.98, f"label {label}"


OUTSIDE = -7.5
sources = geometries(st.tuples(*[st.integers(2, 9)] * 3))
targets = geometries(st.tuples(*[st.integers(1, 9)] * 3), any_spacing)


def noise(geometry, dtype=np.float32):
    return (100 * np.random.default_rng(0).normal(size=geometry.shape)).astype(dtype)


def over(target: Geometry, source: Geometry, offset) -> Geometry:
    """The target moved over the source, with its middle `offset` source voxels from the middle."""
    shift = np.eye(4)
    wanted = source.to_ras((np.array(source.shape[::-1]) - 1) / 2 + offset)
    shift[:3, 3] = wanted - middle_of(target)
    return target.transformed(shift)


def slowly(voxels, source, target):
    """The same, voxel by voxel of the target; and how far each is within the source, in voxels."""
    ijk = source.to_ijk(voxel_positions(target))
    values = ndimage.map_coordinates(
        voxels.astype(float), np.moveaxis(ijk[..., ::-1], -1, 0), order=1, mode="nearest"
    )
    within = np.minimum(ijk + 0.5, np.array(source.shape[::-1]) - 0.5 - ijk).min(-1)
    return np.where(within >= 0, values, OUTSIDE), within


@settings(max_examples=examples(60))
@given(sources, targets, st.tuples(*[st.floats(-8, 8)] * 3))
def test_values_are_those_between_the_nearest_voxels_and_outside_begins_at_the_faces(
    source, target, offset
):
    target = over(target, source, offset)
    voxels = noise(source)
    expected, within = slowly(voxels, source, target)
    found = sample_linear(voxels, source, target, OUTSIDE)
    assert found.dtype == np.float32 and found.shape == target.shape
    clearly = np.abs(within) > 1e-3
    assert np.allclose(found[clearly], expected[clearly], atol=0.05)


@settings(max_examples=examples(30))
@given(sources, targets, reorientations(), linear_transforms())
def test_neither_how_voxels_are_stored_nor_a_transform_of_both_changes_anything(
    source, target, storage, matrix
):
    target, voxels = over(target, source, (0.3, -0.2, 0.1)), noise(source)
    _, within = slowly(voxels, source, target)
    clearly = np.abs(within) > 1e-3
    found = sample_linear(voxels, source, target, OUTSIDE)
    stored = sample_linear(
        storage.apply(voxels), storage.apply_to_geometry(source), target, OUTSIDE
    )
    assert np.allclose(stored[clearly], found[clearly], atol=0.05)
    moved = sample_linear(voxels, source.transformed(matrix), target.transformed(matrix), OUTSIDE)
    assert np.allclose(moved[clearly], found[clearly], atol=0.05)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "i8", "f2", "f4", "f8", ">i2", ">f4", "?"]
)
def test_every_type_of_voxel_is_read(dtype):
    geometry = grid((3, 4, 5))
    voxels = (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype)
    assert np.array_equal(sample_linear(voxels, geometry, geometry, OUTSIDE), voxels.astype("f4"))


def test_on_its_own_grid_nothing_is_changed_and_around_it_is_outside():
    geometry = grid((4, 5, 6), (0.7, 0.9, 3.3), (11, -30, 5))
    voxels = noise(geometry, np.int16)
    larger = sample_linear(voxels, geometry, geometry.crop((-2, -1, -3), (8, 8, 11)), OUTSIDE)
    assert np.allclose(larger[2:6, 1:6, 3:9], voxels, atol=1e-3)
    assert (larger == OUTSIDE).sum() == larger.size - voxels.size


@pytest.mark.parametrize("offset", [(40, 0, 0), (0, -40, 0), (0, 0, 40), (40, 40, -40)])
def test_beside_the_volume_all_is_outside(offset):
    source = grid((4, 5, 6))
    target = over(grid((3, 3, 3)), source, offset)
    assert (sample_linear(noise(source), source, target, OUTSIDE) == OUTSIDE).all()


def test_only_the_part_around_the_target_is_read():
    class Part:
        """An array that tells what is read of it."""

        dtype = np.dtype(np.int16)

        def __getitem__(self, box):
            self.box = box
            return np.ones([part.stop - part.start for part in box], np.int16)

    source, voxels = grid((400, 500, 600), (1, 1, 1)), Part()
    target = grid((4, 5, 6), (0.5, 0.5, 0.5), (200.25, 100.25, 50.25))
    assert (sample_linear(voxels, source, target, OUTSIDE) == 1).all()
    assert voxels.box == (slice(50, 53), slice(100, 104), slice(200, 204))
