"""What an engine knows about an object so far: its mask, and all it takes to correct it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...core.patch import Patch
from .views import View


@dataclass(frozen=True, eq=False)
class Answer:
    """An object's mask, the views on which it rests, and what else could have been meant."""

    mask: Patch
    views: Sequence[View]
    alternatives: tuple[Patch, ...] = ()

    @property
    def nbytes(self) -> int:
        """Memory that its masks take."""
        return sum(mask.values.nbytes for mask in (self.mask, *self.alternatives))

    def with_candidate(self, candidate: int) -> Answer:
        """This answer with another candidate as its mask; after the last comes the first."""
        masks = [self.mask, *self.alternatives]
        mask = masks.pop(candidate % len(masks))
        return replace(self, mask=mask, alternatives=tuple(masks))

    def without(self, patch: Patch | None) -> Answer:
        """This answer, none of whose masks has a voxel in a patch."""
        if patch is None:
            return self
        others = tuple(field.without(patch) for field in self.alternatives)
        return replace(self, mask=self.mask.without(patch), alternatives=others)
