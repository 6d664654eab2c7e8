"""What the steps of one object come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .protocol import ROI_STEP, Step


@dataclass(frozen=True)
class Scores:
    """One object's scores over a protocol.

    Attributes:
        dsc_auc, nsd_auc: area under the scores of the clicks; None with fewer than two clicks.
        final_dsc, final_nsd: after the last step.
        seconds: median of the interactions that were made.
        encoder_passes: of all steps together.
    """

    dsc_auc: float | None
    nsd_auc: float | None
    final_dsc: float
    final_nsd: float
    seconds: float
    encoder_passes: int


def scores(steps: Sequence[Step]) -> Scores:
    """The scores of an object's steps, which must not be empty."""
    clicks = [step for step in steps if step.interaction != ROI_STEP]
    return Scores(
        area_under_clicks([step.dsc for step in clicks]),
        area_under_clicks([step.nsd for step in clicks]),
        steps[-1].dsc,
        steps[-1].nsd,
        median(step.seconds for step in steps if not step.repeated),
        sum(step.encoder_passes for step in steps),
    )


def area_under_clicks(values: Sequence[float]) -> float | None:
    """Trapezoids at unit steps: 4 at most for five clicks; None for fewer than two.

    Source: CVPR 2025 challenge on interactive 3D segmentation, which leaves the ROI's step out.
    """
    return sum(values) - (values[0] + values[-1]) / 2 if len(values) > 1 else None
