"""A mask lies where it lies in the volume: any oblique, mirrored, sheared grid and transform."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import HeadlessScene
from SlicerHost.scene_builder import SceneBuilder, affine, rotation, world_of, world_positions
from TestSupport.properties import examples
from TestSupport.scene_answers import geometry_of, mask_positions, segment_mask, write_answer

pytestmark = pytest.mark.mrml

angles = st.floats(-180, 180)
spacings = st.floats(0.4, 3)
offsets = st.floats(-200, 200)
shears = st.floats(-0.3, 0.3)


@st.composite
def matrices(draw):
    """Oblique, mirrored or not, anisotropic, sheared."""
    scale = np.diag([draw(spacings) for _ in range(3)])
    if draw(st.booleans()):
        scale[0, 0] *= -1
    shear = np.eye(3)
    shear[0, 1], shear[1, 2] = draw(shears), draw(shears)
    turn = rotation(*(draw(angles) for _ in range(3)))
    return affine(turn @ shear @ scale, [draw(offsets) for _ in range(3)])


class TestAnyGeometry:
    @settings(max_examples=examples(40), suppress_health_check=list(HealthCheck))
    @given(grid=matrices(), volume_parent=matrices(), segmentation_parent=matrices())
    def test_the_same_grid_gets_the_same_voxels(self, grid, volume_parent, segmentation_parent):
        builder = SceneBuilder(HeadlessScene())
        volume = builder.volume(grid, volume_parent, shape=(9, 11, 10))
        segmentation = builder.segmentation(volume, segmentation_parent)
        prediction = block(volume, (2, 3, 1), (5, 6, 7))
        segment_id = write(SegmentationWriter(list), segmentation, prediction, volume)
        mask = segment_mask(segmentation, segment_id, geometry_of(volume), world_of(volume))
        np.testing.assert_array_equal(mask, prediction.mask())
        written = world_positions(segmentation, segment_id)
        assert np.allclose(
            written.mean(axis=0), mask_positions(prediction, volume).mean(axis=0), atol=1e-3
        )

    @settings(max_examples=examples(40), suppress_health_check=list(HealthCheck))
    @given(grid=matrices(), turn=st.tuples(angles, angles, angles), size=st.floats(0.5, 1.2))
    def test_another_grid_gets_the_same_place(self, grid, turn, size):
        builder = SceneBuilder(HeadlessScene())
        volume = builder.volume(grid, shape=(12, 12, 12))
        center = geometry_of(volume).to_ras([5.5, 5.5, 5.5])
        spacing = size * geometry_of(volume).spacing.min()
        # Large enough for the turned volume.
        side = int(np.ceil(1.8 * 12 * geometry_of(volume).spacing.max() / spacing)) + 4
        side = min(side, 150)
        linear = rotation(*turn) * spacing
        other = affine(linear, center - linear @ np.full(3, (side - 1) / 2))
        segmentation = builder.on_grid(builder.segmentation(), other, (side,) * 3)
        prediction = block(volume, (3, 3, 3), (6, 6, 6))
        segment_id = write(SegmentationWriter(list), segmentation, prediction, volume)
        written = world_positions(segmentation, segment_id).mean(axis=0)
        off = np.linalg.inv(linear) @ (written - mask_positions(prediction, volume).mean(axis=0))
        assert np.abs(off).max() < 0.5


def block(volume, start, shape) -> Answer:
    """Sure of a block of voxels, and that around it there is nothing."""
    logits = np.full([n + 2 for n in shape], -5, dtype=np.float32)
    logits[1:-1, 1:-1, 1:-1] = 5
    return Answer.of(Patch(logits, tuple(n - 1 for n in start)), geometry_of(volume))


def write(writer, segmentation, prediction, volume, **arguments):
    return write_answer(writer, segmentation, prediction, volume, **arguments).segment_id
