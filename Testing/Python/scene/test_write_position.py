"""A mask lies in the segmentation where it lies in the volume, on any grid, under any transform."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import WriteError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.scene.grid import reference_grid
from SAMSegmentLib.scene.modification import Modification
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene_builder import (
    GRIDS,
    PARENTS,
    SHEAR,
    affine,
    rotation,
    segments_of,
    world_of,
    world_positions,
)
from TestSupport.scene_answers import ball, geometry_of, mask_positions, segment_array, write_answer

pytestmark = pytest.mark.mrml


@pytest.fixture
def writer():
    return SegmentationWriter(open_editors=list)


def write(writer, segmentation, prediction, volume, **arguments):
    return write_answer(writer, segmentation, prediction, volume, **arguments).segment_id


def same_points(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two sets of positions are the same, to a thousandth of a millimetre."""
    if a.shape != b.shape:
        return False
    return bool(np.allclose(*(p[np.lexsort(np.round(p, 3).T)] for p in (a, b)), atol=1e-3))


class TestOnTheVolumesGrid:
    @pytest.mark.parametrize("grid", GRIDS)
    @pytest.mark.parametrize("parent", PARENTS)
    def test_every_voxel_is_at_its_world_position(self, builder, writer, grid, parent):
        volume = builder.volume(GRIDS[grid], PARENTS[parent])
        segmentation = builder.segmentation(volume)
        prediction = ball(volume)
        segment_id = write(writer, segmentation, prediction, volume)
        written = world_positions(segmentation, segment_id)
        assert same_points(written, mask_positions(prediction, volume))

    @pytest.mark.parametrize("parent", ["translated", "rotated", "sheared"])
    def test_the_segmentation_may_have_a_transform_of_its_own(self, builder, writer, parent):
        volume = builder.volume(GRIDS["oblique"], PARENTS["sheared"])
        segmentation = builder.segmentation(volume, parent=PARENTS[parent])
        prediction = ball(volume)
        segment_id = write(writer, segmentation, prediction, volume)
        written = world_positions(segmentation, segment_id)
        assert same_points(written, mask_positions(prediction, volume))

    def test_slicer_exports_the_same_mask(self, builder, writer):
        volume = builder.volume(GRIDS["LPS order"])
        segmentation = builder.segmentation(volume)
        prediction = ball(volume)
        segment_id = write(writer, segmentation, prediction, volume)
        exported = segment_array(segmentation, segment_id, volume)
        np.testing.assert_array_equal(exported, prediction.mask())

    def test_the_threshold_is_a_probability(self, builder, writer):
        volume = builder.volume()
        segmentation = builder.segmentation(volume)
        prediction = ball(volume)
        segment_id = write(writer, segmentation, prediction, volume, threshold=0.9)
        exported = segment_array(segmentation, segment_id, volume)
        np.testing.assert_array_equal(exported, prediction.mask(0.9))
        assert exported.sum() < prediction.mask().sum()

    def test_a_mask_may_touch_every_face(self, builder, writer):
        volume = builder.volume(GRIDS["oblique"])
        segmentation = builder.segmentation(volume)
        everything = Answer.of(
            Patch(np.ones((22, 30, 26), np.float32), (0, 0, 0)), geometry_of(volume)
        )
        segment_id = write(writer, segmentation, everything, volume)
        assert segment_array(segmentation, segment_id, volume).all()

    def test_a_segmentation_with_a_shifted_extent(self, builder, writer):
        volume = builder.volume(GRIDS["oblique"])
        shift = np.array([7, -3, 5])
        matrix = GRIDS["oblique"].copy()
        matrix[:3, 3] -= matrix[:3, :3] @ shift
        segmentation = builder.on_grid(builder.segmentation(), matrix, (22, 30, 26), (5, -3, 7))
        prediction = ball(volume)
        segment_id = write(writer, segmentation, prediction, volume)
        written = world_positions(segmentation, segment_id)
        assert same_points(written, mask_positions(prediction, volume))


class TestOnAnotherGrid:
    @pytest.mark.parametrize("grid", GRIDS)
    @pytest.mark.parametrize("parent", ["none", "sheared"])
    def test_the_centre_and_the_size_stay(self, builder, writer, grid, parent):
        volume = builder.volume(GRIDS["oblique"], PARENTS["rotated"], name="CT")
        around = world_of(volume) @ np.append(geometry_of(volume).to_ras([13, 15, 11]), 1)
        segmentation = self.segmentation_around(builder, around[:3], GRIDS[grid], PARENTS[parent])
        prediction = ball(volume)
        segment_id = write(writer, segmentation, prediction, volume)

        written = world_positions(segmentation, segment_id)
        meant = mask_positions(prediction, volume)
        step = reference_grid(segmentation).geometry.transformed(world_of(segmentation))
        off = step.to_ijk(written.mean(axis=0)) - step.to_ijk(meant.mean(axis=0))
        assert np.abs(off).max() < 0.5
        voxel = abs(np.linalg.det(step.ijk_to_ras[:3, :3]))
        meant_voxel = abs(
            np.linalg.det((world_of(volume) @ geometry_of(volume).ijk_to_ras)[:3, :3])
        )
        assert len(written) * voxel == pytest.approx(len(meant) * meant_voxel, rel=0.1)

    def segmentation_around(self, builder, center, grid, parent):
        segmentation = builder.segmentation(parent=parent)
        shape = np.array([60, 70, 64])
        to_node = np.linalg.inv(world_of(segmentation))
        matrix = grid.copy()
        middle = (to_node @ np.append(center, 1))[:3]
        matrix[:3, 3] = middle - matrix[:3, :3] @ (shape[::-1] / 2)
        return builder.on_grid(segmentation, matrix, tuple(shape))

    @pytest.mark.parametrize("factor", [2, 3])
    def test_an_oversampled_segmentation_gets_a_smooth_mask(self, builder, writer, factor):
        volume = builder.volume(GRIDS["anisotropic"])
        segmentation = builder.segmentation(volume)
        self.oversample(segmentation, volume, factor)
        prediction = ball(volume, radius_mm=6)
        segment_id = write(writer, segmentation, prediction, volume)

        geometry = reference_grid(segmentation).geometry
        assert geometry.shape == tuple(n * factor for n in (22, 30, 26))
        radius = np.linalg.norm(
            world_positions(segmentation, segment_id)
            - mask_positions(prediction, volume).mean(axis=0),
            axis=1,
        ).max()
        # Interpolated logits: the ball is round between the volume's thick slices, too.
        assert 5.5 < radius < 6.6
        voxels = world_positions(segmentation, segment_id).shape[0]
        volume_mm3 = voxels * np.prod(geometry.spacing)
        assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.06)

    def oversample(self, segmentation, volume, factor):
        logic = slicer.vtkSlicerSegmentationGeometryLogic()
        logic.SetInputSegmentationNode(segmentation)
        logic.SetSourceGeometryNode(volume)
        logic.SetOversamplingFactor(factor)
        logic.CalculateOutputGeometry()
        logic.SetReferenceImageGeometryInSegmentationNode()

    def test_flipped_axes_give_the_very_same_voxels(self, builder, writer):
        volume = builder.volume(GRIDS["oblique"])
        flip = affine(np.diag([-1, 1, -1]), (25, 0, 21))
        segmentation = builder.on_grid(
            builder.segmentation(), GRIDS["oblique"] @ flip, (22, 30, 26)
        )
        prediction = ball(volume)
        segment_id = write(writer, segmentation, prediction, volume)
        written = world_positions(segmentation, segment_id)
        assert same_points(written, mask_positions(prediction, volume))


class TestPartlyOutside:
    def test_what_fits_is_written_and_the_rest_is_reported(self, builder, writer):
        volume = builder.volume()
        segmentation = builder.on_grid(builder.segmentation(), GRIDS["axis-aligned"], (11, 30, 26))
        prediction = ball(volume)
        result = write_answer(writer, segmentation, prediction, volume)
        positions = world_positions(segmentation, result.segment_id)
        inside = mask_positions(prediction, volume)
        assert same_points(positions, inside[inside[:, 2] < 20 + 10.5])
        share = 1 - len(positions) / len(inside)
        assert f"{share:.0%} of the result lies outside" in result.warnings[0]

    def test_on_another_grid_it_is_reported_as_well(self, builder, writer):
        volume = builder.volume()
        grid = GRIDS["axis-aligned"] @ affine(rotation(0, 0, 20))
        segmentation = builder.on_grid(builder.segmentation(), grid, (11, 60, 60))
        result = write_answer(writer, segmentation, ball(volume), volume)
        assert "outside the segmentation's geometry" in result.warnings[0]

    @pytest.mark.parametrize("far", [affine(offset=(500, 0, 0)), affine(SHEAR, (500, 0, 0))])
    def test_nothing_inside_is_an_error(self, builder, writer, far):
        volume = builder.volume()
        segmentation = builder.on_grid(builder.segmentation(), far, (20, 20, 20))
        with pytest.raises(WriteError, match="outside the segmentation's geometry"):
            write(writer, segmentation, ball(volume), volume)
        assert segments_of(segmentation) == {}

    def test_inside_there_is_nothing_to_tell(self, builder, writer):
        volume = builder.volume()
        segmentation = builder.segmentation(volume)
        assert write_answer(writer, segmentation, ball(volume), volume).warnings == ()


class TestCropping:
    def test_only_the_masks_box_is_given_to_slicer(self, builder, writer, monkeypatch):
        extents = []
        original = Modification.set

        def listen(self, segmentation, segment_id, labelmap):
            extents.append(labelmap.GetExtent())
            original(self, segmentation, segment_id, labelmap)

        monkeypatch.setattr(Modification, "set", listen)
        volume = builder.volume()
        segmentation = builder.segmentation(volume)
        prediction = ball(volume)
        write(writer, segmentation, prediction, volume)
        k, j, i = np.nonzero(prediction.mask())
        assert extents == [(i.min(), i.max(), j.min(), j.max(), k.min(), k.max())]

    def test_what_the_segment_had_elsewhere_is_replaced(self, builder, writer):
        volume = builder.volume()
        segmentation = builder.segmentation(volume)
        old, new = ball(volume, (0.3, 0.3, 0.3), 5), ball(volume, (0.7, 0.7, 0.7), 5)
        segment_id = write(writer, segmentation, old, volume)
        write(writer, segmentation, new, volume, segmentId=segment_id)
        np.testing.assert_array_equal(segment_array(segmentation, segment_id, volume), new.mask())


class TestLabelmapOffTheReferenceGrid:
    """`Set` would stamp the wrong grid on the segment's labelmap, and resample its neighbours."""

    def prepared(self, builder):
        volume = builder.volume(GRIDS["anisotropic"])
        segmentation = builder.segmentation(volume)
        writer = SegmentationWriter(open_editors=list)
        first = write(writer, segmentation, ball(volume, (0.3, 0.3, 0.3), 4), volume)
        second = write(writer, segmentation, ball(volume, (0.7, 0.7, 0.7), 4), volume)
        segmentation.GetSegmentation().CollapseBinaryLabelmaps()
        other = builder.volume(GRIDS["oblique"] @ affine(offset=(-9, 3, 2)), shape=(40, 40, 40))
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(other)
        return writer, volume, segmentation, first, second

    def test_an_old_segment_is_replaced_and_its_neighbour_kept(self, builder):
        writer, volume, segmentation, first, second = self.prepared(builder)
        kept = world_positions(segmentation, second)
        prediction = ball(volume)
        write(writer, segmentation, prediction, volume, segmentId=first)
        assert same_points(world_positions(segmentation, second), kept)
        meant = mask_positions(prediction, volume).mean(axis=0)
        assert np.abs(world_positions(segmentation, first).mean(axis=0) - meant).max() < 0.5

    def test_a_new_segment_leaves_the_others_alone(self, builder):
        writer, volume, segmentation, first, second = self.prepared(builder)
        before = segments_of(segmentation)
        new = write(writer, segmentation, ball(volume), volume)
        after = segments_of(segmentation)
        assert {key: after[key] for key in (first, second)} == before
        assert new in after

    def test_undo_brings_the_old_labelmap_back(self, builder):
        writer, volume, segmentation, first, _ = self.prepared(builder)
        before = segments_of(segmentation)
        write(writer, segmentation, ball(volume), volume, segmentId=first)
        writer.undo()
        assert segments_of(segmentation) == before
