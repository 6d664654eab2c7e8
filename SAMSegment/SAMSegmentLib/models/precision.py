"""In which numbers a network computes on which device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def encoder_type(device: torch.device) -> torch.dtype:
    """The numbers in which a large transformer is fastest on a device without harm.

    Half precision only where the hardware computes in it: a CPU without such instructions is 5 to 8
    times slower in bfloat16 than in float32.
    """
    if device.type == "cuda":
        # Turing and Volta have float16 units only, older ones none.
        major, _ = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if major >= 8 else torch.float16 if major == 7 else torch.float32
    if device.type == "cpu" and _cpu_has_bfloat16():
        return torch.bfloat16
    return torch.float32


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager:
    """Within it, matrix products are computed in `dtype`; sums and norms stay in float32."""
    if not dtype.is_floating_point or dtype == torch.float32:
        return nullcontext()  # layers in integers round for themselves
    return torch.autocast(device.type, dtype)


def _cpu_has_bfloat16() -> bool:
    # Less than the processor has, if ATEN_CPU_CAPABILITY keeps PyTorch from using it.
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX", "AVX2"):
        return False
    get_capabilities = getattr(torch.cpu, "get_capabilities", dict)
    capabilities = get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
