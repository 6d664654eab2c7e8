"""Prompts that are voxels: what the segment holds already, and what belongs to others."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .patch import Patch


@dataclass(frozen=True, eq=False)
class VoxelPrompts:
    """Masks that go with the prompts of one object, on the image's own grid.

    Attributes:
        content: what the segment holds: the answer starts from it. None: from the prompts alone.
        refine: the model looks for the object that `content` means, and may change all of it;
            else only the points change it.
        occupied: voxels of other segments: they cannot belong to the object, and what lies mostly
            in them is not the object.
    """

    content: Patch | None = None
    refine: bool = False
    occupied: Patch | None = None

    @cached_property
    def key(self) -> Hashable:
        """Names these masks in caches."""
        return (_digest(self.content), self.refine, _digest(self.occupied))


def _digest(patch: Patch | None) -> Hashable:
    if patch is None:
        return None
    voxels = np.packbits(patch.mask, axis=None).tobytes()
    return patch.start, patch.mask.shape, hashlib.sha256(voxels).hexdigest()
