"""How a segment was made, kept in its tags: saved with the segmentation, restored with it.

The prompts are kept twice: as they are now, which may be ahead of the mask (see `prompt_store`),
and as they were when the mask was written. Both are in the own RAS of the segmentation node, so
that its transforms carry them along, and with them what they lie in, see `prompt_frame`. (World
RAS, which version 0.1.0 wrote, is wrong as soon as anything is moved.)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import InputError
from ..core.prompts import Prompts
from .prompt_frame import PromptFrame, frame_of
from .tags import tag_of
from .transforms import to_world

if TYPE_CHECKING:
    import slicer

# No colon in a key: the segmentation file splits tags at the first one.
PROMPTS = "SAMSegment.Prompts"
FRAME = "SAMSegment.PromptFrame"
MODEL = "SAMSegment.Model"
VERSION = "SAMSegment.Version"
WEIGHTS_SHA256 = "SAMSegment.WeightsSha256"
STRUCTURE = "SAMSegment.Structure"
APPLIED_PROMPTS = "SAMSegment.AppliedPrompts"
SETTINGS = "SAMSegment.Settings"
TIME_POINT = "SAMSegment.TimePoint"
#: Tags that say how the mask was made, and that change with it.
TAGS = (APPLIED_PROMPTS, MODEL, STRUCTURE, VERSION, WEIGHTS_SHA256)
#: Tags that change while the user edits prompts.
PROMPT_TAGS = (PROMPTS, FRAME, SETTINGS, TIME_POINT)

#: Of the stored prompts: 1, without a number, is in world RAS.
FORMAT = 2


@dataclass(frozen=True, eq=False)
class Provenance:
    """How a mask was made.

    Attributes:
        prompts: in world RAS, mm, at the time of writing; None of an automatic model.
        volume: vtkMRMLScalarVolumeNode on which they were placed.
        model: name in the catalogue of models.
        version: of SAMSegment.
        weights_sha256: of the weights file, in hexadecimal.
        structure: what an automatic model calls what it found; else "".
    """

    prompts: Prompts | None
    volume: object
    model: str
    version: str
    weights_sha256: str
    structure: str = ""

    def tags(
        self, segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str
    ) -> dict[str, str | None]:
        """The tags of the segment, once it holds the mask; None for those that it has no more."""
        made = {
            MODEL: self.model.replace("|", "/"),
            VERSION: self.version.replace("|", "/"),
            WEIGHTS_SHA256: self.weights_sha256,
        }
        if self.prompts is None:
            return {**made, STRUCTURE: self.structure.replace("|", "/")}
        placed = placed_tags(segmentation_node, segment_id, self.prompts, self.volume)
        return {**placed, APPLIED_PROMPTS: placed[PROMPTS], **made, STRUCTURE: None}


def placed_tags(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    prompts: Prompts,
    volume: slicer.vtkMRMLScalarVolumeNode,
) -> dict[str, str]:
    """The tags that keep prompts (world RAS) and what they lie in now.

    Raises:
        InputError: if the segmentation is under a transform that is not linear.
    """
    world_to_own = np.linalg.inv(to_world(segmentation_node))
    return {
        PROMPTS: prompts_tag(_mapped(prompts, world_to_own)),
        FRAME: _without_bar(frame_of(segmentation_node, segment_id, volume).to_json()),
    }


def prompts_tag(prompts: Prompts) -> str:
    """Prompts in a segmentation node's own RAS as the value of a tag."""
    return _without_bar(f'{{"format":{FORMAT},{prompts.to_json()[1:]}')


@dataclass(frozen=True, eq=False)
class PlacedPrompts:
    """Prompts as a segment's tags hold them.

    Attributes:
        prompts: in the segmentation node's own RAS, mm; in world RAS without a frame.
        frame: what they lay in; None if an earlier version stored them.
    """

    prompts: Prompts
    frame: PromptFrame | None

    def in_world(self, own_to_world: np.ndarray, motion: np.ndarray) -> Prompts:
        """The prompts in world RAS.

        Args:
            own_to_world: 4x4 from the segmentation node's own RAS to world RAS, now.
            motion: 4x4 that takes them along before, in that own RAS.
        """
        return self.prompts if self.frame is None else _mapped(self.prompts, own_to_world @ motion)


def placed_prompts_of(segment: slicer.vtkSegment) -> PlacedPrompts | None:
    """The prompts of a vtkSegment as they are now; None if it has none.

    Raises:
        InputError: if they are there but damaged, or of a later version.
    """
    text = tag_of(segment, PROMPTS)
    if text is None:
        return None
    try:
        prompts, number = Prompts.from_json(text), json.loads(text).get("format", 1)
        if number not in (1, FORMAT):
            raise InputError("another version of SAMSegment wrote them.")
        frame = tag_of(segment, FRAME)
        if number == 1:
            return PlacedPrompts(prompts, None)
        if frame is None:
            raise InputError("what they lie in is missing.")
        return PlacedPrompts(prompts, PromptFrame.from_json(frame))
    except InputError as error:
        raise InputError(
            f'The prompts stored with the segment "{segment.GetName()}" cannot be read: {error} '
            "Place new ones."
        ) from error


def _mapped(prompts: Prompts, matrix: np.ndarray) -> Prompts:
    # To the last bit where nothing is moved: else Slicer would offer to save it for nothing.
    return prompts if np.array_equal(matrix, np.eye(4)) else prompts.transformed(matrix)


def _without_bar(text: str) -> str:
    # The segmentation file joins tags with "|", and would cut the value there.
    return text.replace("|", "\\u007c")
