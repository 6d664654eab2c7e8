"""Writes tensors as a safetensors file, tensor by tensor.

The library for it (0.8) makes a file of another name beside the one that is asked for, which a
killed process leaves behind, and lets nobody but the user read the result. What is written here is
read by it.
Source of the format: https://github.com/huggingface/safetensors, README, "Format".
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping

import torch

_KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
# Tensors begin at multiples of it, and so of their own numbers' size.
_ALIGNMENT = 8


def write_safetensors(
    tensors: Mapping[str, torch.Tensor], write: Callable[[bytes | memoryview], object]
) -> None:
    """Writes a file with these tensors, on the CPU, and no notes but that they are torch's.

    Args:
        write: takes the file's bytes, piece by piece.

    Raises:
        KeyError: if a tensor holds numbers of a kind that no network here uses.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    ordered = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    for name in ordered:
        tensor = tensors[name]
        kind, end = _KINDS[tensor.dtype], place + tensor.numel() * tensor.element_size()
        shape = list(tensor.shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    write(struct.pack("<Q", len(text)) + text)
    for name in ordered:
        write(memoryview(bits(tensors[name]).numpy()))


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of a tensor, in the order of its numbers."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)
