"""What the networks ask of a device, operator by operator, on small tensors.

Number and order of the axes, and the layout in memory, are as in the networks: what fails on some
devices is not an operator as such, but on many axes, on a strided view, or into one. A network
that can be made small is tried as a whole. A test holds the list against what the networks of all
engines call.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ...models.samsegment3d.network import PICTURE_CHANNELS, PromptTensors, SAMSegment3D, unfolded

_SEED = 7
# Its exponential is no float32.
_BEYOND_EXP = 200.0


class Numbers:
    """Makes the same numbers for every device.

    Args:
        dtype: in which a large transformer computes there.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self._dtype = dtype
        self._generator = torch.Generator().manual_seed(_SEED)

    def __call__(self, *shape: int) -> torch.Tensor:
        """Normally distributed float32 numbers."""
        return torch.randn(shape, generator=self._generator).to(self.device)

    def inner(self, *shape: int) -> torch.Tensor:
        """The same as they are inside of a large transformer: often in 16 bits."""
        return self(*shape).to(self._dtype)

    @property
    def dtype(self) -> torch.dtype:
        """In which a large transformer computes there."""
        return self._dtype

    def of(self, values: list) -> torch.Tensor:
        """These numbers."""
        return torch.tensor(values).to(self.device)


@dataclass(frozen=True)
class Case:
    """Something that networks do.

    Attributes:
        name: PyTorch's name of the operator, for messages.
        run: does it, and returns all that comes out as one tensor of floats.
    """

    name: str
    run: Callable[[Numbers], torch.Tensor]


def _together(*results: torch.Tensor) -> torch.Tensor:
    return torch.cat([result.float().reshape(-1) for result in results])


def _conv2d(make: Numbers) -> torch.Tensor:
    plain = F.conv2d(make(1, 3, 16, 16), make(8, 3, 3, 3), make(8), stride=2, padding=1)
    each = F.conv2d(plain, make(8, 1, 3, 3), make(8), padding=1, groups=8)
    channels_last = make(1, 16, 16, 8).permute(0, 3, 1, 2)
    wide = F.conv2d(channels_last, make(8, 8, 3, 3), None, padding=1)
    return _together(plain, each, wide, F.conv2d(wide, make(4, 8, 2, 2), make(4), stride=2))


def _conv3d(make: Numbers) -> torch.Tensor:
    small = F.conv3d(make(1, 1, 8, 8, 8), make(4, 1, 2, 2, 2), make(4), stride=2)
    tokens = make(1, 64, 4).transpose(1, 2).unflatten(2, (4, 4, 4))
    mixed = F.conv3d(tokens, make(6, 4, 1, 1, 1))
    return _together(small, mixed, F.conv3d(mixed, make(6, 6, 3, 3, 3), padding=1))


def _linear(make: Numbers) -> torch.Tensor:
    weight, bias = make(24, 16), make(24)
    strided = make(2, 16, 7).transpose(1, 2)
    return _together(
        F.linear(make(1, 16), weight, bias),
        F.linear(make(2, 9, 16), weight, bias),
        F.linear(strided, weight),
        F.linear(make.inner(9, 16), weight.to(make.inner(1).dtype), None),
    )


def _matmul(make: Numbers) -> torch.Tensor:
    heads = make(3, 7, 8, 16).transpose(1, 2) @ make(16, 8, 12).transpose(0, 1)
    keys = make(2, 6, 16) @ make(1, 20, 16).transpose(1, 2)
    return _together(heads, keys, make(5, 2) @ make(2, 12), make(9, 16) @ make(24, 16).t())


def _baddbmm(make: Numbers) -> torch.Tensor:
    attention = make(2, 6, 20).transpose(1, 2)
    return torch.baddbmm(make(1, 20, 16).expand(2, -1, -1), attention, make(2, 6, 16))


def _einsum(make: Numbers) -> torch.Tensor:
    cube = make.inner(1, 3, 64, 8).unflatten(2, (4, 4, 4))
    d, h, w = (make.inner(4, 7, 8) for _ in range(3))
    rows = make.inner(3, 1, 8)[:, 0]
    return _together(
        torch.einsum("xnabcw,asw->xnabcs", cube, d),
        torch.einsum("xnabpw,bsw->xnabps", cube, h),
        torch.einsum("xnabrw,rsw->xnabrs", cube, w),
        torch.einsum("nw,bsw->nbs", rows, h[:3]),
        torch.einsum("nw,rsw->nrs", rows, w[3:]),
    )


def _attention(make: Numbers) -> torch.Tensor:
    q, k, v = make(2, 9, 3 * 4 * 16).view(2, 9, 3, 4, 16).permute(2, 0, 3, 1, 4).unbind(0)
    return F.scaled_dot_product_attention(q, k, v)


def _attention_with_mask(make: Numbers) -> torch.Tensor:
    q, k, v = make.inner(2, 27, 3, 4, 16).permute(2, 0, 3, 1, 4)
    one = make.inner(4, 1, 16).expand(2, -1, -1, -1)
    more_k, more_v = torch.cat([k, one], dim=2), torch.cat([v, one], dim=2)
    return _together(
        F.scaled_dot_product_attention(q, k, v, attn_mask=make.inner(2, 4, 27, 27)),
        # One key more than queries: no even number of bytes.
        F.scaled_dot_product_attention(q, more_k, more_v, attn_mask=make.inner(2, 4, 27, 28)),
        # The same for all.
        F.scaled_dot_product_attention(q, k, v, attn_mask=make.inner(4, 27, 27).unsqueeze(0)),
    )


def _layer_norm(make: Numbers) -> torch.Tensor:
    weight, bias = make(16), make(16)
    pixels = make(2, 16, 4, 5).movedim(1, -1)
    voxels = make(1, 16, 3, 4, 5).movedim(1, -1)
    return _together(
        F.layer_norm(make(2, 9, 16), (16,), weight, bias),
        F.layer_norm(pixels, (16,), weight, bias, 1e-6).movedim(-1, 1),
        F.layer_norm(voxels, (16,), weight, bias, 1e-6).movedim(-1, 1),
    )


def _softmax(make: Numbers) -> torch.Tensor:
    scores = make(2, 24, 20)
    return _together(scores.unflatten(1, (4, 6)).softmax(2), (scores + _BEYOND_EXP).softmax(-1))


def _logsumexp(make: Numbers) -> torch.Tensor:
    terms = make.inner(1, 3, 4, 4, 4, 7)
    large = make(1, 3, 4, 4, 4, 7) + _BEYOND_EXP
    return _together(
        terms[..., :4].logsumexp(4),
        large.logsumexp(-1) - _BEYOND_EXP,
        make(3, 6, 7).logsumexp(1),
    )


def _logaddexp(make: Numbers) -> torch.Tensor:
    terms = make(1, 3, 4, 4, 7) + _BEYOND_EXP
    pads = (make(3, 4, 1, 7) + _BEYOND_EXP).expand(1, 3, -1, -1, -1).transpose(1, 2)
    return torch.logaddexp(terms, pads.transpose(1, 2)) - _BEYOND_EXP


def _gelu(make: Numbers) -> torch.Tensor:
    return _together(F.gelu(3 * make.inner(2, 9, 16)), F.gelu(make(2, 4, 5, 6).movedim(-1, 1)))


def _relu(make: Numbers) -> torch.Tensor:
    return F.relu(make(3, 40))


def _waves(make: Numbers) -> torch.Tensor:
    phase = 2 * math.pi * (2 * make(2, 5, 8) - 1)
    return torch.cat([phase.sin(), phase.cos()], dim=-1)


def _arithmetic(make: Numbers) -> torch.Tensor:
    values = (make(1, 20, 8) + make(20, 8) - make(8)) * make(1, 20, 1) / 256
    return _together(values + 0.5, (values.to(torch.float32) - 1) * 0.25)


def _add_into_view(make: Numbers) -> torch.Tensor:
    """As the scores of relative positions: eight axes, and a row that is filled by itself."""
    d, h, w = (make.inner(1, 2, 3, 3, 3, 4)[..., :3] for _ in range(3))
    pads = make.inner(1, 2, 27)
    scores = pads.new_empty(1, 2, 27, 28)
    scores[..., -1] = pads
    out = scores[..., :-1].unflatten(3, (3, 3, 3)).unflatten(2, (3, 3, 3))
    planes = h[..., :, None, :] + w[..., None, :, :]
    torch.add(d[..., None, None, :], planes[:, :, :, :, None], out=out)
    plain = torch.add(d[..., None, None, :], planes[:, :, :, :, None])
    return _together(scores, plain.flatten(5).flatten(2, 4))


def _grid(make: Numbers) -> torch.Tensor:
    centres = (torch.arange(4, device=make.device, dtype=torch.float32) + 0.5) / 4
    flat = torch.stack(torch.meshgrid(centres, centres, indexing="ij"), dim=-1)
    first, second, third = torch.meshgrid(centres, centres, centres, indexing="ij")
    return _together(flat.flatten(0, 1), torch.stack([second, first, third], dim=-1))


def _indexing(make: Numbers) -> torch.Tensor:
    places = torch.arange(4, device=make.device)
    relative = make(7, 8)[places[:, None] - places + 3]
    numbers = make.of([[0, 3, 1], [2, 2, 4], [4, 0, 3]])
    return _together(relative, make(3, 5)[:, numbers].unsqueeze(0), make(1, 7, 8)[:, 1])


def _cat(make: Numbers) -> torch.Tensor:
    tokens = make(5, 8).expand(2, -1, -1)
    none = make(2, 5, 8).new_empty(2, 0, 8)
    longer = torch.cat([tokens, none, make(2, 3, 8)], dim=1)
    return _together(longer, torch.stack([longer[:, 0], longer[:, 2]], dim=1))


def _split(make: Numbers) -> torch.Tensor:
    first, second, rest = make(2, 20, 4).split(8, dim=1)
    return _together(rest, second, first, make(6).repeat(4))


def _pad(make: Numbers) -> torch.Tensor:
    return F.pad(make(1, 16, 8, 8).permute(0, 2, 3, 1), (0, 0, 0, 6, 0, 6))


def _where(make: Numbers) -> torch.Tensor:
    """As labels of points choose what is added to their positions."""
    labels, places = make.of([[1, 0], [0, 1]]), make(2, 2, 3)
    labels = torch.cat([labels, labels.new_full((2, 1), -1)], dim=1)[..., None]
    places = torch.cat([places, places.new_zeros(2, 1, 3)], dim=1)
    chosen = torch.where(labels == -1, make(1, 3), places) + (labels == 0) * make(1, 3)
    return _together(chosen + (labels.float() == 1.0) * make(1, 3), places)


def _windows(make: Numbers) -> torch.Tensor:
    """A grid cut into windows, and put together again in another order."""
    windows = make(1, 6, 10, 8).view(1, 2, 3, 2, 5, 8).transpose(2, 3)
    windows = windows.reshape(4, 15, 8).flatten(0, 1)
    cubes = make(1, 2, 4, 2, 4, 2, 4).permute(0, 1, 3, 5, 2, 4, 6).reshape(1, 8, 64)
    heads = windows.view(4, 15, 2, 4).transpose(1, 2).contiguous()
    return _together(windows, cubes, heads)


def _upscaled(make: Numbers) -> torch.Tensor:
    """Pixels, and voxels, from the steps of two upscalings: up to eleven axes."""
    flat = make(2, 9 * 16, 3).view(2, 3, 3, 2, 2, 2, 2, 3).permute(0, 7, 1, 3, 5, 2, 4, 6)
    solid = make(1, 8 * 64, 1).view(1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1)
    solid = solid.permute(0, 10, 1, 4, 7, 2, 5, 8, 3, 6, 9)
    # And how the weights of a transposed convolution become those of a linear layer.
    weight = make(6, 4, 2, 2, 2).movedim((0, 1), (-1, -2)).flatten(0, -2)
    return _together(flat.reshape(2, 3, 12, 12), solid.reshape(1, 1, 8, 8, 8), weight)


def _sum(make: Numbers) -> torch.Tensor:
    """As the lengths of vectors that lie among the channels."""
    vectors = make.inner(1, 16, 4, 5, 6).unflatten(1, (-1, 8))
    return vectors.float().square().sum(2, keepdim=True)


def _sort(make: Numbers) -> torch.Tensor:
    return make(1, 9)[0].argsort(descending=True)


@torch.inference_mode()
def _samsegment3d(make: Numbers) -> torch.Tensor:
    """All of SAMSegment 3D, with few channels, from a picture and prompts to masks."""
    with torch.device("meta"):
        network = SAMSegment3D((16, 16, 24, 24), (8, 16, 16, 24), (1, 2)).eval()
    weights = {
        name: make(*value.shape) / math.sqrt(value[:1].numel() if value.ndim else 25)
        for name, value in network.state_dict().items()
    }
    # It casts its numbers itself, where autocast would choose others.
    with torch.autocast(make.device.type, enabled=False):
        weights = {name: value.to(make.dtype) for name, value in weights.items()}
        network.load_state_dict(weights, assign=True)
        network = network.to(memory_format=torch.channels_last_3d)
        features = network.encode(make.inner(1, PICTURE_CHANNELS, 16, 16, 32))
        signs = make.of([[1.0, -1.0, 1.0]])
        clicks = make.of([[[3.5, 10.25, 9.0], [12.0, 4.0, 30.0], [0.0, 15.0, 16.0]]])
        roi, before = (make(1, 1, 8, 8, 16).clamp(-1, 1) for _ in range(2))
        masks, quality = network.decode(features, PromptTensors(clicks, signs, roi, before))
        # As if there were no prompt.
        nothing = torch.zeros_like(roi)
        none = PromptTensors(clicks[:, :1], 0 * signs[:, :1], nothing, nothing)
        others, _ = network.decode(features, none)
        return _together(unfolded(masks[0, 1]), unfolded(others[0, 0]), quality)


CASES = (
    Case("conv2d", _conv2d),
    Case("conv3d", _conv3d),
    Case("linear", _linear),
    Case("matmul", _matmul),
    Case("baddbmm", _baddbmm),
    Case("einsum", _einsum),
    Case("scaled_dot_product_attention", _attention),
    Case("scaled_dot_product_attention with a mask", _attention_with_mask),
    Case("layer_norm", _layer_norm),
    Case("softmax", _softmax),
    Case("logsumexp", _logsumexp),
    Case("logaddexp", _logaddexp),
    Case("gelu", _gelu),
    Case("relu", _relu),
    Case("sin and cos", _waves),
    Case("arithmetic", _arithmetic),
    Case("add into a view", _add_into_view),
    Case("meshgrid", _grid),
    Case("indexing", _indexing),
    Case("cat", _cat),
    Case("split", _split),
    Case("pad", _pad),
    Case("where", _where),
    Case("permute", _windows),
    Case("permute of many axes", _upscaled),
    Case("sum", _sum),
    Case("argsort", _sort),
    Case("an operator of SAMSegment 3D's network", _samsegment3d),
)
