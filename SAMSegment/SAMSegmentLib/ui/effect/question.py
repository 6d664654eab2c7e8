"""What the worker is asked, and whether its answer is still one to that."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.prompts import Prompts
from ...scene.prompt_frame import Content, content_of
from ...weights.catalogue import ModelEntry, model_entry
from .parameters import STARTS, Parameters
from .target import Place, Target, place_of


@dataclass(frozen=True, eq=False)
class Question:
    """Everything on which a proposal depends. The threshold is no part of it.

    Attributes:
        target: the segment for which it is asked.
        prompts: world RAS, mm.
        model: that is to answer.
        parameters: of the effect.
        place: where and in what the target lies.
        held: what the segment holds, if the proposal starts from that.
    """

    target: Target
    prompts: Prompts
    model: ModelEntry
    parameters: Parameters
    place: Place
    held: Content | None

    def is_same(self, other: Question) -> bool:
        """Whether the answer to one is an answer to the other."""
        return (
            self.parameters.question == other.parameters.question
            and self.prompts == other.prompts
            and self.is_at_same_place(other)
        )

    def is_at_same_place(self, other: Question) -> bool:
        """Whether both are about the same voxels of the same segment, image and grid."""
        starts = self.parameters.start_from, other.parameters.start_from
        return (
            self.target == other.target
            and self.place.is_same(other.place)
            and (STARTS[0] in starts or _is_same(self.held, other.held))
        )


def question_of(target: Target, prompts: Prompts, parameters: Parameters) -> Question:
    """What there is to ask now; cheap.

    Raises:
        InputError: if the target's volume or its segmentation cannot be used.
    """
    return Question(
        target,
        prompts,
        model_entry(parameters.model),
        parameters,
        place_of(target),
        None
        if parameters.start_from == STARTS[0]
        else content_of(target.segmentation, target.segment_id),
    )


def _is_same(first: Content | None, second: Content | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.digest == second.digest and first.geometry.is_close(second.geometry)
