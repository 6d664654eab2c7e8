"""The command `evaluate`: how well a model segments the objects of a labelled volume."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from .. import __version__
from ..core.errors import InputError
from ..core.outputs import check_new_file
from ..core.prompts import Prompts
from ..evaluation.cases import LabelledImage, load_case
from ..evaluation.metrics import check_packages
from ..evaluation.protocol import (
    CLICKS,
    CLICKS_ALONE,
    PROTOCOLS,
    ROI_ALONE,
    ROI_THEN_CLICKS,
    EncoderClock,
    Protocol,
    Step,
    run,
    scores,
)
from ..evaluation.report import Subject, markdown_table, measured, number, rows_of, write_rows
from ..weights.catalogue import DEFAULT_MODEL, ModelEntry, model_entry
from ..worker.client.in_process import InProcessClient
from ..worker.protocol.events import PredictionRequest
from .console import print_note, print_result, print_to_stderr, stderr_silenced

#: The default; protocols with prompts that the model does not accept are left out.
DEFAULT_PROTOCOLS = (ROI_THEN_CLICKS, CLICKS_ALONE)


def add_evaluate(commands: argparse._SubParsersAction) -> None:
    """Adds the command to argparse's subparsers."""
    command = commands.add_parser(
        "evaluate",
        help="score a model on a labelled volume",
        description="Segments each label with a simulated user's ROI and clicks, and prints how "
        "well the masks agree with it.",
    )
    command.set_defaults(run=evaluate)
    add = command.add_argument
    add("image", help="volume file, or folder with one DICOM series")
    add("label_map", help="label map, or .seg.nrrd with one layer")
    add("--label", nargs="+", type=int, metavar="N", help="labels to score (default: all)")
    add("--model", default=DEFAULT_MODEL, help="model name (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)")
    add(
        "--protocol",
        nargs="+",
        metavar="NAME",
        help=f"what the user does: {', '.join(PROTOCOLS)} (default: "
        f"{', '.join(protocol.name for protocol in DEFAULT_PROTOCOLS)})",
    )
    add("--clicks", type=int, default=CLICKS, help="number of clicks (default: %(default)s)")
    add(
        "--intensity-range",
        nargs=2,
        type=float,
        metavar=("LOWER", "UPPER"),
        help="intensities shown to the model from black to white (default: chosen)",
    )
    add("--csv", type=Path, metavar="FILE", help="also write a row per step to this file")
    add("--overwrite", action="store_true", help="replace the --csv file if there is one")
    add("--seed", type=int, default=0, help="of the shaking hand (default: %(default)s)")


def evaluate(options: argparse.Namespace) -> int:
    """Scores the labels of one volume, prints tables and writes the rows.

    Raises:
        InputError: if the files, labels or options cannot be used.
    """
    entry = model_entry(options.model)
    if entry.is_automatic:
        raise InputError(
            f"{entry.title} takes no prompts, and a simulated user only scores models that do: "
            "choose another model."
        )
    protocols = _protocols(options.protocol, options.clicks, entry)
    if options.seed < 0:
        raise InputError(f"The seed {options.seed} is negative: give 0 or a larger number.")
    writing = {"overwrite": options.overwrite, "inputs": (options.image, options.label_map)}
    if options.csv is not None:
        check_new_file(options.csv, **writing)
    check_packages()
    with stderr_silenced():
        case = load_case(options.image, options.label_map, options.label)
    for warning in case.warnings:
        print_to_stderr(warning)
    rows = _scored(case, entry, protocols, options)
    if options.csv is not None:
        write_rows(options.csv, rows, **writing)
    return 0


def _protocols(names: list[str] | None, clicks: int, entry: ModelEntry) -> list[Protocol]:
    if clicks < 1:
        raise InputError(f"{clicks} clicks are too few: for an ROI alone, give --protocol roi.")
    if names is None:
        fitting = [p for p in DEFAULT_PROTOCOLS if p.kinds <= set(entry.prompts)]
        chosen = fitting or [ROI_ALONE]
    elif unknown := [name for name in names if name not in PROTOCOLS]:
        raise InputError(
            f"There is no protocol {unknown[0]!r}: choose from {', '.join(PROTOCOLS)}."
        )
    else:
        chosen = [PROTOCOLS[name] for name in dict.fromkeys(names)]
    return [replace(p, clicks=clicks) if p.clicks else p for p in chosen]


def _scored(
    case: LabelledImage, entry: ModelEntry, protocols: list[Protocol], options: argparse.Namespace
) -> list[dict]:
    """Rows of all labels under all protocols; prints each table as soon as it is complete."""
    # With the rows in a file, the printed tables are not the result.
    say = print_result if options.csv is None else print_note
    rows: list[dict] = []
    clock = EncoderClock()
    client = InProcessClient(options.device)

    def predict(prompts: Prompts):
        given = options.intensity_range
        return client.predict(PredictionRequest(entry, case.image, prompts, intensity_range=given))

    try:
        for value in case.values:
            truth = case.mask(value)
            subject = _subject(case, value, truth, entry, options)
            for protocol in protocols:
                steps = run(predict, case.image, truth, protocol, options.seed, clock)
                rows += rows_of(subject, protocol, steps)
                say(f"Label {value}, {subject.volume_ml:.1f} ml, {protocol.name}\n")
                say(f"{_table(steps)}\n")
    finally:
        client.close()
    return rows


def _subject(
    case: LabelledImage, value: int, truth, entry: ModelEntry, options: argparse.Namespace
) -> Subject:
    return Subject(
        model=entry.name,
        version=__version__,
        case=Path(options.image).name,
        structure=f"label {value}",
        modality=case.image.modality or "",
        **measured(truth, case.image.geometry),
    )


def _table(steps: list[Step]) -> str:
    total = scores(steps)
    rows = [
        (s.interaction, number(s.dsc), number(s.nsd), number(s.seconds, 2), s.encoder_passes)
        for s in steps
    ]
    if total.dsc_auc is not None:
        rows.append(("AUC of the clicks", number(total.dsc_auc), number(total.nsd_auc), "", ""))
    final = (number(total.final_dsc), number(total.final_nsd))
    rows.append(("final", *final, f"{total.seconds:.2f} (median)", total.encoder_passes))
    return markdown_table(["step", "DSC", "NSD", "seconds", "encoder passes"], rows)
