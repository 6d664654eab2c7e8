"""What commands print: results on standard output, remarks and progress on standard error.

A channel that is closed, full, gone, or of another alphabet never decides over the work. Only what
was asked for as text, such as a list, counts as not done if it could not be printed.
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

# A log, which keeps all lines, gets one so often at most; and one for each new part of the work.
LOG_S = 10.0
PART_S = 1.0


class NobodyReadsError(SAMSegmentError):
    """Whoever read standard output has gone, as `head` does when it has enough."""


def print_result(text: str = "") -> None:
    """Prints what the user asked for.

    Raises:
        NobodyReadsError: if the reader has gone.
        WriteError: if standard output cannot be written to otherwise.
    """
    try:
        _write(sys.stdout, f"{text}\n")
    except BrokenPipeError as error:
        raise NobodyReadsError("Nobody reads the results any more.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WriteError(f"The results could not be printed: {reason}.") from error


def mention(text: str) -> None:
    """Prints a line beside a result that lies in a file; it may get lost."""
    with suppress(OSError, ValueError):
        _write(sys.stdout, f"{text}\n")


def remark(text: str) -> None:
    """Prints one line about the work to standard error; it may get lost."""
    with suppress(OSError, ValueError):
        _write(sys.stderr, f"samsegment: {' '.join(text.split())}\n")


def _write(stream: TextIO | None, text: str) -> None:
    """Writes and flushes; what the stream cannot encode, as an escape sequence.

    Raises:
        OSError, ValueError: if it cannot; nothing of it is tried again later.
    """
    if stream is None:  # as for pythonw on Windows
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
    """Whether all that was printed has left; what could not is dropped, with a remark."""
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        _drop_unwritten(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            remark(f"Standard output cannot be written to: {getattr(error, 'strerror', error)}.")
        return False
    return True


def _drop_unwritten(stream: TextIO) -> None:
    """Lets go of what a broken stream still holds, about which Python would complain at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


@contextmanager
def hushed_libraries() -> Iterator[None]:
    """Keeps what libraries in C and C++ print to standard error, such as ITK's warnings, off it.

    What matters of it is told in SAMSegment's own words. Only for the reading and writing of files:
    what PyTorch says before it ends the process should be seen.
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
    """Tells how far work is; a context manager that ends its line.

    Args:
        stream: a terminal, where one line is written over; or a file or pipe, which gets a line now
            and then, without any control character. None: nobody sees it.
        clock: seconds, running on.
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
            # shutil looks at standard output only, which may be a file.
            if "COLUMNS" not in os.environ:
                columns = os.get_terminal_size(self._stream.fileno()).columns
        return max(1, (columns or shutil.get_terminal_size().columns) - 1)

    def show(self, message: str, text: str) -> None:
        """Prints `text`, if it is time to.

        Args:
            message: what is done; parts of the work differ in it, and not only in its numbers.
        """
        if self.is_terminal:
            # A line that the terminal breaks could not be written over.
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
