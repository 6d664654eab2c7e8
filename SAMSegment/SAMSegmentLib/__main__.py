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
        # Not above: Ctrl+C is heard while numpy and SimpleITK are imported, too.
        from .cli.command_line import run

        return run(arguments)
    except KeyboardInterrupt:
        from .cli.console import remark

        remark("Cancelled.")
        return FAILURE
    except ModuleNotFoundError as error:
        # One that this command cannot do without; of others, a MissingPackageError tells.
        if (error.name or "").startswith(__package__):
            raise
        from .cli.console import remark

        remark(f"The Python package {error.name} is needed: install it (pip install {error.name}).")
        return FAILURE


def run_process() -> int:
    """A whole process: its channels as they are, then the command."""
    _occupy_closed_channels()
    status = FAILURE
    with suppress(KeyboardInterrupt):  # once more, while the first one was being told
        status = main()
        _ignore_interrupts()
    _ignore_interrupts()
    # CPython remembers a KeyboardInterrupt that went through an `exec`, as in making a dataclass,
    # and would end by the signal instead of the status; the next `exec` makes it forget
    # (run_eval_code_obj in Python/pythonrun.c).
    exec("")
    from .cli.console import flush_results

    return status if flush_results() else status or FAILURE


def _ignore_interrupts() -> None:
    """For Python's own end, which takes a moment with PyTorch: all is done by then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _occupy_closed_channels() -> None:
    """Opens what is closed of standard input, output and error, to nowhere.

    Else the next file opened gets their number, such as the mask, and with it all that libraries
    print to standard error.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


if __name__ == "__main__":
    sys.exit(run_process())
