"""An engine without a network, for tests of all that lies around one: it finds what is bright.

It answers within milliseconds, in the worker process as any engine, and to all kinds of prompts. An
image's modality can make it slow or let it fail.
"""

from __future__ import annotations

import ctypes
import time

import numpy as np
from scipy import ndimage

from SAMSegmentLib.core.answer import UNCHANGED, Answer
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.base import Capabilities, Engine

from .phantoms import voxel_positions

#: Brighter than this is the object.
BRIGHT = 120.0
#: Grey levels per logit at its border, so that the threshold makes a difference.
SOFTNESS = 8.0
#: mm around a point that it decides.
POINT_MM = 5.0
#: Modalities that make it misbehave.
SLOW, DEAF, CRASHING, WITHOUT_MEMORY, FAILING = "SLOW", "DEAF", "CRASH", "MEMORY", "FAIL"
FOREVER_S = 60.0
#: The modality in which it says of each click that it changes nothing.
STUBBORN = "STUBBORN"


class WithoutNetwork(Engine):
    """What engines have in common that compute nothing on the device."""

    capabilities = Capabilities(
        prompts=frozenset({"roi", "points", "line"}), candidates=True, single_slices=True
    )

    @staticmethod
    def self_check(device, dtype):
        """See Engine.self_check; every device passes."""
        import torch

        return (torch.ones(2),)

    def __init__(self, weights, device, cache) -> None:
        self.forget_answers()

    def forget_answers(self) -> None:
        """See Engine.forget_answers; nothing is kept."""

    def prepare(self, image, ras, watch) -> None:
        """See Engine.prepare."""
        watch.check()


class QuickEngine(WithoutNetwork):
    """Takes what is bright and connected to a positive point, or in the ROI."""

    def predict(self, image, prompts, watch, intensity_range=None, voxels=None) -> Answer:
        """See Engine.predict."""
        watch.step(0, 2, "Looking")
        _misbehave(image.modality, watch)
        logits = (image.voxels.astype(np.float32) - BRIGHT) / SOFTNESS
        if voxels is not None and voxels.content is not None and not voxels.refine:
            held = voxels.content.on_box((0, 0, 0), image.voxels.shape)
            logits = np.where(held, np.float32(30), np.float32(-30))
        else:
            logits[~_near(prompts, image, logits > 0, voxels)] = BACKGROUND_LOGIT
        for point in prompts.points:
            decided = _ball(image, point.ras)
            logits[decided] = 30 if point.positive else -30
        if voxels is not None and voxels.occupied is not None:
            logits[voxels.occupied.on_box((0, 0, 0), logits.shape)] = BACKGROUND_LOGIT
        watch.step(1, 2, "Done")
        candidates = [Patch(each, (0, 0, 0)) for each in (logits, logits - 12)]
        best = candidates.pop(prompts.candidate % 2)
        warnings = (UNCHANGED,) if image.modality == STUBBORN and prompts.points else ()
        return Answer.of(best, image.geometry, *candidates, warnings=warnings)


def _near(prompts, image, bright: np.ndarray, voxels) -> np.ndarray:
    """Where the object may be: in the ROI, or in a bright piece at a positive point."""
    if voxels is not None and voxels.content is not None:
        return ndimage.binary_dilation(voxels.content.on_box((0, 0, 0), bright.shape), iterations=6)
    if prompts.roi is not None:
        return prompts.roi.contains_voxels(image.geometry)
    if prompts.line is not None:
        return Roi.from_box(prompts.line.middle, [1.2 * prompts.line.length] * 3).contains_voxels(
            image.geometry
        )
    pieces, _ = ndimage.label(ndimage.binary_dilation(bright))
    near = np.zeros_like(bright)
    for point in prompts.points:
        if point.positive:
            k, j, i = np.rint(image.geometry.to_ijk(np.array(point.ras))[::-1]).astype(int)
            if pieces[k, j, i]:
                near |= pieces == pieces[k, j, i]
    return near


def _ball(image, ras) -> np.ndarray:
    return np.linalg.norm(voxel_positions(image.geometry) - ras, axis=-1) <= POINT_MM


def _misbehave(modality, watch) -> None:
    if modality == SLOW:
        for number in range(int(FOREVER_S / 0.01)):
            time.sleep(0.01)
            watch.step(number, int(FOREVER_S / 0.01), f"Slice {number}")
    elif modality == DEAF:
        time.sleep(FOREVER_S)
    elif modality == CRASHING:
        ctypes.string_at(0)
    elif modality == WITHOUT_MEMORY:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")
    elif modality == FAILING:
        raise ZeroDivisionError("something unexpected")
