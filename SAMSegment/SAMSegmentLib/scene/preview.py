"""Proposals as the user sees them: a segmentation of its own, beside the one that is edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ..core.label import default_color
from ..core.proposal import Proposal, level_of
from .grid import SegmentationGrid, grid_under
from .hidden_nodes import HiddenNode
from .hierarchy import add_hidden_item, remove_hidden_item
from .observers import Observers
from .segments import LABELMAP
from .steps import Steps, slabs
from .surface import surface_steps

NODE_NAME, SEGMENT_ID = "SAM Segment preview", "preview"
SURFACE = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
OUTLINE_PIXELS = 3
FILL_OPACITY, SURFACE_OPACITY = 0.25, 0.6
# How far the colour goes towards white, or from a pale one towards black.
TINT = 0.4


@dataclass(eq=False)
class _Part:
    """One proposal in the views: a segment of the preview's node.

    Attributes:
        image: vtkOrientedImageData, the segment's labelmap.
        mask: boolean, (k, j, i) of the proposal's box; shared with the labelmap.
    """

    segment_id: str
    image: object
    proposal: Proposal | None = None
    mask: np.ndarray | None = None


class Preview:
    """Shows proposals in slice and 3D views, and touches nothing but its own node.

    The segment under it is not hidden. They differ so: the preview has a thick outline in
    a lighter tint of the segment's colour (a darker one, if that is pale already) and a light
    filling, with an opacity of its own; the segment keeps the thin outline and denser filling that
    the user gave it. A structure that has no segment yet is shown in its own colour.

    Its node is neither saved nor listed. If somebody deletes it, `show_steps` makes a new one.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        segmentation_node: slicer.vtkMRMLSegmentationNode,
        opacity: float = FILL_OPACITY,
    ) -> None:
        """`opacity` (0 to 1) is that of the filling in slice views."""
        self._scene = scene
        self._segmentation_node = segmentation_node
        self._opacity = opacity
        self._hidden: HiddenNode | None = None
        # One for each segment of the node, the first always there.
        self._parts: list[_Part] = []
        self._shown: tuple[tuple[Proposal, ...], SegmentationGrid] | None = None
        self._threshold = 0.5
        self._color = (1.0, 1.0, 0.0)
        self._is_hidden = False
        self._observers = Observers()

    @property
    def is_in_scene(self) -> bool:
        """Whether its node is in the scene, with all its segments."""
        hidden = self._hidden
        return hidden is not None and hidden.is_in_scene and all(map(self._segment, self._parts))

    @property
    def node(self):
        """vtkMRMLSegmentationNode, or None if there is none at the moment."""
        return self._hidden.node if self.is_in_scene else None

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """What is shown; () if nothing is."""
        return self._shown[0] if self._shown is not None and self.is_in_scene else ()

    @property
    def threshold(self) -> float:
        """The probability above which voxels are shown."""
        return self._threshold

    def prepare(self) -> bool:
        """Makes its node, empty: markups that are added later are drawn over it.

        Returns:
            Whether it was new, so that earlier markups lie under it.
        """
        is_new = not self.is_in_scene
        self._ensure_node()
        return is_new

    def hide_node(self) -> None:
        """Empties its node and hides it also from the hierarchy, until it is needed again.

        To add a node to the scene or to remove one is slow in Slicer.
        """
        self.hide()
        if not self.is_in_scene or self._is_hidden:
            return
        self._is_hidden = True
        self._hidden.display.SetVisibility(False)
        self._hidden.node.SetAndObserveTransformNodeID(None)
        # The last: Slicer logs an error for each change without an item.
        remove_hidden_item(self._hidden.node)

    def show_steps(
        self,
        proposals: tuple[Proposal, ...],
        volume_to_world: np.ndarray,
        threshold: float = 0.5,
        segment_id: str | None = None,
    ) -> Steps[None]:
        """Shows proposals, in steps of about a millisecond; boxes may hold 1e7 voxels and more.

        3D surfaces stay as they are until `update_surface`.

        Args:
            proposals: at least one, on the reference grid of the segmentation.
            volume_to_world: 4x4 from the RAS of the proposals' image to world RAS, now.
            threshold: probability, 0.01 to 0.99.
            segment_id: segment that gives the colour of a proposal without a label; the one before,
                if left out.

        Raises:
            InputError: if the segmentation's geometry is not the proposals' any more.
        """
        grid = grid_under(proposals[0], self._segmentation_node, volume_to_world)
        level = level_of(threshold)
        self._ensure_node()
        masks = []
        for proposal in proposals:
            masks.append((yield from _mask_steps(proposal, level)))
        if not self.is_in_scene:
            return
        self._set_color(segment_id)
        self._set_count(len(proposals))
        self._threshold, self._shown = threshold, (proposals, grid)
        for number, (part, mask) in enumerate(zip(self._parts, masks, strict=True)):
            part.proposal, part.mask = proposals[number], mask
            self._set_part_color(part, number)
            self._draw(part, grid)

    def threshold_steps(self, threshold: float) -> Steps[None]:
        """Shows what is more probable than another threshold (0.01 to 0.99), in short steps."""
        level = level_of(threshold)
        self._threshold = threshold
        shown = self._shown
        if shown is None or not self.is_in_scene:
            return
        for part in list(self._parts):
            # Into the voxels that are shown: nothing is copied.
            for _ in _mask_steps(part.proposal, level, part.mask):
                yield
                if self._shown is not shown or not self.is_in_scene:
                    return
        for part in self._parts:
            self._redraw(part)

    def set_opacity(self, opacity: float) -> None:
        """Opacity of the filling in slice views, 0 (outline only) to 1."""
        self._opacity = opacity
        if self.is_in_scene and not self._is_hidden:
            self._hidden.display.SetOpacity2DFill(opacity)

    def update_surface(self) -> Steps[None]:
        """Makes the 3D surfaces of what is shown, in steps of a few milliseconds.

        They are made from at most about 96 voxels along each axis (see `surface`), and each
        replaces the one before only when it is complete.
        """
        shown = self._shown
        if shown is None or not self.is_in_scene:
            return
        for part in list(self._parts):
            mask, surface = part.mask, None
            if mask.size:
                box = shown[1].geometry.crop(part.proposal.levels.start, mask.shape)
                surface = yield from surface_steps(mask, box)
            if self._shown is not shown or not self.is_in_scene:
                return
            if surface is None:
                self._segment(part).RemoveRepresentation(SURFACE)
            else:
                self._segment(part).AddRepresentation(SURFACE, surface)

    def remove_surface(self) -> None:
        """Takes the preview out of the 3D views."""
        if self.is_in_scene:
            for part in self._parts:
                self._segment(part).RemoveRepresentation(SURFACE)

    def hide(self) -> None:
        """Shows nothing, and gives the voxels' memory back; the node stays."""
        self._shown = None
        for part in self._parts:
            part.proposal = part.mask = None
        if self.is_in_scene and not self._is_hidden:
            self._set_count(1)
            self.remove_surface()
            for part in self._parts:
                self._detach_observers(part)
                part.image.Initialize()
                self._redraw(part)

    def remove(self) -> None:
        """Takes the node out of the scene, and observes nothing any more."""
        hidden = self._hidden
        self._forget()
        if hidden is not None:
            hidden.remove()

    def _ensure_node(self) -> None:
        if not self.is_in_scene:
            self._make_node()
        elif self._is_hidden:
            add_hidden_item(self._hidden.node)
            self._is_hidden = False
            self._follow_transform()
            self._set_style()

    def _make_node(self) -> None:
        self.remove()
        self._hidden = HiddenNode(self._scene, "vtkMRMLSegmentationNode", NODE_NAME)
        self._hidden.node.GetSegmentation().SetSourceRepresentationName(LABELMAP)
        self._set_count(1)
        self._observe()
        self._follow_transform()
        self._set_style()

    def _set_count(self, count: int) -> None:
        """Adds or removes segments of the node."""
        segmentation = self._hidden.node.GetSegmentation()
        while len(self._parts) > count:
            segmentation.RemoveSegment(self._parts.pop().segment_id)
        while len(self._parts) < count:
            number = len(self._parts) + 1
            name = SEGMENT_ID if number == 1 else f"{SEGMENT_ID} {number}"
            part = _Part(name, slicer.vtkOrientedImageData())
            segmentation.AddEmptySegment(part.segment_id, NODE_NAME, self._color)
            segment = segmentation.GetSegment(part.segment_id)
            segment.AddRepresentation(LABELMAP, part.image)
            segment.SetLabelValue(1)
            self._parts.append(part)
            if number > 1:
                self._set_part_style(part)

    def _set_style(self) -> None:
        display = self._hidden.display
        with slicer.util.NodeModify(display):
            display.SetVisibility(True)
            display.SetPreferredDisplayRepresentationName2D(LABELMAP)
            display.SetPreferredDisplayRepresentationName3D(SURFACE)
            display.SetSliceIntersectionThickness(OUTLINE_PIXELS)
            display.SetOpacity2DOutline(1.0)
            display.SetOpacity2DFill(self._opacity)
            display.SetOpacity3D(SURFACE_OPACITY)
            for part in self._parts:
                self._set_part_style(part)

    def _set_part_style(self, part: _Part) -> None:
        display = self._hidden.display
        display.SetSegmentVisibility(part.segment_id, True)
        display.SetSegmentOpacity2DFill(part.segment_id, 1.0)
        display.SetSegmentOpacity2DOutline(part.segment_id, 1.0)

    def _observe(self) -> None:
        node, scene = self._segmentation_node, self._scene
        changes = [slicer.vtkMRMLTransformableNode.TransformModifiedEvent]
        self._observers.add(node, changes, self._follow_transform)
        self._observers.add(scene, [scene.NodeRemovedEvent], self._forget_if_removed)
        self._observers.add(scene, [scene.StartCloseEvent], self._forget)

    def _follow_transform(self) -> None:
        transform_id = self._segmentation_node.GetTransformNodeID()
        if self._is_hidden or not self.is_in_scene:
            return
        if self._hidden.node.GetTransformNodeID() != transform_id:
            self._hidden.node.SetAndObserveTransformNodeID(transform_id)

    def _forget_if_removed(self) -> None:
        if not self.is_in_scene or (self._is_hidden and self._segmentation_node.GetScene() is None):
            self.remove()

    def _forget(self) -> None:
        self._observers.release()
        self._hidden = self._shown = None
        self._parts = []
        self._is_hidden = False

    def _segment(self, part: _Part):
        return self._hidden.node.GetSegmentation().GetSegment(part.segment_id)

    def _draw(self, part: _Part, grid: SegmentationGrid) -> None:
        self._detach_observers(part)
        if part.mask.size == 0:
            part.image.Initialize()
        else:
            image = grid.image(part.proposal.levels.start, part.mask.shape)
            # The array shares the mask's memory, and keeps it is_in_scene.
            voxels = numpy_to_vtk(part.mask.view(np.uint8).ravel())
            image.GetPointData().SetScalars(voxels)
            part.image.ShallowCopy(image)
        self._redraw(part)

    def _detach_observers(self, part: _Part) -> None:
        """Keeps the segmentation from dropping the surface because the voxels change.

        It observes each labelmap, and begins again when the segment is modified.
        """
        part.image.RemoveObservers(vtk.vtkCommand.ModifiedEvent)

    def _redraw(self, part: _Part) -> None:
        """Makes the views draw the voxels again."""
        scalars = part.image.GetPointData().GetScalars()
        if scalars is not None:
            scalars.Modified()
        segmentation = self._hidden.node.GetSegmentation()
        segmentation.InvokeEvent(slicer.vtkSegmentation.RepresentationModified, part.segment_id)

    def _set_color(self, segment_id: str | None) -> None:
        segment = segment_id and self._segmentation_node.GetSegmentation().GetSegment(segment_id)
        if segment:
            self._color = preview_color(segment.GetColor())

    def _set_part_color(self, part: _Part, number: int) -> None:
        label = part.proposal.label
        color = self._color if label is None else label.color or default_color(number)
        if tuple(self._segment(part).GetColor()) != tuple(color):
            self._segment(part).SetColor(*color)


def _mask_steps(
    proposal: Proposal, level: int, mask: np.ndarray | None = None
) -> Steps[np.ndarray]:
    """The mask of a proposal's box, boolean, into `mask` if given; in steps of a millisecond."""
    levels = proposal.levels.values
    mask = np.empty(levels.shape, dtype=bool) if mask is None else mask
    for part in slabs(mask.shape):
        np.greater(levels[part], level, out=mask[part])
        yield
    yield from proposal.tidying(mask)
    return mask


def preview_color(color: Sequence[float]) -> tuple[float, float, float]:
    """The colour (red, green, blue; 0 to 1) of the preview of a segment of that colour."""
    # Most of an image is dark: only what is almost white becomes darker.
    towards = 0.0 if min(color) > 0.6 else 1.0
    return tuple(float(value + TINT * (towards - value)) for value in color)
