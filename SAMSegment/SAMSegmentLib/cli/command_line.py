"""The commands and their arguments, and `segment`."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from .. import __version__
from ..core import arguments
from ..core.answer import NOTHING_FOUND
from ..core.errors import (
    Cancelled,
    InputError,
    SAMSegmentError,
    WriteError,
    out_of_memory_as_error,
    reason_of,
)
from ..core.files import (
    MASK_SUFFIXES,
    SEGMENTATION_SUFFIX,
    check_output,
    format_warnings,
    write_labels,
)
from ..core.label import Label
from ..core.patch import Patch
from ..core.smoothing import MOST_MM, SMOOTHING_MM
from ..weights.catalogue import DEFAULT_MODEL, ModelEntry, model_entry
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
    """Segments one object of a volume, or a model's structures, and writes the masks.

    Raises:
        InputError: if image, prompts, options or output cannot be used.
        Cancelled: if the user pressed Ctrl+C before the masks were written.
        SAMSegmentError: nothing was written.
    """
    try:
        volumes, warnings = _written(options)
    except KeyboardInterrupt:
        raise Cancelled("Cancelled. Nothing was written.") from None
    if not options.quiet:
        for what, millilitres in volumes.items():
            print_note(f"{options.output}: {what}, {millilitres:.1f} ml")
    for warning in dict.fromkeys(warnings):
        print_to_stderr(warning)
    return DONE


def _written(options: argparse.Namespace) -> tuple[dict[str, float], list[str]]:
    """What is in the file, with its volume in ml, and what the user should know about it."""
    from ..api import Segmenter

    writing = {"overwrite": options.overwrite, "inputs": (options.image,)}
    model = model_entry(options.model)
    _check_options(options, model)
    check_output(options.output, **writing)
    model.check_installed()
    with nullcontext() if options.quiet else ProgressLine(sys.stderr) as line:
        with stderr_silenced():
            segmenter = Segmenter(
                options.image,
                model=options.model,
                device=options.device,
                intensity_range=options.intensity_range,
                progress=line,
                smoothing_mm=options.smoothing,
            )
        with segmenter:
            if options.roi is not None:
                segmenter.set_roi(center=options.roi[:3], size=options.roi[3:])
            for ras in options.point:
                segmenter.add_point(ras, positive=True)
            for ras in options.negative:
                segmenter.add_point(ras, positive=False)
            answer = segmenter.prediction(options.structure).choice(options.alternative)
            nifti = segmenter.image.nifti
    labels = model.labels(options.structure) if model.is_automatic else (Label(_name(options)),)
    found = [answer.structure(one.name) if model.is_automatic else answer for one in labels]
    masks = [
        (label, Patch(one.box_mask(), one.start)) for label, one in zip(labels, found, strict=True)
    ]
    missing = [label.name for label, patch in masks if not patch.values.any()]
    if len(missing) == len(masks):
        nothing = NOTHING_FOUND if not model.is_automatic else "The model found none of these."
        raise WriteError(f"{nothing} The mask would be empty, so nothing was written.")
    with stderr_silenced():
        lost = write_labels(options.output, masks, answer.geometry, nifti=nifti, **writing)
    warnings = [*format_warnings(options.output, answer.geometry), *answer.warnings]
    warnings += [text for mask in answer.masks for text in mask.warnings]
    if missing:
        warnings.append(f"Nothing was found of: {', '.join(missing)}.")
    if lost:
        warnings.append(
            f"{lost} voxels belong to several structures, and have the last one's value: write "
            f"{SEGMENTATION_SUFFIX} to keep all."
        )
    millilitres = answer.geometry.voxel_volume / 1000
    return {
        f"{number} {label.name}" if model.is_automatic else label.name: (
            np.count_nonzero(patch.values) * millilitres
        )
        for number, (label, patch) in enumerate(masks, start=1)
    }, warnings


def _name(options: argparse.Namespace) -> str:
    return arguments.text("Segment" if options.name is None else options.name, "--name")


def _check_options(options: argparse.Namespace, model: ModelEntry) -> None:
    """Finds out what the model has no use for, before any work.

    Raises:
        InputError: if something is given that it does not take.
    """
    arguments.millimetres(options.smoothing, "--smoothing", MOST_MM)
    model.labels(options.structure) if options.structure else _name(options)
    if not model.is_automatic:
        return
    given = {
        "--roi": options.roi is not None,
        "--point": bool(options.point),
        "--negative": bool(options.negative),
        "--alternative": options.alternative != 0,
        "--name": options.name is not None,
    }
    if refused := [option for option, is_given in given.items() if is_given]:
        raise InputError(
            f"{model.title} finds its structures by itself: leave {' and '.join(refused)} out."
        )


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
        help="segment one object, or a model's structures",
        description="Segments the object that the prompts mean, or with an automatic model its "
        "structures. Positions are RAS in mm.",
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
    add(
        "--structure",
        default=[],
        action="append",
        metavar="NAME",
        help="of an automatic model, a structure to segment (repeatable; default: all)",
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
    add(
        "--smoothing",
        type=float,
        default=SMOOTHING_MM,
        metavar="MM",
        help="over how many mm the border is smoothed, 0: not at all (default: %(default)g)",
    )
    add("--name", help="name of the segment (default: Segment)")
    add("--quiet", action="store_true", help="print nothing but warnings and errors")


def _fail(status: int, problem: str) -> int:
    print_to_stderr(problem)
    return status
