"""Rows of scores as an evaluation gives them, made up."""

from __future__ import annotations

import numpy as np

from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.evaluation.protocol import ROI_THEN_CLICKS, Step
from SAMSegmentLib.evaluation.report import Subject, rows_of

MASK = np.ones((1, 1, 1), dtype=bool)


def rows(case="a", structure="liver", dscs=(0.5, 0.6, 0.7), protocol=ROI_THEN_CLICKS, **about):
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
    names = ["roi", *(f"click {n}" for n in range(1, len(dscs)))]
    steps = [
        Step(name, Prompts(), dsc, dsc / 2, 2.0, 3, MASK)
        for name, dsc in zip(names, dscs, strict=True)
    ]
    return rows_of(subject, protocol, steps)
