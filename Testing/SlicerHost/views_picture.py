"""Pictures of several views, laid out and framed as in Slicer's main window."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Slicer's layout "Four-Up".
FOUR_UP = (("Red", "1"), ("Green", "Yellow"))
BAR_HEIGHT = 22
SPACING = 1
BEHIND = (239, 239, 239)
# Brightness of a bar from top to bottom: part of its height, value where the colour has 240.
GLOSS = ((0, 358), (0.15, 224), (0.24, 213), (0.65, 255), (0.71, 246), (0.85, 253), (1, 191))


def four_up(views, path) -> Path:
    """Writes a PNG of the four views Red, 3D ("1"), Green and Yellow, with their bars.

    Args:
        views: the four views, in any order.

    Raises:
        ValueError: one is missing, or the sizes of views side by side differ.
    """
    by_name = {view.node.GetLayoutName(): view for view in views}
    missing = {name for row in FOUR_UP for name in row} - set(by_name)
    if missing:
        raise ValueError(f"The layout lacks the views {sorted(missing)}.")
    rows = [np_row([framed(by_name[name]) for name in row]) for row in FOUR_UP]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_joined(rows, axis=0)).save(path)
    return path


def np_row(pictures) -> np.ndarray:
    """Pictures of one height beside each other."""
    return _joined(pictures, axis=1)


def framed(view) -> np.ndarray:
    """A view's pixels below its coloured bar: uint8 RGB."""
    width, _ = view.size
    bar = Image.fromarray(_bar(view.node.GetLayoutColor(), width))
    draw = ImageDraw.Draw(bar)
    font = ImageFont.load_default(size=13)
    middle = BAR_HEIGHT / 2
    draw.text((8, middle), view.node.GetLayoutLabel(), "black", font=font, anchor="lm")
    if hasattr(view, "slice_logic"):
        text = f"{_direction(view.axes()[:, 2])}: {view.slice_logic.GetSliceOffset():.4f}mm"
        draw.text((width - 8, middle), text, "black", font=font, anchor="rm")
    return np.concatenate([np.asarray(bar), view.pixels()])


def _bar(color, width: int) -> np.ndarray:
    hue, saturation, value = colorsys.rgb_to_hsv(*color)
    places, levels = zip(*GLOSS, strict=True)
    down = np.interp((np.arange(BAR_HEIGHT) + 0.5) / BAR_HEIGHT, places, levels)
    values = np.minimum(1, down * value / 240)
    rows = [colorsys.hsv_to_rgb(hue, saturation, value) for value in values]
    rows = np.round(255 * np.array(rows)).astype(np.uint8)
    return np.repeat(rows[:, None], width, axis=1)


def _direction(normal) -> str:
    """The letter of the side to which a normal points most."""
    axis = int(np.argmax(np.abs(normal)))
    return ("RAS" if normal[axis] > 0 else "LPI")[axis]


def _joined(pictures, axis: int) -> np.ndarray:
    across = 1 - axis
    if len({picture.shape[across] for picture in pictures}) > 1:
        raise ValueError("Views beside each other must have the same size.")
    shape = list(pictures[0].shape)
    shape[axis] = SPACING
    gap = np.full(shape, BEHIND, np.uint8)
    return np.concatenate([pictures[0], gap, pictures[1]], axis=axis)
