"""The one way in which masks get into segments."""

# ruff: noqa: N803 - Slicer's users know these arguments in camelCase.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import slicer

from ..core.answer import NOTHING_FOUND
from ..core.errors import InputError, SAMSegmentError, WriteError
from ..core.patch import Patch, slices
from ..core.proposal import Proposal
from . import segments
from .editors import OpenEditors, editors_showing, slicer_editors, visible_editor_node
from .grid import SegmentationGrid, grid_under, reference_grid
from .masking import EditRules, check_rules, editable_voxels, rules_of
from .modification import Modification
from .provenance import Provenance
from .tags import as_one_change, set_tags
from .transforms import describe, require_class, to_world
from .undo import SegmentationUndo

# Less than this share of a mask is not worth a warning.
SMALLEST_SHARE = 0.005
OVERWRITE_NONE = slicer.vtkMRMLSegmentEditorNode.OverwriteNone
NO_STRUCTURE = "The model found none of these structures in the volume."
NOT_EDITABLE = (
    "None of the result may be edited: check Editable area and Editable intensity range in the "
    "Masking section of the Segment Editor. Nothing was changed."
)


@dataclass(frozen=True, eq=False)
class _Segment:
    """A segment as it is to be written.

    Attributes:
        mask: cropped, on the segmentation's reference grid.
        segment_id: the segment to replace; None for a new one.
        name, terminology, color: None: as they are, or Slicer's own.
    """

    mask: Patch
    segment_id: str | None
    name: str | None
    terminology: str | None
    color: tuple[float, float, float] | None
    provenance: Provenance | None


@dataclass(frozen=True)
class WriteResult:
    """What was written.

    Attributes:
        segment_ids: IDs of the segments, new or given; at least one.
        warnings: what the user should know, in full sentences.
    """

    segment_ids: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def segment_id(self) -> str:
        """ID of the segment, of the first if there are several."""
        return self.segment_ids[0]


class SegmentationWriter:
    """Writes proposals into segments, under the Segment Editor's rules, and takes them back.

    One write is one undo step, and changes nothing in the scene but the segmentation. Keep one
    writer: its undo history lives and dies with it.
    """

    def __init__(self, open_editors: OpenEditors = slicer_editors) -> None:
        """`open_editors` gives the Segment Editors that are open, see `scene.editors`."""
        self._open_editors = open_editors
        self._undo = SegmentationUndo(open_editors)

    def check_writable(
        self,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        segmentId: str | None = None,
        segmentEditorNode: slicer.vtkMRMLSegmentEditorNode | None = None,
    ) -> None:
        """Raises every InputError that `write` would, before the slow work begins.

        Raises:
            InputError: if the segmentation cannot be written to, the segment is not there, or
                under the masking settings nothing could be written.
        """
        self._check(segmentationNode, segmentId, segmentEditorNode)

    def write(
        self,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        proposal: Proposal,
        toWorld: np.ndarray,
        segmentId: str | None = None,
        name: str | None = None,
        terminology: str | None = None,
        segmentEditorNode: slicer.vtkMRMLSegmentEditorNode | None = None,
        provenance: Provenance | None = None,
        threshold: float = 0.5,
    ) -> WriteResult:
        """Replaces a segment's voxels by a proposal's mask; one undo step.

        Args:
            segmentationNode: vtkMRMLSegmentationNode with a reference geometry.
            proposal: on the segmentation's reference grid, in the volume's own RAS.
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
        grid_under(proposal, segmentationNode, toWorld)
        patch = proposal.patch(threshold)
        if patch is None:
            raise _nothing_there([proposal])
        mask = _masked(segmentationNode, segmentId, patch, rules, grid)
        if mask is None:
            raise WriteError(NOT_EDITABLE)
        segment = _Segment(mask, segmentId, name, terminology, None, provenance)
        ids = self._write(segmentationNode, [segment], rules, grid, editors)
        return WriteResult(ids, _warnings(patch, mask, rules))

    def write_structures(
        self,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        proposals: Sequence[Proposal],
        toWorld: np.ndarray,
        segmentEditorNode: slicer.vtkMRMLSegmentEditorNode | None = None,
        provenance: Provenance | None = None,
        threshold: float = 0.5,
    ) -> WriteResult:
        """Adds a segment for each structure of an automatic model's answer; one undo step.

        Name, terminology and colour are those of the proposal's label. Structures that overlap
        keep their voxels, whatever the overwrite mode: that is about the segments of before. No
        segment is made of a structure of which there is nothing; a warning tells of it.

        Args:
            proposals: with labels, on the segmentation's reference grid.
            others: see `write`.

        Raises:
            InputError, WriteError: as `write`; if one segment cannot be written, none is.
        """
        rules, grid, editors = self._check(segmentationNode, None, segmentEditorNode)
        structures, warnings, missing, kept_out = [], [], [], []
        for proposal in proposals:
            grid_under(proposal, segmentationNode, toWorld)
            label, patch = proposal.label, proposal.patch(threshold)
            if patch is None:
                missing.append(label.name)
                continue
            mask = _masked(segmentationNode, None, patch, rules, grid)
            if mask is None:
                kept_out.append(label.name)
                continue
            made = None if provenance is None else replace(provenance, structure=label.name)
            terminology = label.terminology or None
            structures.append(_Segment(mask, None, label.name, terminology, label.color, made))
            warnings += [f"{label.name}: {text}" for text in _warnings(patch, mask, rules)]
        if not structures:
            raise WriteError(NOT_EDITABLE) if kept_out else _nothing_there(proposals)
        if missing:
            warnings.append(f"Nothing was found of: {', '.join(missing)}.")
        if kept_out:
            warnings.append(f"Nothing may be edited of: {', '.join(kept_out)}.")
        ids = self._write(segmentationNode, structures, rules, grid, editors)
        return WriteResult(ids, tuple(warnings))

    def undo(self, segmentationNode: slicer.vtkMRMLSegmentationNode | None = None) -> str:
        """Takes the last write back (to a segmentation, if given); the ID of its segment.

        Raises:
            InputError: if there is none, or the segmentation was changed by somebody else since:
                nothing of theirs gets lost.
        """
        return self._undo.undo(segmentationNode)

    def redo(self, segmentationNode: slicer.vtkMRMLSegmentationNode | None = None) -> str:
        """Writes again what `undo` took back; the ID of its segment.

        Raises:
            InputError: as `undo`.
        """
        return self._undo.redo(segmentationNode)

    def _write(
        self,
        segmentation_node,
        written: Sequence[_Segment],
        rules: EditRules,
        grid: SegmentationGrid,
        editors,
    ) -> tuple[str, ...]:
        """Writes segments as one undo step; their IDs. If one fails, everything is as before."""
        step = self._undo.begin(segmentation_node, editors)
        try:
            ids = _change(segmentation_node, written, rules, grid)
        except BaseException as error:
            self._undo.roll_back(step)
            if isinstance(error, SAMSegmentError) or not isinstance(error, Exception):
                raise
            raise WriteError(f"Writing the segment failed: {error}. It is as before.") from error
        self._undo.commit(step, ids)
        return ids

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


def _nothing_there(proposals: Sequence[Proposal]) -> WriteError:
    """Why there is no mask to write."""
    is_automatic = any(proposal.label is not None for proposal in proposals)
    if not all(proposal.is_empty for proposal in proposals):
        hint = "lower it" if is_automatic else "lower it, add a positive point or change the ROI"
        reason = f"Nothing is more probable than the threshold here: {hint}."
    elif any(proposal.cut > 0 for proposal in proposals):
        reason = (
            "The result lies outside the segmentation's geometry: choose this volume as its source "
            "geometry (Segment Editor, Specify geometry)."
        )
    else:
        reason = NO_STRUCTURE if is_automatic else NOTHING_FOUND
    return WriteError(f"{reason} Nothing was changed.")


def _masked(segmentation_node, segment_id, patch: Patch, rules: EditRules, grid) -> Patch | None:
    """What the segment will be: the new mask where it may be edited, the old one elsewhere.

    None if nothing of the new mask may be edited.
    """
    if not rules.restrict:
        return patch
    old = segment_id and segments.voxels_on(segmentation_node, segment_id, grid)
    # The old voxels must lie in the box, too: `Set` erases what the modifier does not cover.
    patch = patch.enlarged(old.start, old.stop) if old else patch
    start, shape = patch.start, patch.values.shape
    editable = editable_voxels(segmentation_node, segment_id or "", rules, grid, start, shape)
    written = patch.values & editable
    if not written.any():
        return None
    if old:
        written |= old.on_box(start, shape) & ~editable
    return Patch(written, start, patch.cut).cropped()


def _change(
    segmentation_node, written: Sequence[_Segment], rules: EditRules, grid: SegmentationGrid
) -> tuple[str, ...]:
    segmentation = segmentation_node.GetSegmentation()
    if segmentation.GetSourceRepresentationName() != segments.LABELMAP:
        # Only ever done to a segmentation without segments.
        segmentation.SetSourceRepresentationName(segments.LABELMAP)
    ids = tuple(one.segment_id or segments.add_segment(segmentation_node) for one in written)
    mode = rules.overwrite_mode
    if len(written) > 1 and mode != OVERWRITE_NONE:
        # What was there before gives way to all of them, and then none to another.
        _set_voxels(segmentation_node, ids[0], _union([one.mask for one in written]), mode, grid)
        mode = OVERWRITE_NONE
    for segment_id, one in zip(ids, written, strict=True):
        _set_voxels(segmentation_node, segment_id, one.mask, mode, grid)
        _describe_segment(segmentation_node, segment_id, one)
    return ids


def _set_voxels(
    segmentation_node, segment_id: str, mask: Patch, overwrite_mode: int, grid: SegmentationGrid
) -> None:
    segments.own_layer_if_off_grid(segmentation_node, segment_id, grid)
    modification = Modification(overwrite_mode)
    modification.set(segmentation_node, segment_id, grid.labelmap(mask.start, mask.values))
    # The logic fails without an exception: trust only what can be read back.
    if not _same(mask, segments.voxels_on(segmentation_node, segment_id, grid)):
        reason = "; ".join(modification.messages) or "it gave no reason"
        raise WriteError(f"Slicer did not write the segment ({reason}). It is as before.")


def _union(masks: Sequence[Patch]) -> Patch:
    union = masks[0]
    for mask in masks[1:]:
        union = union.enlarged(mask.start, mask.stop)
        union.values[slices(mask.start, mask.stop, union.start)] |= mask.values
    return union


def _same(expected: Patch, written: Patch | None) -> bool:
    return (
        written is not None
        and expected.start == written.start
        and np.array_equal(expected.values, written.values)
    )


def _describe_segment(segmentation_node, segment_id: str, one: _Segment) -> None:
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    tags = {} if one.provenance is None else one.provenance.tags(segmentation_node, segment_id)
    with as_one_change(segment):
        if one.name is not None:
            segment.SetName(one.name)
        if one.terminology is not None:
            segment.SetTerminology(one.terminology)
        if one.color is not None:
            segment.SetColor(*one.color)
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
