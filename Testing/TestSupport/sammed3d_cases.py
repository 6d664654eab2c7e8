"""The prompts for which the authors' answers are recorded; see record_sammed3d.py."""

from __future__ import annotations

import torch

WEIGHTS_SEED, PICTURE_SEED = 1, 2


def _points(*points: tuple[float, float, float, int]):
    positions = torch.tensor([[point[:3] for point in points]], dtype=torch.float32)
    return positions, torch.tensor([[point[3] for point in points]])


_BOX = torch.tensor([[20.0, 31.0, 12.0, 90.0, 77.0, 101.0]])

#: By name: points and box.
CASES = {
    "one positive point": (_points((64, 30, 101, 1)), None),
    "one negative point": (_points((3, 99, 57, 0)), None),
    "three points": (_points((64, 30, 101, 1), (10, 20, 30, 0), (127, 0, 64, 1)), None),
    "no point": (None, None),
    "a box": (None, _BOX),
    "a point and a box": (_points((55, 54, 56, 1)), _BOX),
}
#: Previous masks by name.
MASKS = {
    "no mask": torch.zeros(1, 1, 32, 32, 32),
    "a mask": 5 * torch.randn(1, 1, 32, 32, 32, generator=torch.Generator().manual_seed(3)),
}
