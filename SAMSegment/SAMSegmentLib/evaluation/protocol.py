"""Segmentation of one object by a simulated user, scored after each interaction.

Source: CVPR 2025 challenge on interactive 3D segmentation (JunMa11/CVPR-MedSegFMCompetition): an
ROI, then up to five clicks, each in the middle of the largest remaining error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from math import nan
from statistics import median

import numpy as np

from ..core.answer import Answer, Cost
from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.image import Image
from ..core.prompts import Point, Prompts
from .metrics import dsc, nsd
from .simulated_user import next_click, roi_around, shaken_point, shaken_roi

CLICKS = 5
ROI_STEP = "roi"
#: Up to this DSC, the challenge sets the NSD to 0, since surfaces may be close by chance.
LEAST_DSC_FOR_NSD = 0.2

Predict = Callable[[Prompts], Answer]


@dataclass(frozen=True)
class Protocol:
    """The interactions of a simulated user.

    Attributes:
        name: its name in scripts and in the shell.
        with_roi: whether it begins with an ROI around the object.
        clicks: the number of clicks that follow.
        shaken: whether ROI and clicks are inexact, as those of people (see simulated_user).
    """

    name: str
    with_roi: bool
    clicks: int = CLICKS
    shaken: bool = False

    @property
    def interactions(self) -> tuple[str, ...]:
        """The names of its interactions, such as "roi", "click 1", "click 2"."""
        clicks = tuple(f"click {number}" for number in range(1, self.clicks + 1))
        return (ROI_STEP, *clicks) if self.with_roi else clicks

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of prompt that it needs: "roi", "points"."""
        needed = {"roi": self.with_roi, "points": self.clicks > 0}
        return frozenset(kind for kind, is_needed in needed.items() if is_needed)


ROI_ALONE = Protocol("roi", with_roi=True, clicks=0)
ROI_THEN_CLICKS = Protocol("roi_then_clicks", with_roi=True)
SHAKEN_ROI_THEN_CLICKS = Protocol("shaken_roi_then_clicks", with_roi=True, shaken=True)
CLICKS_ALONE = Protocol("clicks_alone", with_roi=False)
SHAKEN_CLICKS_ALONE = Protocol("shaken_clicks_alone", with_roi=False, shaken=True)
#: All protocols by name; the first step of roi_then_clicks is the only step of roi.
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        ROI_ALONE,
        ROI_THEN_CLICKS,
        SHAKEN_ROI_THEN_CLICKS,
        CLICKS_ALONE,
        SHAKEN_CLICKS_ALONE,
    )
}


@dataclass(frozen=True, eq=False)
class Step:
    """The state after one interaction.

    Attributes:
        interaction: "roi", "click 1", ...
        prompts: all prompts so far, in RAS.
        dsc, nsd: scores of the mask; see metrics, and LEAST_DSC_FOR_NSD. The nsd is NaN if surfaces
            were not compared.
        seconds: time that the user would have waited.
        encoder_passes: number of inputs that would have been encoded.
        mask: boolean, (k, j, i) of the image's grid.
        repeated: whether the mask was perfect before, so that the user did nothing.
    """

    interaction: str
    prompts: Prompts
    dsc: float
    nsd: float
    seconds: float
    encoder_passes: int
    mask: np.ndarray
    repeated: bool = False

    @property
    def click(self) -> str:
        """ "positive" or "negative"; "" for an ROI, or if the user did nothing."""
        if self.repeated or self.interaction == ROI_STEP:
            return ""
        return "positive" if self.prompts.points[-1].positive else "negative"


@dataclass(frozen=True)
class Scores:
    """One object's scores over a protocol.

    Attributes:
        dsc_auc, nsd_auc: area under the scores of the clicks; None with fewer than two clicks.
        final_dsc, final_nsd: after the last step.
        seconds: median of the interactions that took place.
        encoder_passes: sum over all steps.
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
    """Area under the scores by the trapezoidal rule; None for fewer than two clicks.

    Steps are 1, so five clicks give at most 4.

    Source: CVPR 2025 challenge on interactive 3D segmentation, which leaves out the ROI's step.
    """
    return sum(values) - (values[0] + values[-1]) / 2 if len(values) > 1 else None


class EncoderClock:
    """Mean time of the encoder per input, over all inputs that were encoded so far."""

    def __init__(self) -> None:
        self._pictures = 0
        self._seconds = 0.0

    def add(self, cost: Cost) -> None:
        """Adds the measured encodings of a prediction."""
        self._pictures += cost.encoded
        self._seconds += cost.encoder_seconds

    @property
    def seconds_per_picture(self) -> float:
        """Mean time in seconds; 0 before the first measurement."""
        return self._seconds / self._pictures if self._pictures else 0.0


def run(
    predict: Predict,
    image: Image,
    truth: np.ndarray,
    protocol: Protocol,
    seed: int = 0,
    clock: EncoderClock | None = None,
    surfaces: bool = True,
) -> list[Step]:
    """Segments one object by a protocol.

    All earlier prompts are passed again with each new one. Once the mask equals the truth, the
    remaining steps repeat it at no cost.

    A step's time and encoder passes are those of a user who segments only this object: an input
    that was encoded for another object or protocol before counts as encoded when this object first
    needs it, at the encoder's mean time. The measured time alone would be too short.

    Args:
        predict: returns the prediction on the image's grid for prompts in the image's RAS.
        image: the volume.
        truth: boolean, (k, j, i) of the image's grid.
        protocol: the interactions.
        seed: for inexact prompts.
        clock: pass the same one to all runs that share cached embeddings.
        surfaces: whether surfaces are compared, which takes longest where voxels are fine.

    Raises:
        InputError: if the truth is empty or has another shape, or what `predict` raises.
    """
    _check_truth(truth, image.geometry)
    truth = truth.astype(bool, copy=False)
    user = _User(truth, image.geometry, protocol, seed)
    clock = clock or EncoderClock()
    seen: set[Hashable] = set()
    mask, steps = np.zeros_like(truth), []
    for interaction in protocol.interactions:
        if not user.act(interaction, mask):
            steps.append(_repeated(steps[-1], interaction))
            continue
        started = time.perf_counter()
        prediction = predict(user.prompts)
        seconds = time.perf_counter() - started
        clock.add(prediction.cost)
        passes = len(prediction.cost.pictures - seen)
        seen |= prediction.cost.pictures
        seconds += passes * clock.seconds_per_picture - prediction.cost.encoder_seconds
        mask = prediction.mask().astype(bool)
        if surfaces:
            scores = score_mask(truth, mask, image.geometry.spacing)
        else:
            scores = dsc(truth, mask), nan
        steps.append(Step(interaction, user.prompts, *scores, seconds, passes, mask))
    return steps


def score_mask(truth: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> tuple[float, float]:
    """DSC and NSD as in the challenge; spacing along (i, j, k) in mm."""
    overlap = dsc(truth, mask)
    return overlap, nsd(truth, mask, spacing) if overlap > LEAST_DSC_FOR_NSD else 0.0


class _User:
    """The simulated user of one object, with the prompts so far."""

    def __init__(self, truth: np.ndarray, geometry: Geometry, protocol: Protocol, seed: int):
        self._truth, self._geometry = truth, geometry
        self._shaken = protocol.shaken
        self._rng = np.random.default_rng(seed)
        self.prompts = Prompts()

    def act(self, interaction: str, mask: np.ndarray) -> bool:
        """Adds the next prompt for the current mask; False if there is nothing to correct."""
        if interaction == ROI_STEP:
            roi = roi_around(self._truth, self._geometry)
            self.prompts = Prompts(shaken_roi(roi, self._rng) if self._shaken else roi)
            return True
        point = next_click(self._truth, mask, self._geometry)
        if point is None:
            return False
        self.prompts = replace(self.prompts, points=(*self.prompts.points, self._placed(point)))
        return True

    def _placed(self, point: Point) -> Point:
        return shaken_point(point, self._geometry, self._rng) if self._shaken else point


def _repeated(step: Step, interaction: str) -> Step:
    return replace(step, interaction=interaction, seconds=0.0, encoder_passes=0, repeated=True)


def _check_truth(truth: np.ndarray, geometry: Geometry) -> None:
    if truth.shape != geometry.shape:
        raise InputError(
            f"The truth {truth.shape} is not on the image's grid {geometry.shape}: resample it."
        )
    if not truth.any():
        raise InputError("The truth is empty: there is nothing to segment.")
