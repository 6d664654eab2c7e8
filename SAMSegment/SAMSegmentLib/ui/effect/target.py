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
CHANGE_DELAY_MS = 100


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
        """Whether the segment was ever written to; its status says so at no cost."""
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        segment = self.segmentation.GetSegmentation().GetSegment(self.segment_id)
        return logic.GetSegmentStatus(segment) != logic.NotStarted


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a target lies at one moment, and in which voxels.

    Attributes:
        image: the volume's voxels.
        volume_to_world: 4x4 from the image's RAS to world RAS.
        grid: the segmentation's grid, in the image's RAS.
    """

    image: Image
    volume_to_world: np.ndarray
    grid: Geometry

    def is_same(self, other: Placement) -> bool:
        """Whether a proposal for one is right for the other."""
        return (
            self.image.key == other.image.key
            and self.grid == other.grid
            and np.array_equal(self.volume_to_world, other.volume_to_world)
        )


def target_of(segment_editor_node: slicer.vtkMRMLSegmentEditorNode | None) -> Target | None:
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


def placement_of(target: Target) -> Placement:
    """Where a target lies now; cheap.

    Raises:
        InputError: if its volume or its segmentation cannot be used.
    """
    image, volume_to_world = image_from_volume(target.volume)
    return Placement(image, volume_to_world, target_geometry(target.segmentation, volume_to_world))


class TargetObserver:
    """Reports when a target may have got other voxels, another time point, grid or place.

    Args:
        changed: called once nothing has changed for a moment.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._observers = Observers()
        self._delay = Delay(CHANGE_DELAY_MS, changed)

    def observe(self, target: Target) -> None:
        """Observes this target, and no other, from now on."""
        self.stop()
        moved = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        voxels = slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent
        events = [moved, voxels, vtk.vtkCommand.ModifiedEvent]
        self._observers.add(target.volume, events, self.notify)
        self._observers.add(target.segmentation, [moved], self.notify)

    def notify(self) -> None:
        """Something may have changed."""
        self._delay.start()

    def stop(self) -> None:
        self._delay.stop()
        self._observers.release()

    def release(self) -> None:
        self.stop()
        self._delay.release()
