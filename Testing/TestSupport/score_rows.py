"""Rows of scores as an evaluation gives them, made up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.evaluation.protocol import ROI_THEN_CLICKS, Step
from SAMSegmentLib.evaluation.report import Subject, rows_of

MASK = np.ones((1, 1, 1), dtype=bool)


def rows(
    case="a",
    structure="liver",
    dscs=(0.5, 0.6, 0.7),
    protocol=ROI_THEN_CLICKS,
    negative=(),
    **about,
):
    """An object's rows, a Dice a step; `negative`: the numbers of negative clicks."""
    subject = Subject(
        **{
            "model": "m",
            "version": "1",
            "case": case,
            "structure": structure,
            "voxels": 1000,
            "volume_ml": 20.0,
            "slice_thickness_mm": 3.0,
            "split": "tuning",
            "modality": "CT",
            "group": "organ",
            **about,
        }
    )
    steps = [
        Step(name, _prompts(name, negative), dsc, dsc / 2, 2.0, 3, MASK)
        for name, dsc in zip(protocol.interactions, dscs, strict=False)
    ]
    return rows_of(subject, protocol, steps)


def _prompts(interaction: str, negative: Sequence[int]) -> Prompts:
    number = 0 if interaction == "roi" else int(interaction.split()[-1])
    clicks = range(1, number + 1)
    return Prompts(points=tuple(Point((0, 0, 0), n not in negative) for n in clicks))
