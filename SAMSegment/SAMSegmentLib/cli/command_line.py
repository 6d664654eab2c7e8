"""The commands and their arguments, and `segment`."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import nullcontext
from pathlib import Path

from .. import __version__
from ..core import arguments
from ..core.answer import NOTHING_FOUND, Answer
from ..core.errors import (
    Cancelled,
    InputError,
    SAMSegmentError,
    WriteError,
    out_of_memory_as_error,
    reason_of,
)
from ..core.files import MASK_SUFFIXES, check_output, format_warnings, write_mask
from ..weights.catalogue import DEFAULT_MODEL, model_entry
from .console import (
    OutputClosedError,
    StatusLine,
    print_note,
    print_result,
    print_to_stderr,
    stderr_silenced,
)
from .evaluate import add_evaluate
from .models import add_models

DONE, FAILURE, BAD_INPUT = 0, 1, 2


def run(given: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    try:
        options = _parser().parse_args(given)
        with out_of_memory_as_error():
            return options.run(options)
    except SystemExit as end:  # argparse's, after --help and --version
        return int(end.code or DONE)
    except OutputClosedError:
        return FAILURE
    except InputError as error:
        return _fail(BAD_INPUT, str(error))
    except SAMSegmentError as error:
        return _fail(FAILURE, str(error))
    except OSError as error:
        return _fail(FAILURE, reason_of(error))


def segment(options: argparse.Namespace) -> int:
    """Segments one object of one volume and writes its mask.

    Raises:
        InputError: if image, prompts, options or output cannot be used.
        Cancelled: if the user pressed Ctrl+C before the mask was written.
        SAMSegmentError: nothing was written.
    """
    try:
        prediction = _written(options)
    except KeyboardInterrupt:
        raise Cancelled("Cancelled. Nothing was written.") from None
    if not options.quiet:
        volume = prediction.box_mask().sum() * prediction.geometry.voxel_volume / 1000
        print_note(f"{options.output}: {options.name}, {volume:.1f} ml")
    for warning in prediction.warnings:
        print_to_stderr(warning)
    return DONE


def _written(options: argparse.Namespace) -> Answer:
    """The answer, after its mask was written."""
    from ..api import Segmenter

    writing = {"overwrite": options.overwrite, "inputs": (options.image,)}
    arguments.text(options.name, "--name")
    check_output(options.output, **writing)
    model_entry(options.model).check_installed()
    with nullcontext() if options.quiet else ProgressLine(sys.stderr) as line:
        with stderr_silenced():
            segmenter = Segmenter(
                options.image,
                model=options.model,
                device=options.device,
                intensity_range=options.intensity_range,
                progress=line,
            )
        with segmenter:
            if options.roi is not None:
                segmenter.set_roi(center=options.roi[:3], size=options.roi[3:])
            for ras in options.point:
                segmenter.add_point(ras, positive=True)
            for ras in options.negative:
                segmenter.add_point(ras, positive=False)
            prediction = segmenter.prediction().choice(options.alternative)
            nifti = segmenter.image.nifti
    if not prediction.box_mask().any():
        raise WriteError(f"{NOTHING_FOUND} The mask would be empty, so nothing was written.")
    with stderr_silenced():
        mask, geometry = prediction.mask(), prediction.geometry
        write_mask(options.output, mask, geometry, options.name, nifti=nifti, **writing)
    return prediction.with_warnings(*format_warnings(options.output, geometry))


class ProgressLine(StatusLine):
    """Shows progress on standard error, without an estimate of the time."""

    WIDTH = 30

    def __call__(self, done: int, total: int, message: str) -> None:
        """Prints the progress, if it is due; see ProgressCallback."""
        filled = self.WIDTH * done // max(total, 1)
        bar = f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] {message}"
        self.show(message, bar if self.is_terminal and len(bar) <= self.columns else message)


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, with the command that prints the help."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        # argparse takes -1.2e-5 for an option, and has no public way to change that.
        self._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

    def _print_message(self, message: str, file=None) -> None:
        # Help and version; argparse's own method ignores errors.
        print_result(message.rstrip())

    def error(self, message: str):
        raise InputError(f"{message[0].upper()}{message[1:]} (see: {self.prog} --help)")


def _program() -> str:
    """As the user started it: the command that pip installs, or the module."""
    started = Path(sys.argv[0]).stem
    return started if started == "samsegment" else "python -m SAMSegmentLib"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_program(),
        description="3D masks from regions of interest and points. Research software, not a "
        "medical device.",
    )
    parser.add_argument("--version", action="version", version=f"SAMSegment {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=_Parser)
    _add_segment(commands)
    add_evaluate(commands)
    add_models(commands)
    return parser


def _add_segment(commands) -> None:
    command = commands.add_parser(
        "segment",
        help="segment one object",
        description="Segments the object that the prompts mean. Positions are RAS in mm.",
        epilog="Of a file whose name begins with -, write ./-name.",
    )
    command.set_defaults(run=segment)
    add = command.add_argument
    add("image", help="volume file, or folder with one DICOM series")
    add("--output", required=True, type=Path, help=f"mask file: {', '.join(MASK_SUFFIXES)}")
    add("--overwrite", action="store_true", help="replace the mask file if there is one")
    add(
        "--roi",
        nargs=6,
        type=float,
        metavar=("R", "A", "S", "X", "Y", "Z"),
        help="centre and edge lengths of a box around the object",
    )
    point = {"nargs": 3, "type": float, "metavar": ("R", "A", "S"), "action": "append"}
    add("--point", default=[], help="a point on the object (repeatable)", **point)
    add("--negative", default=[], help="a point beside the object (repeatable)", **point)
    add(
        "--alternative",
        type=int,
        default=0,
        metavar="N",
        help="the N-th next-best mask for the prompts, instead of the best",
    )
    add("--model", default=DEFAULT_MODEL, help="model name (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)")
    add(
        "--intensity-range",
        nargs=2,
        type=float,
        metavar=("LOWER", "UPPER"),
        help="intensities shown to the model from black to white (default: chosen)",
    )
    add("--name", default="Segment", help="name of the segment (default: %(default)s)")
    add("--quiet", action="store_true", help="print nothing but warnings and errors")


def _fail(status: int, problem: str) -> int:
    print_to_stderr(problem)
    return status
