"""Answers of models on volumes in a scene, and segments as arrays on their grids."""

from __future__ import annotations

import numpy as np
import vtk

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.geometry import Geometry, apply_matrix
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.placement import place
from SAMSegmentLib.core.proposal import Proposal, propose
from SAMSegmentLib.scene.grid import grid_of, target_geometry
from SAMSegmentLib.scene.segments import LABELMAP, own_voxels
from SlicerHost.scene_builder import array, world_of, world_positions


def proposal_of(prediction, volume, segmentation) -> Proposal:
    """A prediction on a volume as the worker proposes it for a segmentation."""
    return propose(prediction, target_geometry(segmentation, world_of(volume)))[0]


def write_answer(writer, segmentation, answer, volume, *segment_id, **arguments):
    """Writes an answer on a volume into a segmentation; see SegmentationWriter.write."""
    proposal = proposal_of(answer, volume, segmentation)
    return writer.write(segmentation, proposal, world_of(volume), *segment_id, **arguments)


def segment_mask(segmentation, segment_id, geometry, to_world=None) -> np.ndarray:
    """A segment on a grid, such as a volume's in its own RAS: boolean, (k, j, i).

    Interpolated linearly where the grids differ.

    Args:
        to_world: 4x4 from the grid's RAS to world RAS; identity if left out.
    """
    patch = own_voxels(segmentation, segment_id)
    if patch is None:
        return np.zeros(geometry.shape, dtype=bool)
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    layer = grid_of(segment.GetRepresentation(LABELMAP)).geometry
    logits = Patch(np.where(patch.values, np.float32(1), np.float32(-1)), patch.start)
    target = geometry.transformed(np.eye(4) if to_world is None else to_world)
    placed = place(logits, layer.transformed(world_of(segmentation)), target)
    if placed is None:
        return np.zeros(geometry.shape, dtype=bool)
    return placed.on_box((0, 0, 0), geometry.shape)


def ball(volume, center=(0.5, 0.5, 0.5), radius_mm=7.0) -> Answer:
    """Logits of a ball in mm of a volume's own RAS; `center` in parts of its grid (k, j, i)."""
    geometry = geometry_of(volume)
    middle = geometry.to_ras((np.array(center) * (np.array(geometry.shape) - 1))[::-1])
    indices = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.shape], indexing="ij"), -1)
    distance = np.linalg.norm(geometry.to_ras(indices[..., ::-1]) - middle, axis=-1)
    near = np.argwhere(distance < radius_mm + 4)
    start, stop = near.min(axis=0), near.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    logits = (radius_mm - distance[box]).astype(np.float32)
    return Answer.of(Patch(logits, tuple(int(n) for n in start)), geometry)


def geometry_of(volume) -> Geometry:
    """A volume's grid in its own RAS."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return Geometry(array(matrix), volume.GetImageData().GetDimensions()[::-1])


def mask_positions(prediction: Answer, volume) -> np.ndarray:
    """World RAS, (n, 3), of the voxels of a prediction's mask."""
    ijk = np.argwhere(prediction.mask())[:, ::-1]
    return apply_matrix(world_of(volume), prediction.geometry.to_ras(ijk))


def segment_array(segmentation, segment_id, volume) -> np.ndarray:
    """A segment on the grid of a volume that has its voxels: uint8, (k, j, i)."""
    grid = geometry_of(volume).transformed(world_of(volume))
    ijk = grid.to_ijk(world_positions(segmentation, segment_id))
    indices = np.round(ijk).astype(int)
    assert np.abs(ijk - indices).max(initial=0) < 0.01, "the grids differ"
    result = np.zeros(grid.shape, dtype=np.uint8)
    result[tuple(indices.T[::-1])] = 1
    return result
