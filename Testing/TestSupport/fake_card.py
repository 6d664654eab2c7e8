"""A graphics card that is not there, and engines that compute on the CPU, but fail "on" the card.

`PYTHON` starts a child process that finds the card, too. Of PyTorch, only the functions that tell
of cards are replaced.
"""

from __future__ import annotations

import runpy
import sys
from types import SimpleNamespace

import torch

from TestSupport.quick_engine import QuickEngine

TITLE = "Pretended card"
GIB = 2**30
#: The command that runs Python with the card, for a WorkerClient.
PYTHON = (sys.executable, "-m", "TestSupport.fake_card")


def plug_in(replace, titles=(TITLE,), free_bytes=lambda number: GIB) -> None:
    """Lets PyTorch believe in CUDA cards.

    Args:
        replace: sets an attribute: `setattr`, or pytest's monkeypatch.setattr.
    """

    def properties(device):
        number = device if isinstance(device, int) else device.index or 0
        return SimpleNamespace(name=titles[number], total_memory=(number + 1) * GIB)

    replace(torch.cuda, "is_available", lambda: True)
    replace(torch.cuda, "device_count", lambda: len(titles))
    replace(torch.cuda, "get_device_properties", properties)
    replace(torch.cuda, "get_device_capability", lambda device=None: (8, 0))
    replace(torch.cuda, "mem_get_info", lambda device: (free_bytes(device.index), GIB))


class OnCard(QuickEngine):
    """On a card it raises `error`, if there is one."""

    error: Exception | None = None

    def __init__(self, weights, device, cache) -> None:
        super().__init__(weights, device, cache)
        self._is_on_card = device.type != "cpu"

    def predict(self, image, prompts, watch, intensity_range=None, voxels=None):
        watch.step(0, 1, "Looking")
        if self._is_on_card and self.error is not None:
            raise self.error
        return super().predict(image, prompts, watch, intensity_range, voxels)


class TooLarge(OnCard):
    error = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


class TooLargeToLoad(QuickEngine):
    def __init__(self, weights, device, cache) -> None:
        if device.type != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        super().__init__(weights, device, cache)


class Lost(OnCard):
    error = RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be ...")


if __name__ == "__main__":
    plug_in(setattr)
    runpy.run_path(sys.argv[1], run_name="__main__")
