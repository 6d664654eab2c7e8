"""The command line.

    python -m SAMSegmentLib segment ct.nii.gz --roi R A S X Y Z --output mask.seg.nrrd
    python -m SAMSegmentLib evaluate ct.nii.gz labels.nii.gz --label 3
    python -m SAMSegmentLib models install sam-med3d-turbo

Exit status: 0 done, 1 failure, 2 bad arguments or input.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from . import __version__
from .core.errors import InputError, SAMSegmentError
from .core.files import MASK_SUFFIXES, check_output, write_mask
from .evaluate import add_evaluate
from .models_command import add_models
from .weights.catalogue import DEFAULT_MODEL, model_entry

DONE, FAILURE, BAD_INPUT = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except InputError as error:
        return _fail(BAD_INPUT, error)
    except SAMSegmentError as error:
        return _fail(FAILURE, error)
    except KeyboardInterrupt:
        return _fail(FAILURE, "Cancelled. Nothing was written.")


def segment(options: argparse.Namespace) -> int:
    """Segments one object of one volume and writes its mask."""
    from .api import Segmenter

    writing = {"overwrite": options.overwrite, "inputs": (options.image,)}
    check_output(options.output, **writing)
    model_entry(options.model).check_installed()
    bar = None if options.quiet else ProgressBar()
    with Segmenter(
        options.image,
        model=options.model,
        device=options.device,
        intensity_range=options.intensity_range,
        progress=bar,
    ) as segmenter:
        if options.roi is not None:
            segmenter.set_roi(center=options.roi[:3], size=options.roi[3:])
        for ras in options.point:
            segmenter.add_point(ras, positive=True)
        for ras in options.negative:
            segmenter.add_point(ras, positive=False)
        prediction = segmenter.prediction().choice(options.alternative)
    mask, geometry = prediction.mask(), prediction.geometry
    write_mask(options.output, mask, geometry, options.name, **writing)
    if not options.quiet:
        volume = prediction.box_mask().sum() * prediction.geometry.voxel_volume / 1000
        print(f"{options.output}: {options.name}, {volume:.1f} ml")
    for warning in prediction.warnings:
        print(f"samsegment: {warning}", file=sys.stderr)
    return DONE


class ProgressBar:
    """One line on stderr that tells how far the work is and how long it will still take."""

    WIDTH = 30

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, done: int, total: int, message: str) -> None:
        filled = self.WIDTH * done // total
        elapsed = time.monotonic() - self._started
        left = f", {elapsed * (total - done) / done:.0f} s left" if 0 < done < total else ""
        bar = "#" * filled + "." * (self.WIDTH - filled)
        end = "\n" if done == total else ""
        print(f"\r[{bar}] {message}{left}\033[K", end=end, file=sys.stderr, flush=True)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where to read more."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        # argparse takes -1.2e-5 for an option; there is no public way to tell it better.
        self._negative_number_matcher = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")

    def error(self, message: str):
        raise InputError(f"{message[0].upper()}{message[1:]} (see: {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m SAMSegmentLib",
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
    add("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    add(
        "--intensity-range",
        nargs=2,
        type=float,
        metavar=("LOWER", "UPPER"),
        help="intensities shown to the model from black to white (default: chosen)",
    )
    add("--name", default="Segment", help="name of the segment (default: %(default)s)")
    add("--quiet", action="store_true", help="print nothing but errors")


def _fail(status: int, problem: object) -> int:
    print(f"samsegment: {' '.join(str(problem).split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
