"""Exceptions, from one process to the other."""

from __future__ import annotations

import traceback

from ...core import errors
from ...core.errors import SAMSegmentError
from .messages import Trouble

LONGEST_MESSAGE = 200
_KINDS = {
    kind.__name__: kind
    for kind in (
        SAMSegmentError,
        errors.InputError,
        errors.NotScalarError,
        errors.Cancelled,
        errors.OutOfMemoryError,
        errors.MissingPackageError,
        errors.WeightsError,
        errors.InstallError,
        errors.WriteError,
    )
}


def trouble_of(error: BaseException) -> Trouble:
    """An exception as a message."""
    details = "".join(traceback.format_exception(error))
    return Trouble(type(error).__name__, str(error), details)


def error_of(trouble: Trouble) -> SAMSegmentError:
    """The exception again; a SAMSegmentError that tells of it, if it is none of ours."""
    if (kind := _KINDS.get(trouble.kind)) is not None:
        return kind(trouble.message)
    line = " ".join(trouble.message.split())[:LONGEST_MESSAGE]
    said = f"{trouble.kind}: {line}" if line else trouble.kind
    return SAMSegmentError(
        f"The model failed ({said}). Nothing was changed. Try again; if it fails again, please "
        "report it with the diagnostics."
    )
