"""What prompts lie in, noted when they are stored: do they mean the same when they are restored?

Until then segment and volume may be moved together or apart, by transforms or for good (hardened),
the segment may be copied into another segmentation, or edited by somebody else. Prompts are kept in
the own RAS of their segmentation node, which moves with its transforms. Hardening leaves that RAS
and moves voxels in it: it shows in the grids of the segment's voxels and of the volume, which then
move by the same matrix (vtkMRMLTransformableNode::HardenTransform, vtkSegmentation::
ApplyLinearTransform, vtkMRMLVolumeNode::ApplyTransformMatrix).
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import InputError
from ..core.geometry import Geometry, apply_matrix
from ..core.placement import SAME_VOXEL
from ..core.prompts import DAMAGE
from .layers import cropped_voxels, layers_of
from .steps import finish
from .transforms import to_world
from .volumes import image_from_volume

if TYPE_CHECKING:
    import slicer

# Contents whose digests are cached.
MAX_CACHED = 64


class PromptStatus(Enum):
    """Whether stored prompts still lie where they belong."""

    SAME = "same"
    #: Segment and volume were moved together, and the prompts can go along.
    MOVED = "moved"
    #: They were moved apart: the prompts cannot be right for both.
    MOVED_APART = "moved apart"
    #: The segment's voxels were changed: what the prompts make would undo that work.
    EDITED = "edited"
    #: An earlier version stored the prompts in world RAS, and not what they lay in.
    UNKNOWN = "unknown"

    @property
    def is_stale(self) -> bool:
        """Whether a mask made from the prompts must not replace what the segment holds."""
        return self not in (PromptStatus.SAME, PromptStatus.MOVED)


@dataclass(frozen=True, eq=False)
class Content:
    """What a segment holds.

    Attributes:
        digest: names its voxels, wherever they lie.
        geometry: grid of the smallest box around them, in the segmentation node's own RAS.
    """

    digest: str
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class PromptFrame:
    """What prompts lie in; all in the segmentation node's own RAS.

    Attributes:
        to_world: 4x4 from that RAS to world RAS.
        image: grid of the volume on which they were placed; None if it is not known.
        volume_id: of its node.
        content: of the segment; None if it is empty.
    """

    to_world: np.ndarray
    image: Geometry | None = None
    volume_id: str = ""
    content: Content | None = None

    def to_json(self) -> str:
        """One line; `from_json` gives the same back, to the last bit."""
        content = self.content
        data = {
            "toWorld": self.to_world.tolist(),
            "volume": self.volume_id,
            "image": _as_data(self.image),
            "content": None if content is None else [content.digest, _as_data(content.geometry)],
        }
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> PromptFrame:
        """The frame of `to_json`'s text.

        Raises:
            InputError: if the text is none.
        """
        try:
            data = json.loads(text)
            matrix = np.array(data["toWorld"], dtype=float)
            if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
                raise ValueError("toWorld is no 4x4 matrix")
            content = data["content"]
            return cls(
                matrix,
                None if data["image"] is None else _geometry(data["image"]),
                str(data["volume"]),
                None if content is None else Content(str(content[0]), _geometry(content[1])),
            )
        except (*DAMAGE, InputError) as error:
            raise InputError(
                f"What is stored with the prompts cannot be read ({error}): place them again."
            ) from error


def frame_of(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume_node: slicer.vtkMRMLScalarVolumeNode | None = None,
) -> PromptFrame:
    """What prompts of a segment lie in now.

    Cheap, but for the first time after the segment's voxels have changed.

    Raises:
        InputError: if the segmentation is under a transform that is not linear.
    """
    own_to_world = to_world(segmentation_node)
    content = content_of(segmentation_node, segment_id)
    try:
        image, volume_to_world = image_from_volume(volume_node)
    except InputError:
        return PromptFrame(own_to_world, content=content)
    grid = image.geometry.transformed(np.linalg.inv(own_to_world) @ volume_to_world)
    return PromptFrame(own_to_world, grid, volume_node.GetID(), content)


def prompt_status(before: PromptFrame | None, now: PromptFrame) -> tuple[PromptStatus, np.ndarray]:
    """What became of prompts, and the 4x4 that takes them along, in the segmentation's own RAS."""
    if before is None:
        return (PromptStatus.SAME if now.content is None else PromptStatus.UNKNOWN), np.eye(4)
    image = _image_motion(before, now)
    if now.content is None:
        # There is nothing to lose: prompts mean what lies in the image.
        motion = np.eye(4) if image is None else image
    elif before.content is None or before.content.digest != now.content.digest:
        return PromptStatus.EDITED, np.eye(4) if image is None else image
    else:
        motion = now.content.geometry.ijk_to_ras @ before.content.geometry.ras_to_ijk
        if image is not None and not _agree(motion, image, before):
            return PromptStatus.MOVED_APART, motion
    in_place = _agree(now.to_world @ motion, before.to_world, before)
    return (PromptStatus.SAME if in_place else PromptStatus.MOVED), motion


def is_in_place(before: PromptFrame, now: PromptFrame) -> bool:
    """Whether image and segment lie where they did in the world; its voxels may be others."""
    if not _agree(now.to_world, before.to_world, before):
        return False
    grids = [(before.image, now.image)]
    held = before.content, now.content
    if None not in held and held[0].digest == held[1].digest:
        grids.append((held[0].geometry, held[1].geometry))
    tolerance = _tolerance(before)
    # A grid of another size is another one, not one that was moved.
    return all(
        a is None or b is None or a.shape != b.shape or a.is_close(b, tolerance) for a, b in grids
    )


def content_of(
    segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str
) -> Content | None:
    """What a segment holds; None if it is empty, or is not kept as voxels."""
    try:
        layers = layers_of(segmentation_node, [segment_id])
    except InputError:
        return None
    if not layers:
        return None
    (layer,) = layers
    # VTK's times are unique in the process; copies may share their voxels.
    key = (layer.time, layer.values, layer.geometry)
    if key not in _contents:
        _contents[key] = _content_of_layer(layer)
        while len(_contents) > MAX_CACHED:
            _contents.popitem(last=False)
    return _contents[key]


_contents: OrderedDict[tuple, Content | None] = OrderedDict()


def _content_of_layer(layer) -> Content | None:
    patch = finish(cropped_voxels(layer))
    if patch is None:
        return None
    digest = hashlib.sha256(repr(patch.values.shape).encode())
    digest.update(np.packbits(patch.values, axis=None).tobytes())
    return Content(digest.hexdigest(), layer.geometry.crop(patch.start, patch.values.shape))


def _image_motion(before: PromptFrame, now: PromptFrame) -> np.ndarray | None:
    """4x4 that took the image along, in the segmentation's own RAS; None if it is not known."""
    if before.image is None or now.image is None:
        return None
    if before.image.is_close(now.image, _tolerance(before)):
        return np.eye(4)
    if before.volume_id == now.volume_id and before.image.shape == now.image.shape:
        return now.image.ijk_to_ras @ before.image.ras_to_ijk
    # Another volume shows the same patient, in the same place of the world.
    return np.linalg.inv(now.to_world) @ before.to_world


def _agree(first: np.ndarray, second: np.ndarray, frame: PromptFrame) -> bool:
    """Whether two 4x4 matrices take what lies in a frame to the same place."""
    geometry = frame.image if frame.content is None else frame.content.geometry
    corners = 100 * (np.indices((2, 2, 2)).reshape(3, -1).T - 0.5)
    if geometry is not None:
        corners = geometry.corners()
    apart = apply_matrix(first, corners) - apply_matrix(second, corners)
    return bool(np.abs(apart).max() <= _tolerance(frame))


def _tolerance(frame: PromptFrame) -> float:
    """mm; far above rounding (files keep some numbers with 32 bits), far below what can be seen."""
    grids = [frame.image, None if frame.content is None else frame.content.geometry]
    spacings = [grid.spacing.min() for grid in grids if grid is not None]
    return SAME_VOXEL * float(min(spacings, default=0.1))


def _as_data(geometry: Geometry | None) -> list | None:
    return None if geometry is None else [geometry.ijk_to_ras.tolist(), list(geometry.shape)]


def _geometry(data: list) -> Geometry:
    return Geometry(np.array(data[0], dtype=float), tuple(data[1]))
