"""The errors that SAMSegment raises, by what the user can do about them.

Every message says what is wrong and what to do about it, and is shown to the user unchanged.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_NO_MEMORY = ("Failed to allocate memory", "std::bad_alloc", "bad allocation")


class SAMSegmentError(Exception):
    """Base of every error that SAMSegment raises on purpose."""


class InputError(SAMSegmentError, ValueError):
    """An image, a prompt or an argument that cannot be used. Nothing was changed."""


class NotScalarError(InputError):
    """An image with several numbers per voxel, or several time points."""


class Cancelled(SAMSegmentError):
    """The user asked to stop. Nothing was changed."""


class OutOfMemoryError(SAMSegmentError, MemoryError):
    """Image or model do not fit into memory. Nothing was changed."""


class MissingPackageError(SAMSegmentError, ImportError):
    """A Python package that a model needs is not installed."""


class WeightsError(SAMSegmentError):
    """A weights file is missing, damaged or not what the catalogue says."""


class InstallError(SAMSegmentError):
    """Weights could not be fetched, copied or removed. What was installed before still is."""


class WriteError(SAMSegmentError):
    """The result could not be written. What was there before is still there."""


def reason_of(error: Exception) -> str:
    """The last line of an error's message that is not empty, without ITK's C++ file name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1].split("ERROR: ")[-1] if lines else "unknown reason"
    return text if text.endswith(".") else f"{text}."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, the system or ITK means that memory ran out."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


@contextmanager
def out_of_memory_as_error() -> Iterator[None]:
    """Converts every error that means so to OutOfMemoryError; also usable as a decorator.

    Raises:
        OutOfMemoryError: if memory runs out in the block.
    """
    try:
        yield
    except OutOfMemoryError:
        raise
    except (MemoryError, OSError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            "There is not enough memory for this. Nothing was changed. Close other programs or "
            "volumes, or crop the volume."
        ) from error
