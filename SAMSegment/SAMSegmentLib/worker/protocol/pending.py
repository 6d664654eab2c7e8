"""What a WorkerClient still has to hand to its child."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.image import Image
from .events import PredictionRequest


@dataclass(eq=False)
class Pending:
    """The request that is to be answered.

    Attributes:
        is_sent: whether the child has it.
        told: what was said last of what it waits for, and how much of that is done, in percent.
    """

    number: int
    request: PredictionRequest
    is_sent: bool = False
    told: tuple[str, int] = ("", 0)


@dataclass(frozen=True, eq=False)
class Glance:
    """Where the user looks: work ahead of need."""

    image: Image
    ras: tuple[float, float, float]
    intensity_range: tuple[float, float] | None
