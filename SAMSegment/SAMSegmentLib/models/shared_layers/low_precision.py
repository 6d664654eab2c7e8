"""The large layers of a network in fewer bits, for inference."""

import warnings

import torch
from torch import nn

_LARGE = (nn.Linear, nn.Conv3d)


def compute_in(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Turn the linear layers and convolutions below a module to other numbers, in place.

    Args:
        dtype: float32 changes nothing; float16 and bfloat16 are for use within `torch.autocast`;
            int8 is for linear layers on a CPU.

    Returns:
        The module.

    Raises:
        RuntimeError: this PyTorch cannot compute with 8-bit integers.
    """
    if dtype == torch.int8:
        return _with_int8_linears(module)
    if dtype != torch.float32:
        for layer in module.modules():
            if isinstance(layer, _LARGE):
                layer.to(dtype)
    return module


class Int8Linear(nn.Module):
    """A linear layer with 8-bit weights, each output channel with a scale of its own.

    Inputs are rounded to 8 bits while it runs, by their own range (dynamic quantisation).
    """

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.bias = linear.bias
        weight = linear.weight.detach().float()
        scales = (weight.abs().amax(1) / 127).clamp_min(1e-12).double()
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        with warnings.catch_warnings():
            # Torch means to drop these some day; there is no other way yet that is fast on AVX2.
            warnings.simplefilter("ignore")
            quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            bias = None if linear.bias is None else linear.bias.float()
            self._packed = torch.ops.quantized.linear_prepack(quantised, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., in) to (..., out), float32."""
        # With the full range of 8 bits, sums of products may overflow on CPUs without VNNI.
        return torch.ops.quantized.linear_dynamic(x.float(), self._packed, True)


def _with_int8_linears(module: nn.Module) -> nn.Module:
    if not hasattr(torch, "quantize_per_channel"):
        raise RuntimeError("This version of PyTorch cannot compute with 8-bit integers.")
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            _with_int8_linears(child)
    return module
