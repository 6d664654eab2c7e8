"""The command line.

    python -m SAMSegmentLib segment ct.nii.gz --point 61 -14 -140 --output mask.seg.nrrd
    python -m SAMSegmentLib evaluate ct.nii.gz labels.nii.gz --label 5
    python -m SAMSegmentLib models

Exit status: 0 done, 1 failure, 2 bad arguments or input.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

FAILURE = 1


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    try:
        # Imported here, so that Ctrl+C also works during the import of numpy and SimpleITK.
        from .cli.command_line import run

        return run(arguments)
    except KeyboardInterrupt:
        from .cli.console import print_to_stderr

        print_to_stderr("Cancelled.")
        return FAILURE
    except ModuleNotFoundError as error:
        # A package that every command needs; for others there is a MissingPackageError.
        if (error.name or "").startswith(__package__):
            raise
        from .cli.console import print_to_stderr

        print_to_stderr(
            f"The Python package {error.name} is needed: install it (pip install {error.name})."
        )
        return FAILURE


def run_process() -> int:
    """Runs a command as a process of its own."""
    _occupy_closed_channels()
    status = FAILURE
    with suppress(KeyboardInterrupt):  # a second one, while the first is being reported
        status = main()
        _ignore_interrupts()
    _ignore_interrupts()
    # CPython remembers a KeyboardInterrupt that passed through an `exec`, as in the creation of a
    # dataclass, and would exit by the signal instead of the status; another `exec` resets that
    # (run_eval_code_obj in Python/pythonrun.c).
    exec("")
    from .cli.console import flush_results

    return status if flush_results() else status or FAILURE


def _ignore_interrupts() -> None:
    """Ignores Ctrl+C while Python exits, which takes a moment with PyTorch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _occupy_closed_channels() -> None:
    """Opens the null device for each of standard input, output and error that is closed.

    Otherwise the next file that is opened, such as the mask, would get its number, and with it
    whatever libraries print to standard error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


if __name__ == "__main__":
    sys.exit(run_process())
