"""Exceptions, from one process to the other."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from ...core import errors
from ...core.errors import SAMSegmentError

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


@dataclass(frozen=True)
class SentError:
    """An exception on its way between processes.

    Attributes:
        kind: name of its class.
        message: what it says.
        details: its traceback.
    """

    kind: str
    message: str
    details: str


def sent_error(error: BaseException) -> SentError:
    """An exception as a message."""
    details = "".join(traceback.format_exception(error))
    return SentError(type(error).__name__, str(error), details)


def error_of(error: SentError) -> SAMSegmentError:
    """The exception again; a SAMSegmentError that names it, if it is none of the library's."""
    if (kind := _KINDS.get(error.kind)) is not None:
        return kind(error.message)
    line = " ".join(error.message.split())[:LONGEST_MESSAGE]
    said = f"{error.kind}: {line}" if line else error.kind
    return SAMSegmentError(
        f"The model failed ({said}). Nothing was changed. Try again; if it fails again, please "
        "report it with the diagnostics."
    )
