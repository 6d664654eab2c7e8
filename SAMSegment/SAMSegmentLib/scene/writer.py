"""The one way in which masks get into segments."""

# ruff: noqa: N803 - Slicer's users know these arguments in camelCase.

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.errors import InputError, SAMSegmentError, WriteError
from ..core.patch import Patch
from ..core.placement import place
from ..core.prediction import NOTHING_FOUND, Prediction
from ..core.proposal import Proposal
from . import segments
from .editors import OpenEditors, editors_showing, slicer_editors, visible_editor_node
from .grid import grid_under, reference_grid, target_geometry
from .masking import EditRules, check_rules, editable_voxels, rules_of
from .modification import Modification
from .provenance import Provenance
from .tags import as_one_change, set_tags
from .transforms import describe, require_class, to_world
from .undo import SegmentationUndo

# Less than this share of a mask is not worth a warning.
SMALLEST_SHARE = 0.005


@dataclass(frozen=True)
class WriteResult:
    """What was written.

    Attributes:
        segment_id: ID of the segment, new or given.
        voxel_count: voxels that the segment now has on the segmentation's grid.
        warnings: what the user should know, in full sentences.
    """

    segment_id: str
    voxel_count: int
    warnings: tuple[str, ...] = ()


class SegmentationWriter:
    """Writes predictions into segments, under the Segment Editor's rules, and takes them back.

    One write is one undo step, and changes nothing in the scene but the segmentation. Keep one
    writer: its undo history lives and dies with it.
    """

    def __init__(self, open_editors: OpenEditors = slicer_editors) -> None:
        """`open_editors` gives the Segment Editors that are open, see `scene.editors`."""
        self._open_editors = open_editors
        self._undo = SegmentationUndo(open_editors)

    def check_writable(self, segmentationNode, segmentId=None, segmentEditorNode=None) -> None:
        """Raises every InputError that `write` would, before the slow work begins.

        Raises:
            InputError: if the segmentation cannot be written to, the segment is not there, or
                under the masking settings nothing could be written.
        """
        self._check(segmentationNode, segmentId, segmentEditorNode)

    def write(
        self,
        segmentationNode,
        prediction: Prediction | Proposal,
        toWorld: np.ndarray,
        segmentId: str | None = None,
        name: str | None = None,
        terminology: str | None = None,
        segmentEditorNode=None,
        provenance: Provenance | None = None,
        threshold: float = 0.5,
    ) -> WriteResult:
        """Replaces a segment's voxels by the mask of a prediction or proposal; one undo step.

        Args:
            segmentationNode: vtkMRMLSegmentationNode with a reference geometry.
            prediction: logits on the volume's grid, in the volume's own RAS; or a proposal, that
                is on the segmentation's reference grid already, in the same RAS.
            toWorld: 4x4 from that RAS to world RAS, as `image_from_volume` returns it.
            segmentId: segment to replace; a new one is added if left out.
            name: of the segment; Slicer's own ("Segment_1", ...) for a new one if left out.
            terminology: serialized terminology entry; Slicer's default (Tissue) for a new one.
            segmentEditorNode: vtkMRMLSegmentEditorNode whose masking, editable intensity range and
                overwrite mode are followed; it is not changed. If left out: those of the Segment
                Editor in which the segmentation is seen; without one, edit everywhere and
                overwrite no other segment.
            provenance: how the mask was made; kept with the segment.
            threshold: probability (0 to 1) above which a voxel belongs to the segment.

        Raises:
            InputError: see `check_writable`; or the segmentation's geometry is not the proposal's.
            WriteError: if nothing can be written: the mask is empty, outside the segmentation's
                geometry or not editable; or if Slicer failed. Everything is as before.
        """
        rules, grid, editors = self._check(segmentationNode, segmentId, segmentEditorNode)
        patch = _mask_of(prediction, segmentationNode, toWorld, threshold)
        mask = _masked(segmentationNode, segmentId, patch, rules, grid)
        step = self._undo.begin(segmentationNode, editors)
        try:
            written_id = _change(segmentationNode, segmentId, mask, rules, grid)
            _describe_segment(segmentationNode, written_id, name, terminology, provenance)
        except BaseException as error:
            self._undo.roll_back(step)
            if isinstance(error, SAMSegmentError) or not isinstance(error, Exception):
                raise
            raise WriteError(f"Writing the segment failed: {error}. It is as before.") from error
        self._undo.commit(step, written_id)
        warnings = _warnings(patch, mask, rules)
        return WriteResult(written_id, int(np.count_nonzero(mask.values)), warnings)

    def undo(self, segmentationNode=None) -> str:
        """Takes the last write back (to a segmentation, if given); the ID of its segment.

        Raises:
            InputError: if there is none, or the segmentation was changed by somebody else since:
                nothing of theirs gets lost.
        """
        return self._undo.undo(segmentationNode)

    def redo(self, segmentationNode=None) -> str:
        """Writes again what `undo` took back; the ID of its segment.

        Raises:
            InputError: as `undo`.
        """
        return self._undo.redo(segmentationNode)

    def _check(self, segmentation_node, segment_id, segment_editor_node):
        """(rules, grid, editors that show the segmentation), or InputError."""
        require_class(segmentation_node, "vtkMRMLSegmentationNode", "segmentation")
        to_world(segmentation_node)
        _check_representation(segmentation_node)
        grid = reference_grid(segmentation_node)
        if segment_id is not None:
            segments.get_segment(segmentation_node, segment_id)
        editors = editors_showing(segmentation_node, self._open_editors)
        rules = rules_of(segment_editor_node or visible_editor_node(editors))
        check_rules(rules, segmentation_node)
        return rules, grid, editors


def _check_representation(segmentation_node) -> None:
    segmentation = segmentation_node.GetSegmentation()
    source = segmentation.GetSourceRepresentationName()
    if source != segments.LABELMAP and segmentation.GetNumberOfSegments() > 0:
        raise InputError(
            f"{describe(segmentation_node)} is kept as {source.lower()}, and cannot be edited "
            "voxel by voxel: make Binary labelmap its source representation (Segmentations module, "
            "Representations, or in the Segment Editor), or write to another segmentation."
        )


def _mask_of(prediction, segmentation_node, volume_to_world, threshold: float) -> Patch:
    """The mask on the segmentation's reference grid; WriteError if it is empty."""
    if isinstance(prediction, Proposal):
        grid_under(prediction, segmentation_node, volume_to_world)
        patch = prediction.patch(threshold)
        if patch is None:
            raise WriteError(
                "Nothing is more probable than the threshold here: lower it, add a positive point "
                "or change the ROI. Nothing was changed."
            )
        return patch
    target = target_geometry(segmentation_node, volume_to_world)
    patch = place(prediction, target, threshold)
    if patch is None:
        raise _nothing_there(prediction, threshold)
    return patch


def _nothing_there(prediction: Prediction, threshold: float) -> WriteError:
    if prediction.box_mask(threshold).any():
        return WriteError(
            "The result lies outside the segmentation's geometry: choose this volume as its source "
            "geometry (Segment Editor, Specify geometry). Nothing was changed."
        )
    return WriteError(f"{NOTHING_FOUND} Nothing was changed.")


def _masked(segmentation_node, segment_id, patch: Patch, rules: EditRules, grid) -> Patch:
    """What the segment will be: the new mask where it may be edited, the old one elsewhere."""
    if not rules.restrict:
        return patch
    old = segment_id and segments.voxels_on(segmentation_node, segment_id, grid)
    # The old voxels must lie in the box, too: `Set` erases what the modifier does not cover.
    patches = [patch, old] if old else [patch]
    start = tuple(min(p.start[axis] for p in patches) for axis in range(3))
    stop = tuple(max(p.stop[axis] for p in patches) for axis in range(3))
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    editable = editable_voxels(segmentation_node, segment_id or "", rules, grid, start, shape)
    written = patch.on_box(start, shape) & editable
    if not written.any():
        raise WriteError(
            "None of the result may be edited: check Editable area and Editable intensity range "
            "in the Masking section of the Segment Editor. Nothing was changed."
        )
    if old:
        written |= old.on_box(start, shape) & ~editable
    return Patch(written, start, patch.cut).cropped()


def _change(segmentation_node, segment_id, mask: Patch, rules: EditRules, grid) -> str:
    segmentation = segmentation_node.GetSegmentation()
    if segmentation.GetSourceRepresentationName() != segments.LABELMAP:
        # Only ever done to a segmentation without segments.
        segmentation.SetSourceRepresentationName(segments.LABELMAP)
    if segment_id is None:
        segment_id = segments.add_segment(segmentation_node)
    segments.own_layer_if_off_grid(segmentation_node, segment_id, grid)
    modification = Modification(rules.overwrite_mode)
    modification.set(segmentation_node, segment_id, grid.labelmap(mask.start, mask.values))
    # The logic fails without an exception: trust only what can be read back.
    if not _same(mask, segments.voxels_on(segmentation_node, segment_id, grid)):
        reason = "; ".join(modification.messages) or "it gave no reason"
        raise WriteError(f"Slicer did not write the segment ({reason}). It is as before.")
    return segment_id


def _same(expected: Patch, written: Patch | None) -> bool:
    return (
        written is not None
        and expected.start == written.start
        and np.array_equal(expected.values, written.values)
    )


def _describe_segment(segmentation_node, segment_id, name, terminology, provenance) -> None:
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    tags = {} if provenance is None else provenance.tags(segmentation_node, segment_id)
    with as_one_change(segment):
        if name is not None:
            segment.SetName(name)
        if terminology is not None:
            segment.SetTerminology(terminology)
        set_tags(segment, tags)


def _warnings(patch: Patch, mask: Patch, rules: EditRules) -> tuple[str, ...]:
    warnings = []
    if patch.cut > SMALLEST_SHARE:
        warnings.append(
            f"{patch.cut:.0%} of the result lies outside the segmentation's geometry and was left "
            "out: choose this volume as its source geometry (Segment Editor, Specify geometry)."
        )
    if rules.restrict:
        kept = np.count_nonzero(patch.values & mask.on_box(patch.start, patch.values.shape))
        lost = 1 - kept / np.count_nonzero(patch.values)
        if lost > SMALLEST_SHARE:
            warnings.append(
                f"{lost:.0%} of the result is outside the editable area and was left out."
            )
    return tuple(warnings)
