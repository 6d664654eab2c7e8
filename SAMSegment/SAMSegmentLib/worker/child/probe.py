"""Whether a device can do what the networks need: tries each operator on small tensors.

PyTorch does not have every operator on every device, least of all on Apple's; and a card, a driver
and a PyTorch that do not fit together may fail, or give wrong numbers. To wait a second is better
than an error in the middle of the work, or a wrong mask.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch

from .probe_cases import CASES, Case, Numbers

#: Largest difference from the CPU, as a part of the largest number. Cards may round products of
#: float32 to 10 bits (TF32): what is beyond this is wrong, not inexact.
TOLERANCE = 1e-2
#: The same for numbers of 16 bits.
HALF_TOLERANCE = 5e-2


def probe(device: torch.device, dtype: torch.dtype = torch.float32) -> None:
    """Compares what a device computes with what the CPU does.

    Args:
        dtype: in which large transformers compute there (`engines.precision`); float32 is tried in
            any case.

    Raises:
        RuntimeError: naming the operator that is missing, fails, or gives wrong numbers.
    """
    device = torch.device(device)
    kinds = (torch.float32,) if dtype == torch.float32 else (torch.float32, dtype)
    with torch.inference_mode():
        for case in CASES:
            expected = reference(case)
            for kind in kinds:
                _try(case, expected, device, kind)


def reference(case: Case) -> torch.Tensor:
    """What the CPU computes, in float32."""
    return case.run(Numbers(torch.device("cpu"), torch.float32))


def _try(case: Case, expected: torch.Tensor, device: torch.device, dtype: torch.dtype) -> None:
    is_half = dtype != torch.float32
    name = f"{case.name} in {str(dtype).removeprefix('torch.')}" if is_half else case.name
    try:
        with torch.autocast(device.type, dtype) if is_half else nullcontext():
            result = case.run(Numbers(device, dtype))
        result = result.float().cpu()
    except Exception as error:
        line = str(error).strip().partition("\n")[0]
        what = "is missing" if isinstance(error, NotImplementedError) else "fails"
        raise RuntimeError(f"{name} {what} ({line or type(error).__name__})") from error
    limit = HALF_TOLERANCE if is_half else TOLERANCE
    # Written so that "not a number" is wrong, too.
    if result.shape != expected.shape or not _difference(result, expected) <= limit:
        raise RuntimeError(f"{name} gives wrong numbers")


def _difference(result: torch.Tensor, expected: torch.Tensor) -> float:
    largest = expected.abs().max().clamp_min(1.0)
    return float((result - expected).abs().max() / largest)
