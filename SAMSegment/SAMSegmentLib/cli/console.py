"""The output of commands: results on standard output, messages and progress on standard error.

An output that is closed, full or of another encoding never makes a command fail, unless the
requested result itself, such as a list, could not be printed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from ..core.errors import SAMSegmentError, WriteError

# Shortest time between lines in a log, where all of them remain, and between parts of the work.
LOG_S = 10.0
PART_S = 1.0


class OutputClosedError(SAMSegmentError):
    """The reader of standard output has closed it, as `head` does when it has enough lines."""


def print_result(text: str = "") -> None:
    """Prints what the user asked for.

    Raises:
        OutputClosedError: if the reader has closed it.
        WriteError: if it cannot be written to for another reason.
    """
    try:
        _write(sys.stdout, f"{text}\n")
    except BrokenPipeError as error:
        raise OutputClosedError("Nobody reads the results any more.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WriteError(f"The results could not be printed: {reason}.") from error


def print_note(text: str) -> None:
    """Prints a line about a result that is in a file; errors are ignored."""
    with suppress(OSError, ValueError):
        _write(sys.stdout, f"{text}\n")


def print_to_stderr(text: str) -> None:
    """Prints one line to standard error; errors are ignored."""
    with suppress(OSError, ValueError):
        _write(sys.stderr, f"samsegment: {' '.join(text.split())}\n")


def _write(stream: TextIO | None, text: str) -> None:
    """Writes and flushes text; characters that the stream cannot encode become escape sequences.

    Raises:
        OSError, ValueError: if it cannot be written; no part of it is written later.
    """
    if stream is None:  # as with pythonw on Windows
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        _drop_unwritten(stream)
        raise


def flush_results() -> bool:
    """Whether all output was written; otherwise the rest is dropped, with a message."""
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        _drop_unwritten(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            reason = getattr(error, "strerror", error)
            print_to_stderr(f"Standard output cannot be written to: {reason}.")
        return False
    return True


def _drop_unwritten(stream: TextIO) -> None:
    """Drops what a broken stream still holds, which Python would report when it exits."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


@contextmanager
def stderr_silenced() -> Iterator[None]:
    """Suppresses what libraries in C and C++ print to standard error, such as ITK's warnings.

    SAMSegment reports what matters in its own words. Only for reading and writing files: what
    PyTorch prints before it ends the process should be visible.
    """
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class StatusLine:
    """Shows progress in one line; a context manager that ends the line.

    Args:
        stream: a terminal, where one line is overwritten; or a file or pipe, which gets a line from
            time to time, without control characters. None: no output.
        clock: monotonic time in seconds.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._part: str | None = None
        self._printed_at = 0.0
        self._length = 0
        self.is_terminal = _can_write_over(stream)

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._length:
            self._print("\n")
            self._length = 0

    @property
    def columns(self) -> int:
        """Characters that fit into the terminal's line."""
        columns = 0
        with suppress(OSError, ValueError, AttributeError):
            # shutil checks only standard output, which may be a file.
            if "COLUMNS" not in os.environ:
                columns = os.get_terminal_size(self._stream.fileno()).columns
        return max(1, (columns or shutil.get_terminal_size().columns) - 1)

    def show(self, message: str, text: str) -> None:
        """Prints `text`, unless the last line was printed too recently.

        Args:
            message: what is being done; the same but for numbers within one part of the work.
            text: the line.
        """
        if self.is_terminal:
            # A line that the terminal breaks could not be overwritten.
            text = text[: self.columns]
            # Spaces clear the rest of the line in every terminal.
            self._print(f"\r{text}{' ' * (self._length - len(text))}")
            self._length = len(text)
        elif self._is_due(part := re.sub(r"\d+", "", message)):
            self._part, self._printed_at = part, self._clock()
            self._print(f"{text}\n")

    def _is_due(self, part: str) -> bool:
        if self._part is None:
            return True
        pause_s = LOG_S if part == self._part else PART_S
        return self._clock() - self._printed_at >= pause_s

    def _print(self, text: str) -> None:
        try:
            _write(self._stream, text)
        except (OSError, ValueError):
            self._stream = None


def _can_write_over(stream: TextIO | None) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    return False
