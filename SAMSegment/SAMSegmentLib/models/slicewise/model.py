"""What a 2D network has to offer to be carried through a volume slice by slice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

#: x0, y0, x1, y1 in pixels of a picture, or of a part of one.
Box = tuple[int, int, int, int]
#: First row, first column and side, in pixels, of a square part of a picture.
Part = tuple[int, int, int]

BOXES, POINTS, MASKS = "boxes", "points", "masks"
# The decoder gets a square that is so many times as large as the box, and at least this share of
# the picture's side.
PART_PER_BOX, SMALLEST_PART = 2, 3 / 8


@dataclass(frozen=True, eq=False)
class SlicePrompts:
    """Prompts for N masks on one picture, in its pixels: for each mask a box or a point.

    Attributes:
        boxes: (N, 4) float32 as x0, y0, x1, y1; None: none.
        points: (N, 2) float32 as x, y, each on the object; None: none.
        masks: (N, height, width) float32, logits of an earlier mask of the part of the picture that
            is asked about, at the resolution of the network's own masks; None: none.
    """

    boxes: np.ndarray | None = None
    points: np.ndarray | None = None
    masks: np.ndarray | None = None

    def moved(self, row: int, column: int) -> SlicePrompts:
        """The same prompts in pixels of a picture of which these are in a part."""
        boxes = None if self.boxes is None else self.boxes + np.float32([column, row, column, row])
        points = None if self.points is None else self.points + np.float32([column, row])
        return SlicePrompts(boxes, points, self.masks)


class SliceModel(Protocol):
    """A 2D promptable network; see SlicewiseEngine for what is made of it.

    Attributes:
        title: its name in texts for the user.
        size: side of its square picture, in pixels.
        stride: pixels per cell of its embedding; parts of a picture are multiples of it. Half the
            size is one, too.
        mask_stride: pixels of the picture per pixel of the masks that it gives.
        channels: of its picture.
        prompts: BOXES, and POINTS and MASKS if it was trained with them.
    """

    title: str
    size: int
    stride: int
    mask_stride: int
    channels: int
    prompts: frozenset[str]

    def normalise(self, grey: np.ndarray, lowest: float, highest: float) -> np.ndarray:
        """Grey levels as the network was trained to get them, float32 (channels, rows, columns).

        What lies beside the slice stays 0 afterwards.

        Args:
            grey: float32 (rows, columns), 0 to 255.
            lowest, highest: the range of grey levels, for networks that stretch it.
        """

    def encode(self, picture: np.ndarray, check: Callable[[], None]) -> Any:
        """The embedding of a picture, float32 (channels, size, size); has `nbytes`.

        Args:
            check: called now and then; what it raises ends the work.
        """

    def decode(
        self, embedding: Any, prompts: SlicePrompts, part: Part, check: Callable[[], None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The masks of a part of a picture, the likeliest first where a prompt has several.

        Args:
            prompts: in pixels of the whole picture.
            part: what the prompts are about; the decoder needs nothing else.
            check: as for `encode`.

        Returns:
            Logits (N, M, side / mask_stride, side / mask_stride), float32, above 0 on the object,
            and the network's own estimate of their IoU, (N, M).
        """


def stretched(grey: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """Grey levels (rows, columns) from 0 to 1, as one channel; see SliceModel.normalise."""
    return ((grey - np.float32(lowest)) / np.float32(max(highest - lowest, 1.0)))[None]


def part_around(box: Box, size: int, stride: int) -> Part:
    """A square around a box on a picture, in multiples of the stride."""
    width, height = box[2] - box[0], box[3] - box[1]
    side = max(PART_PER_BOX * max(width, height), int(SMALLEST_PART * size))
    side = min(-(-side // stride) * stride, size)
    column, row = (
        min(max(int((low + high - side) / 2), 0), size - side) // stride * stride
        for low, high in ((box[0], box[2]), (box[1], box[3]))
    )
    return row, column, side
