"""What a segment holds, as a prompt on a volume's own grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.geometry import Geometry
from ..core.patch import BACKGROUND_LOGIT, Patch
from ..core.placement import voxel_shift
from ..core.resample import resample_linear
from .layers import RESAMPLED_PER_STEP, cropped_mask, cropped_voxels, layers_of
from .segments import get_segment
from .steps import Steps, blocks, slabs
from .transforms import to_world

if TYPE_CHECKING:
    import slicer

# Voxels along each axis from which the share that lies outside is estimated.
SAMPLED = 64


def content_steps(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    geometry: Geometry,
    volume_to_world: np.ndarray,
) -> Steps[Patch | None]:
    """A segment on a volume's grid, in steps of a few milliseconds; None if nothing is there.

    Where both have the same voxels they are copied, else interpolated linearly.

    Args:
        geometry: grid of the volume, in the volume's own RAS.
        volume_to_world: 4x4 from that RAS to world RAS.

    Raises:
        InputError: if the segment is not there, has no binary labelmap, or is under a transform
            that is not linear.
    """
    get_segment(segmentation_node, segment_id)
    layers = layers_of(segmentation_node, [segment_id])
    patch = (yield from cropped_voxels(layers[0])) if layers else None
    if patch is None:
        return None
    world_to_volume = np.linalg.inv(np.asarray(volume_to_world, dtype=float))
    source = layers[0].geometry.transformed(world_to_volume @ to_world(segmentation_node))
    shift = voxel_shift(source, geometry)
    if shift is None:
        placed = yield from _resampled(patch, source, geometry)
    else:
        start = tuple(a + b for a, b in zip(patch.start, shift, strict=True))
        placed = Patch(patch.values, start).clipped(geometry.shape)
        if placed is not None and placed.values.shape != patch.values.shape:
            placed = yield from cropped_mask(placed.start, placed.values)
    if placed is None:
        return None
    return Patch(placed.values, placed.start, _share_outside(patch, source, geometry))


def _resampled(patch: Patch, source: Geometry, target: Geometry) -> Steps[Patch | None]:
    box = source.crop(patch.start, patch.values.shape)
    logits = np.empty(patch.values.shape, dtype=np.float32)
    for part in slabs(logits.shape):
        logits[part] = patch.values[part]
        logits[part] *= 2
        logits[part] -= 1
        yield
    rim = source.crop(tuple(a - 1 for a in patch.start), tuple(n + 2 for n in patch.values.shape))
    found = target.box_around(rim.corners())
    if found is None:
        return None
    start = tuple(part.start for part in found)
    mask = np.empty([part.stop - part.start for part in found], dtype=bool)
    for part in blocks(mask.shape, RESAMPLED_PER_STEP):
        first = (start[0] + part[0].start, start[1] + part[1].start, start[2])
        piece = target.crop(first, mask[part].shape)
        mask[part] = resample_linear(logits, box, piece, BACKGROUND_LOGIT) > 0
        yield
    return (yield from cropped_mask(start, mask))


def _share_outside(patch: Patch, source: Geometry, target: Geometry) -> float:
    """Share (0 to 1) of a mask outside another grid, estimated from some of its voxels."""
    if target.contains(source.crop(patch.start, patch.values.shape).corners()).all():
        return 0.0
    strides = [max(1, -(-n // SAMPLED)) for n in patch.values.shape]
    voxels = np.argwhere(patch.values[tuple(slice(None, None, s) for s in strides)]) * strides
    if len(voxels) == 0:
        return 0.0
    ras = source.to_ras((voxels + patch.start)[:, ::-1])
    return float(1 - target.contains(ras).mean())
