"""What the effect segments: a segment, the volume that the model sees, and where both lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from ...core.geometry import Geometry
from ...core.image import Image
from ...scene.grid import target_geometry
from ...scene.observers import Observers
from ...scene.volumes import image_from_volume
from ..common.delay import Delay

# A drag of a transform sends many events.
WATCH_DELAY_MS = 100


@dataclass(frozen=True)
class Target:
    """What is segmented, where, and in what.

    Attributes:
        segmentation: vtkMRMLSegmentationNode.
        segment_id: the segment that will hold the object.
        volume: vtkMRMLScalarVolumeNode that the model sees.
    """

    segmentation: object
    segment_id: str
    volume: object

    @property
    def is_started(self) -> bool:
        """Whether the segment was ever written to; asked of its status, which costs nothing."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        segment = self.segmentation.GetSegmentation().GetSegment(self.segment_id)
        return logic.GetSegmentStatus(segment) != logic.NotStarted


@dataclass(frozen=True, eq=False)
class Place:
    """Where and in what a target lies at one moment.

    Attributes:
        image: the volume's voxels.
        volume_to_world: 4x4 from the image's RAS to world RAS.
        grid: the segmentation's grid, in the image's RAS.
    """

    image: Image
    volume_to_world: np.ndarray
    grid: Geometry

    def is_same(self, other: Place) -> bool:
        """Whether a proposal for one is right for the other."""
        return (
            self.image.key == other.image.key
            and self.grid == other.grid
            and np.array_equal(self.volume_to_world, other.volume_to_world)
        )


def target_of(segment_editor_node) -> Target | None:
    """What a vtkMRMLSegmentEditorNode says is to be edited; None if something is missing."""
    node = segment_editor_node
    if node is None:
        return None
    segmentation, volume = node.GetSegmentationNode(), node.GetSourceVolumeNode()
    segment_id = node.GetSelectedSegmentID() or ""
    if segmentation is None or volume is None or not segment_id:
        return None
    if segmentation.GetSegmentation().GetSegment(segment_id) is None:
        return None
    return Target(segmentation, segment_id, volume)


def place_of(target: Target) -> Place:
    """Where a target lies now; cheap.

    Raises:
        InputError: if its volume or its segmentation cannot be used.
    """
    image, volume_to_world = image_from_volume(target.volume)
    return Place(image, volume_to_world, target_geometry(target.segmentation, volume_to_world))


class TargetWatch:
    """Tells when a target may have got other voxels, another time point, grid or place.

    Args:
        changed: called once it has been quiet for a moment.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._observers = Observers()
        self._later = Delay(WATCH_DELAY_MS, changed)

    def watch(self, target: Target) -> None:
        """Looks at this target from now on."""
        self.leave()
        moved = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        voxels = slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent
        self._observers.add(target.volume, [moved, voxels, vtk.vtkCommand.ModifiedEvent], self.look)
        self._observers.add(target.segmentation, [moved], self.look)

    def look(self) -> None:
        """Something may have changed."""
        self._later.start()

    def leave(self) -> None:
        """Looks at nothing any more."""
        self._later.stop()
        self._observers.release()

    def release(self) -> None:
        self.leave()
        self._later.release()
