"""Attention windows over a grid, grouped by shape, with their padding collapsed to one token.

TinyViT cuts its token grid into square windows and pads the grid with zeros to fit. After the
layer normalisation every padded token holds the same vector, hence the same key and value; only
the attention bias tells them apart. For a query q the padded positions P contribute
sum_{p in P} exp(q.k + bias[q, p]) = exp(q.k + logsumexp_{p in P} bias[q, p]) to the softmax, so one
token with that bias stands for all of them exactly, and the bias is known before the first image.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F


@dataclass(frozen=True)
class WindowGroup:
    """Equal windows side by side.

    Attributes:
        column: first grid column.
        count: number of windows.
        rows, columns: size of the part of each window that lies inside the grid.
        offset: index of the group's first token in its band.
        padded: whether one more token follows the real ones, standing for the padding.
    """

    column: int
    count: int
    rows: int
    columns: int
    offset: int
    padded: bool

    @property
    def tokens(self) -> int:
        """Tokens of one window."""
        return self.rows * self.columns + self.padded

    @property
    def stop(self) -> int:
        """Index behind the group's last token in its band."""
        return self.offset + self.count * self.tokens

    def in_grid(self, grid: torch.Tensor, row: int) -> torch.Tensor:
        """View of a grid (H, W, C) as (count, rows, columns, C); the band starts at `row`."""
        width = self.count * self.columns
        part = grid[row : row + self.rows, self.column : self.column + width]
        return part.unflatten(1, (self.count, self.columns)).transpose(0, 1)

    def in_band(self, band: torch.Tensor) -> torch.Tensor:
        """View of a band's real tokens (T, C) as (count, rows, columns, C)."""
        windows = band[self.offset : self.stop].unflatten(0, (self.count, self.tokens))
        return windows[:, : self.rows * self.columns].unflatten(1, (self.rows, self.columns))

    def collapse_bias(self, bias: torch.Tensor) -> torch.Tensor:
        """Reduce the bias of a whole window (heads, window^2, window^2) to this group's tokens.

        Returns (1, heads, tokens, tokens). The row of the padding token is zero: nobody reads
        what it attends to.
        """
        window = round(bias.shape[1] ** 0.5)
        inside = torch.zeros(window, window, dtype=torch.bool)
        inside[: self.rows, : self.columns] = True
        inside = inside.flatten()
        real = bias[:, inside]
        if not self.padded:
            return real[None, :, :, inside].contiguous()
        columns = [real[:, :, inside], real[:, :, ~inside].logsumexp(-1, keepdim=True)]
        collapsed = torch.cat(columns, dim=-1)
        return F.pad(collapsed, (0, 0, 0, 1))[None]


@dataclass(frozen=True)
class Band:
    """One row of windows: the full ones, then the one that the right border cuts."""

    row: int
    groups: tuple[WindowGroup, ...]

    @property
    def tokens(self) -> int:
        return self.groups[-1].stop


def cut_into_bands(size: int, window: int) -> list[Band]:
    """Cut a size x size grid into bands of window rows."""
    return [
        Band(row, _groups(size, window, min(window, size - row))) for row in range(0, size, window)
    ]


def _groups(size: int, window: int, rows: int) -> tuple[WindowGroup, ...]:
    count, rest = divmod(size, window)
    groups = []
    if count:
        groups.append(WindowGroup(0, count, rows, window, 0, padded=rows < window))
    if rest:
        offset = groups[-1].stop if groups else 0
        groups.append(WindowGroup(count * window, 1, rows, rest, offset, padded=True))
    return tuple(groups)
