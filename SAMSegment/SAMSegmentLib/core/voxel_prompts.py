"""Masks as prompts: the segment's content, and voxels of other segments."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .patch import Patch


@dataclass(frozen=True, eq=False)
class VoxelPrompts:
    """Masks that belong to the prompts of one object, on the image's own grid.

    Attributes:
        content: what the segment contains; the answer starts from it. None: only from the prompts.
        refine: whether the model searches for the object that `content` means, and may change all
            of it; otherwise only the points change it.
        occupied: voxels of other segments; they cannot belong to the object, and a candidate that
            lies mostly in them is rejected.
    """

    content: Patch | None = None
    refine: bool = False
    occupied: Patch | None = None

    @property
    def masks(self) -> tuple[Patch, ...]:
        """Those that there are."""
        return tuple(each for each in (self.content, self.occupied) if each is not None)

    @cached_property
    def key(self) -> Hashable:
        """Identifies these masks in caches."""
        return (_digest(self.content), self.refine, _digest(self.occupied))


def _digest(patch: Patch | None) -> Hashable:
    if patch is None:
        return None
    voxels = np.packbits(patch.values, axis=None).tobytes()
    return patch.start, patch.values.shape, hashlib.sha256(voxels).hexdigest()
