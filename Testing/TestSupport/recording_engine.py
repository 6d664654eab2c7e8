"""An engine without a network, for child processes; an image's modality says how it behaves."""

from __future__ import annotations

import ctypes
import json
import os
import time

import numpy as np

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.patch import Patch

from .quick_engine import WithoutNetwork

STEP_S = 0.01
FOREVER_S = 60.0


class RecordingEngine(WithoutNetwork):
    """Finds all that is brighter than 120; tells in a warning what it was given."""

    def forget_answers(self):
        self._images = []
        self._prepared = []
        self._given_up = 0
        self._asked = 0

    def predict(self, image, prompts, watch, intensity_range=None, voxels=None):
        watch.step(0, 1, "Looking")
        self._asked += 1
        if image.key not in self._images:
            self._images.append(image.key)
        behave = getattr(self, "_" + (image.modality or "normal").replace(" ", "_"), None)
        if behave is not None:
            behave(image, watch)
        told = {
            "pid": os.getpid(),
            "asked": self._asked,
            "images": len(self._images),
            "prepared": self._prepared,
            "given_up": self._given_up,
            "intensity_range": intensity_range,
            "dtype": image.voxels.dtype.str,
            "sum": int(image.voxels.sum(dtype=np.int64)),
        }
        if voxels is not None:
            told["content"] = _told(voxels.content)
            told["occupied"] = _told(voxels.occupied)
            told["refine"] = voxels.refine
        return bright(image, 120, (json.dumps(told),))

    def prepare(self, image, ras, watch):
        try:
            for _ in range(20 if image.modality == "slow to prepare" else 1):
                time.sleep(STEP_S)
                watch.check()
        except BaseException:
            self._given_up += 1
            raise
        self._prepared.append(list(ras))

    def _slow(self, image, watch):
        for number in range(int(FOREVER_S / STEP_S)):
            time.sleep(STEP_S)
            watch.step(number, int(FOREVER_S / STEP_S), f"Slice {number}")

    def _deaf(self, image, watch):
        time.sleep(FOREVER_S)

    def _crashing(self, image, watch):
        ctypes.string_at(0)

    def _without_memory(self, image, watch):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")

    def _failing(self, image, watch):
        raise ZeroDivisionError("one line\nand another")

    def _previewing(self, image, watch):
        for number in range(60):
            time.sleep(STEP_S)
            watch.step(number, 60, f"Slice {number}")
            watch.show(lambda: bright(image, 150))


def bright(image, level, warnings=()):
    """A prediction of all voxels above a grey level, and of those far above as an alternative."""
    best, other = (_above(image, grey) for grey in (level, level + 60))
    return Answer.of(best, image.geometry, other, warnings=warnings)


def _above(image, level):
    first = (1, 2, 3)
    box = tuple(slice(n, None) for n in first)
    return Patch(np.where(image.voxels > level, np.float32(5), np.float32(-5))[box], first)


def _told(patch):
    return (
        None
        if patch is None
        else [list(patch.start), patch.cut, np.argwhere(patch.values).tolist()]
    )
