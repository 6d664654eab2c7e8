"""Voxels of segments, read in pieces; a layer is a labelmap that several segments may share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.patch import Box, Patch, bounding_box
from ..core.placement import voxel_shift
from .grid import grid_of, voxels_of
from .segments import LABELMAP
from .steps import Steps, blocks, slabs
from .transforms import describe

if TYPE_CHECKING:
    import slicer

    from ..core.patch import Index

# Interpolating a voxel costs as much as comparing a hundred.
RESAMPLED_PER_STEP = 15_000


@dataclass(frozen=True, eq=False)
class Layer:
    """Segments in one labelmap.

    Attributes:
        voxels: labels, (k, j, i), shared with the labelmap.
        values: labels of the segments.
        geometry: grid of the voxels, in the segmentation node's own RAS.
        time: of the labelmap's last change; unique in the process.
    """

    voxels: np.ndarray
    values: tuple[int, ...]
    geometry: Geometry
    time: int = 0

    def mask(self, box: Box) -> np.ndarray:
        """Which voxels of a part lie in the segments, boolean."""
        part = self.voxels[box]
        if len(self.values) == 1:
            return part == self.values[0]
        return np.isin(part, self.values)


def layers_of(
    segmentation_node: slicer.vtkMRMLSegmentationNode, segment_ids: Iterable[str]
) -> list[Layer]:
    """The layers that hold segments; none for segments that are empty or do not exist.

    Raises:
        InputError: if a segment has content, but no binary labelmap.
    """
    segmentation = segmentation_node.GetSegmentation()
    values: dict[str, tuple[object, list[int]]] = {}
    for segment_id in segment_ids:
        segment = segmentation.GetSegment(segment_id)
        if segment is None:
            continue
        labelmap = segment.GetRepresentation(LABELMAP)
        if labelmap is not None:
            entry = values.setdefault(labelmap.__this__, (labelmap, []))
            entry[1].append(segment.GetLabelValue())
        elif segmentation.GetSourceRepresentationName() != LABELMAP:
            raise InputError(
                f'Segment "{segment.GetName()}" of {describe(segmentation_node)} has no binary '
                "labelmap: create that representation in the Segmentations module."
            )
    layers = []
    for labelmap, labels in values.values():
        grid = grid_of(labelmap)
        if grid is not None:
            voxels = voxels_of(labelmap)
            layers.append(Layer(voxels, tuple(labels), grid.geometry, labelmap.GetMTime()))
    return layers


def cropped_voxels(layer: Layer) -> Steps[Patch | None]:
    """The layer's segments, cropped, on its own grid; None if they are empty."""
    box = yield from _box_of(layer)
    if box is None:
        return None
    mask = np.empty([part.stop - part.start for part in box], dtype=bool)
    for part in slabs(mask.shape):
        k = slice(box[0].start + part.start, box[0].start + part.stop)
        mask[part] = layer.mask((k, *box[1:]))
        yield
    return Patch(mask, tuple(part.start for part in box))


def add_union(layers: list[Layer], target: Geometry, union: np.ndarray) -> Steps[None]:
    """Marks in `union` (boolean, shape of `target`) the voxels that lie in a layer's segments.

    Where the grids differ a voxel belongs to what its centre lies in (nearest neighbour): so two
    segments that touch leave no gap.
    """
    for layer in layers:
        shift = voxel_shift(layer.geometry, target)
        if shift is None:
            yield from _add_resampled(layer, target, union)
        else:
            yield from _add_shifted(layer, shift, union)


def cropped_mask(start: Index, mask: np.ndarray) -> Steps[Patch | None]:
    """A mask on a box as a cropped patch, None if it is empty; in pieces."""
    box: Box | None = None
    for part in slabs(mask.shape):
        box = _joined(box, bounding_box(mask[part]), part.start)
        yield
    if box is None:
        return None
    return Patch(mask[box], tuple(a + part.start for a, part in zip(start, box, strict=True)))


def _box_of(layer: Layer) -> Steps[Box | None]:
    box: Box | None = None
    for part in slabs(layer.voxels.shape):
        box = _joined(box, bounding_box(layer.mask(part)), part.start)
        yield
    return box


def _joined(box: Box | None, other: Box | None, k: int) -> Box | None:
    """The smallest box around two, of which the other begins at slice `k`."""
    if other is None:
        return box
    other = (slice(other[0].start + k, other[0].stop + k), *other[1:])
    if box is None:
        return other
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(box, other, strict=True)
    )


def _add_shifted(layer: Layer, shift, union: np.ndarray) -> Steps[None]:
    sizes = zip(layer.voxels.shape, union.shape, shift, strict=True)
    # In indices of the target.
    lower, upper = zip(*[(max(0, s), min(m, n + s)) for n, m, s in sizes], strict=True)
    shape = [b - a for a, b in zip(lower, upper, strict=True)]
    if min(shape) < 1:
        return
    for part in slabs(tuple(shape)):
        there = (
            slice(lower[0] + part.start, lower[0] + part.stop),
            *(slice(a, b) for a, b in zip(lower[1:], upper[1:], strict=True)),
        )
        here = tuple(slice(p.start - s, p.stop - s) for p, s in zip(there, shift, strict=True))
        union[there] |= layer.mask(here)
        yield


def _add_resampled(layer: Layer, target: Geometry, union: np.ndarray) -> Steps[None]:
    patch = yield from cropped_voxels(layer)
    if patch is None:
        return
    # A rim of background: beyond the mask nothing is inside.
    voxels = np.zeros([n + 2 for n in patch.values.shape], dtype=np.uint8)
    for part in slabs(patch.values.shape):
        voxels[part.start + 1 : part.stop + 1, 1:-1, 1:-1] = patch.values[part]
        yield
    source = layer.geometry.crop(tuple(n - 1 for n in patch.start), voxels.shape)
    box = target.box_around(source.corners())
    if box is None:
        return
    found = union[box]
    for part in blocks(found.shape, RESAMPLED_PER_STEP):
        first = (box[0].start + part[0].start, box[1].start + part[1].start, box[2].start)
        piece = target.crop(first, found[part].shape)
        to_source = source.ras_to_ijk @ piece.ijk_to_ras
        matrix, offset = to_source[:3, :3][::-1, ::-1], to_source[:3, 3][::-1]
        found[part] |= ndimage.affine_transform(
            voxels, matrix, offset, output_shape=piece.shape, order=0, mode="nearest"
        ).view(bool)
        yield
