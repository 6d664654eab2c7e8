"""What PyTorch's errors say about the device on which they came up."""

from __future__ import annotations

import torch

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
