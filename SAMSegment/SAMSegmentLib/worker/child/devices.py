"""The devices of this computer: which there are, and which one is taken.

Whether networks can run on one is tried when the first model is loaded there (`server`): to try it
before would keep whoever waits for the worker waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch

from ...core.errors import InputError
from ..protocol.events import DeviceInfo
from ..protocol.memory import total_bytes

CPU = "cpu"
APPLE = "Apple graphics"
A_CARD = "Graphics card"
# What CUDA says where there is no card: nothing is wrong then.
NO_CARD = ("no NVIDIA driver", "No CUDA GPUs", "no CUDA-capable device", "No HIP GPUs")
# How PyTorch says that a graphics card has no memory left, beside its own exception: the driver,
# the libraries of the maker (CUDNN_STATUS_NOT_SUPPORTED is something else), and Apple's cards.
NO_MEMORY_ON_CARD = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "HIP out of memory",
    "HIP error: out of memory",
    "MPS backend out of memory",
)
# Nothing can be computed there any more, or what is wanted cannot.
CARD_FAILED = (
    "CUDA error",
    "CUDA driver error",
    "CUDNN_STATUS_",
    "cuDNN error",
    "CUBLAS_STATUS_",
    "CUSOLVER_STATUS_",
    "HIP error",
    "MPS backend",
    "for the MPS device",
    "the MPS framework",
    "MPSGraph",
)


@dataclass(frozen=True)
class Choice:
    """A device that was chosen.

    Attributes:
        device: what models run on.
        devices: all that this computer has, the CPU last.
        automatic: name of the one that "auto" stands for.
        notice: why it is not the device that was asked for; "" if it is.
    """

    device: torch.device
    devices: tuple[DeviceInfo, ...]
    automatic: str
    notice: str = ""


def list_devices() -> tuple[DeviceInfo, ...]:
    """All devices of this computer that PyTorch knows of, the CPU last; none is tried."""
    return (*_cuda_cards(), *_apple(), DeviceInfo(CPU, "", total_bytes()))


def find_device(name: str, failed: Mapping[str, str] = MappingProxyType({})) -> Choice:
    """Takes a device, or the next best if that cannot be used.

    Args:
        name: "auto" for the CUDA card with the most free memory, else Apple's, else the CPU; "cpu",
            "mps", "cuda:1"; "cuda" for the first card. Where that cannot be used, it is the CPU.
        failed: names of devices on which networks were tried in vain, the last one last, and why
            they cannot be used.

    Raises:
        InputError: if this computer has no such device.
    """
    known = {info.name: info for info in list_devices()}
    for each, reason in failed.items():
        known[each] = replace(known[each], usable=False, reason=reason)
    wanted = _by_preference(known) if name == "auto" else [_named(name, known), CPU]
    taken = next(each for each in wanted if known[each].usable)
    # What "auto" stands for is nobody's wish, but may have been shown.
    missed = wanted[0] if name != "auto" else next(reversed(failed), CPU)
    notice = ""
    if taken == CPU and missed != CPU:
        refused = known[missed]
        notice = f"{refused.title} is not used. {refused.reason} The processor computes instead."
    automatic = taken
    if name != "auto":
        automatic = next(info.name for info in known.values() if info.usable)
    return Choice(torch.device(taken), tuple(known.values()), automatic, notice)


def _named(name: str, known: dict[str, DeviceInfo]) -> str:
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in known:
        raise InputError(f"There is no device {name!r} here: choose auto, {', '.join(known)}.")
    return wanted


def _by_preference(known: dict[str, DeviceInfo]) -> list[str]:
    """Names, the one that is to be tried first in front."""
    cards = [name for name, info in known.items() if name.startswith("cuda") and info.usable]
    if len(cards) > 1:
        cards.sort(key=_free_bytes, reverse=True)
    others = [name for name, info in known.items() if name not in cards and info.usable]
    return cards + others


def _free_bytes(name: str) -> int:
    try:
        return torch.cuda.mem_get_info(torch.device(name))[0]
    except RuntimeError:  # the first model there will tell
        return 0


def reason_of(error: Exception) -> str:
    """Why a device cannot be used, in words for users, by what PyTorch says."""
    if is_out_of_memory(error):
        return "It has too little free memory: close other programs that use it."
    line = first_line(error).rstrip(".")
    if "no kernel image" in line:
        return f"The installed PyTorch was not made for it: install another version ({line})."
    return f"PyTorch cannot compute on it: {line}."


def _cuda_cards() -> list[DeviceInfo]:
    if torch.cuda.is_available():
        return [_cuda_card(number) for number in range(torch.cuda.device_count())]
    reason = _why_no_cuda()
    return [DeviceInfo("cuda:0", A_CARD, None, False, reason)] if reason else []


def _cuda_card(number: int) -> DeviceInfo:
    name = f"cuda:{number}"
    try:
        properties = torch.cuda.get_device_properties(number)
    except Exception as error:  # a card that is not well
        return DeviceInfo(name, A_CARD, None, False, reason_of(error))
    return DeviceInfo(name, properties.name, properties.total_memory)


def _why_no_cuda() -> str:
    """What is wrong, if there is a card that CUDA cannot use; "" if there is none."""
    if not torch.backends.cuda.is_built():
        return ""
    try:
        torch.cuda.init()
    except Exception as error:
        line = first_line(error).rstrip(".")
        return "" if any(text in line for text in NO_CARD) else f"PyTorch cannot use it: {line}."
    return ""


def _apple() -> list[DeviceInfo]:
    mps = torch.backends.mps
    if not mps.is_built():
        return []
    if not mps.is_available():
        return [DeviceInfo("mps", APPLE, None, False, "PyTorch needs a newer macOS to use it.")]
    title = mps.get_name() if hasattr(mps, "get_name") else APPLE
    tells_memory = hasattr(torch.mps, "recommended_max_memory")
    return [DeviceInfo("mps", title, torch.mps.recommended_max_memory() if tells_memory else None)]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a graphics card has too little memory; that of the computer is another matter."""
    # As torch.OutOfMemoryError is called in every version that this runs with.
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return _says(error, NO_MEMORY_ON_CARD)


def has_failed(error: BaseException) -> bool:
    """Whether a graphics card, or PyTorch on it, fails for another reason."""
    return _says(error, CARD_FAILED)


def first_line(error: BaseException) -> str:
    """What it says first; PyTorch goes on with advice for programmers."""
    return str(error).strip().partition("\n")[0].strip() or type(error).__name__


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return any(text in str(error) for text in texts)
