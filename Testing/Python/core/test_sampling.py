"""A part of a volume on another grid: right in every geometry, and only that part is read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.sampling import sample_linear
from TestSupport.geometries import any_spacing, geometries, linear_transforms, reorientations
from TestSupport.phantoms import grid, middle_of, voxel_positions
from TestSupport.properties import examples

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
