"""SAMSegment 3D: a small convolutional network with SAM's division of labour, for volumes.

The encoder sees a window once and keeps what it saw at four resolutions. The decoder is a small
U-Net that a click pays for: it gets the prompts as maps, how alike each place is to the places
clicked on, and its own last mask; it answers with three masks and how good it expects each to be.

There are two editions: the second knows how far a place is from an ROI's faces, scribbles and
lines, draws the border with the neighbours in view, and looks at each mask before it judges it.

Half of the resolution is kept in channels, at both ends (2 x 2 x 2 voxels are eight channels), so
that no layer runs on single voxels and the mask still has them. There is no normalisation layer:
training standardises the weights instead, and the weights that ship are plain.

Sources: Kirillov et al., Segment Anything, arXiv:2304.02643 (2023), for the division and the choice
    of three masks; Sofiiuk et al., Reviving Iterative Training with Mask Guidance, arXiv:2102.06583
    (2021), for clicks as maps and the last mask as input; Brock et al., High-Performance Large-
    Scale Image Recognition Without Normalization, arXiv:2102.06171 (2021), for networks without
    normalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .prompt_maps import (
    HEAD,
    PROMPT_MAPS,
    PromptTensors,
    likeness_to_clicks,
    prompt_maps,
    unit_vectors,
)

#: Grey levels as they are, and by rank.
PICTURE_CHANNELS = 2
#: Masks of one answer.
MASKS = 3
#: Edge lengths of a window are multiples of this number of voxels.
MULTIPLE = 16
# Keeps the variance of what a rectifier passes (Brock et al. 2021, 2.1).
GAIN = 1.7139588594436646


@dataclass(frozen=True)
class Features:
    """What the encoder saw, ready for the decoder.

    Attributes:
        levels: four tensors (B, C, D/n, H/n, W/n) for a window of (D, H, W) voxels, n from 2 to 16.
        likeness: two, at 1/2 and 1/4, of unit vectors of HEAD channels.
    """

    levels: tuple[Tensor, Tensor, Tensor, Tensor]
    likeness: tuple[Tensor, Tensor]

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them."""
        return (*self.levels, *self.likeness)

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return sum(tensor.nbytes for tensor in self.tensors())

    def map(self, function: Callable[[Tensor], Tensor]) -> Features:
        """The same with each tensor replaced by what a function makes of it."""
        return Features(
            tuple(function(level) for level in self.levels),
            tuple(function(vectors) for vectors in self.likeness),
        )


class SAMSegment3D(nn.Module):
    """Encoder and decoder; `encode` once for a window, `decode` for each click.

    Args:
        widths: channels of the encoder at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        decoder_widths: the same for the decoder.
        heads: groups of channels in which likeness to clicks is told, at 1/2 and 1/4.
        edition: 1 or 2.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 128, 192),
        decoder_widths: tuple[int, ...] = (16, 32, 64, 96),
        heads: tuple[int, int] = (2, 4),
        edition: int = 1,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(widths)
        self.bridge = Bridge(widths, decoder_widths, heads)
        self.decoder = Decoder(decoder_widths, heads, edition)

    @property
    def knows_ramps(self) -> bool:
        """Whether it learned from ROIs as users draw them, with their ramps (edition 2)."""
        return self.decoder.border is not None

    def encode(self, picture: Tensor) -> Features:
        """What is to be seen in windows of (B, PICTURE_CHANNELS, D, H, W)."""
        return self.bridge(self.encoder(folded(picture)))

    def decode(self, features: Features, prompts: PromptTensors) -> tuple[Tensor, Tensor]:
        """Three masks and their expected quality.

        Returns:
            logits (B, MASKS, 8, D/2, H/2, W/2), for `unfolded`; logits (B, MASKS) of the expected
            Dice.
        """
        return self.decoder(features, prompts)


class Encoder(nn.Module):
    """A residual U-Net without prompts: what is seen at four resolutions, and around it."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = conv3(8 * PICTURE_CHANNELS, widths[0])
        self.down = nn.ModuleList(conv3(a, b, 2) for a, b in pairwise(widths))
        blocks = (1, 1, 2, 2)
        self.seen = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(n)))
            for width, n in zip(widths, blocks, strict=True)
        )
        self.up = nn.ModuleList(conv1(b, a) for a, b in pairwise(widths))
        self.joined = nn.ModuleList([nn.Identity(), Block(widths[1]), Block(widths[2])])

    def forward(self, folded_picture: Tensor) -> list[Tensor]:
        levels = [self.seen[0](self.stem(folded_picture))]
        for down, seen in zip(self.down, self.seen[1:], strict=True):
            levels.append(seen(down(rectified(levels[-1]))))
        for level in (2, 1, 0):
            wider = enlarged(self.up[level](rectified(levels[level + 1])))
            levels[level] = self.joined[level](levels[level] + wider)
        return levels


class Bridge(nn.Module):
    """What the decoder needs of the encoder's features, computed once for all clicks."""

    def __init__(
        self, widths: Sequence[int], decoder_widths: Sequence[int], heads: Sequence[int]
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            conv1(a, b) for a, b in zip(widths, decoder_widths, strict=True)
        )
        self.likeness = nn.ModuleList(
            conv1(width, HEAD * n) for width, n in zip(widths, heads, strict=False)
        )

    def forward(self, levels: list[Tensor]) -> Features:
        levels = [rectified(level) for level in levels]
        return Features(
            tuple(conv(level) for conv, level in zip(self.levels, levels, strict=True)),
            tuple(
                unit_vectors(conv(level))
                for conv, level in zip(self.likeness, levels, strict=False)
            ),
        )


class Decoder(nn.Module):
    """A small U-Net on what was seen and what was asked."""

    def __init__(self, widths: tuple[int, ...], heads: tuple[int, int], edition: int) -> None:
        super().__init__()
        maps = PROMPT_MAPS[edition]
        self._edition = edition
        self.told = nn.ModuleList(
            [conv1(maps + 2 * heads[0], widths[0]), conv3(maps + 2 * heads[1], widths[1])]
        )
        self.first = Block(widths[1], convolutions=1)
        self.down = nn.ModuleList([conv3(widths[1], widths[2], 2), conv3(widths[2], widths[3], 2)])
        self.seen = nn.ModuleList([Block(widths[2]), Block(widths[3])])
        self.up = nn.ModuleList(conv1(b, a) for a, b in pairwise(widths))
        self.joined = nn.ModuleList([Block(widths[0], 1), Block(widths[1], 1), Block(widths[2], 1)])
        self.masks = conv1(widths[0], 8 * MASKS)
        self.quality = nn.Sequential(nn.Linear(2 * widths[3], 64), nn.ReLU(), nn.Linear(64, MASKS))
        self.border = self.judge = None
        if edition > 1:
            self.border = Border(widths[0])
            self.judge = Judge(widths[1], widths[3])

    def forward(self, features: Features, prompts: PromptTensors) -> tuple[Tensor, Tensor]:
        seen2, seen4, seen8, seen16 = features.levels
        maps = prompt_maps(prompts, self._edition)
        alike2, alike4 = (
            likeness_to_clicks(vectors, prompts, size)
            for vectors, size in zip(features.likeness, (2, 4), strict=True)
        )
        told4 = self.told[1](torch.cat([F.avg_pool3d(maps, 2), alike4], 1).to(seen4.dtype))
        x4 = self.first(added(told4, seen4))
        x8 = self.seen[0](added(self.down[0](rectified(x4)), seen8))
        x16 = self.seen[1](added(self.down[1](rectified(x8)), seen16))
        y8 = self.joined[2](added(enlarged(self.up[2](rectified(x16))), x8))
        y4 = self.joined[1](added(enlarged(self.up[1](rectified(y8, last=True))), x4))
        y4 = rectified(y4, last=True)
        told2 = self.told[0](torch.cat([maps, alike2], 1).to(seen2.dtype))
        y2 = added(enlarged(self.up[0](y4)), told2)
        y2 = added(y2, seen2)
        y2 = rectified(self.joined[0](y2), last=True)
        masks = self.masks(y2)
        if self.border is not None:
            masks = added(masks, self.border(y2))
        masks = masks.float().unflatten(1, (MASKS, 8))
        whole = torch.cat([x16.mean((2, 3, 4)), x16.amax((2, 3, 4))], 1)
        quality = self.quality(whole).float()
        if self.judge is not None:
            quality = quality + self.judge(masks.detach(), y4, whole)
        return masks, quality


class Border(nn.Module):
    """What neighbouring voxels change about the masks: no teeth of two voxels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv3(width, width)
        self.last = conv3(width, 8 * MASKS)

    def forward(self, rectified_y2: Tensor) -> Tensor:
        return self.last(rectified(self.first(rectified_y2), last=True))


class Judge(nn.Module):
    """What is to be seen inside each mask and at its border says how good it is."""

    def __init__(self, width4: int, width16: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3 * width4 + 2 * width16 + 1, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, masks: Tensor, y4: Tensor, whole: Tensor) -> Tensor:
        """Logits (B, MASKS), to be added, of masks (B, MASKS, 8, D/2, H/2, W/2)."""
        inside = F.avg_pool3d(torch.sigmoid(masks).mean(2), 2)
        near = (3 * F.avg_pool3d(inside, 3, 1, 1)).clamp(max=1)
        edge, around = 4 * inside * (1 - inside), near * (1 - inside)
        features = y4.flatten(2).float()
        seen = [
            torch.bmm(part.flatten(2), features.transpose(1, 2))
            / (part.flatten(2).sum(2, keepdim=True) + 1)
            for part in (inside, edge, around)
        ]
        size = torch.log(inside.mean((2, 3, 4)) + 1e-5)[..., None] / 4
        whole = whole.float()[:, None].expand(-1, masks.shape[1], -1)
        given = torch.cat([*seen, size, whole], 2)
        return self.layers(given.to(self.layers[0].weight.dtype))[..., 0].float()


class Block(nn.Module):
    """A residual block: rectify and convolve, once or twice, and add."""

    def __init__(self, width: int, convolutions: int = 2) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv3(width, width) for _ in range(convolutions))
        self.share = nn.Parameter(torch.tensor(0.2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs[0](rectified(x))
        for conv in self.convs[1:]:
            y = conv(rectified(y, last=True))
        return torch.addcmul(x, self.share.to(x.dtype), y)


class Conv3(nn.Conv3d):
    """A convolution over 3 x 3 x 3 that takes oneDNN's path on a CPU.

    For a single window at low resolution PyTorch takes another, which is several times slower: it
    looks at C * D * H, not at the whole size.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not _has_onednn(x) or self.weight.dtype != x.dtype:
            return super().forward(x)
        return torch.mkldnn_convolution(
            x, self.weight, self.bias, self.padding, self.stride, self.dilation, 1
        )


class Conv1(nn.Linear):
    """A convolution over single voxels: a matrix product, where channels lie last in memory."""

    def forward(self, x: Tensor) -> Tensor:
        voxels = x.movedim(1, -1)
        return super().forward(voxels.flatten(0, 3)).unflatten(0, voxels.shape[:4]).movedim(-1, 1)


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv3d:
    """A convolution over 3 x 3 x 3."""
    return Conv3(inputs, outputs, stride)


def conv1(inputs: int, outputs: int) -> nn.Linear:
    """A convolution over single voxels."""
    return Conv1(inputs, outputs)


def _has_onednn(x: Tensor) -> bool:
    onednn = torch.backends.mkldnn
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and onednn.is_available()
        and onednn.enabled
        and not torch.is_autocast_enabled("cpu")
    )


def rectified(x: Tensor, last: bool = False) -> Tensor:
    """What is positive of it; the gain that this asks for is in the weights.

    Args:
        last: whether nothing else needs x, so that its memory may be used.
    """
    return F.relu(x, inplace=last and not torch.is_grad_enabled())


def added(fresh: Tensor, other: Tensor) -> Tensor:
    """The sum; if nothing is learned, in the memory of the first, which nothing else needs."""
    return fresh + other if torch.is_grad_enabled() else fresh.add_(other)


def enlarged(x: Tensor) -> Tensor:
    """Twice the resolution, each voxel eight times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def folded(picture: Tensor) -> Tensor:
    """(B, C, D, H, W) as (B, 8 C, D/2, H/2, W/2): 2 x 2 x 2 voxels become channels."""
    b, c, d, h, w = picture.shape
    parts = picture.reshape(b, c, d // 2, 2, h // 2, 2, w // 2, 2)
    parts = parts.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(b, 8 * c, d // 2, h // 2, w // 2)
    return parts.contiguous(memory_format=torch.channels_last_3d)


def unfolded(mask: Tensor) -> Tensor:
    """(..., 8, D/2, H/2, W/2) as (..., D, H, W): the inverse of `folded` for one channel."""
    *first, _, d, h, w = mask.shape
    parts = mask.reshape(-1, 2, 2, 2, d, h, w).permute(0, 4, 1, 5, 2, 6, 3)
    return parts.reshape(*first, 2 * d, 2 * h, 2 * w)
