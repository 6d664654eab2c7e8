"""What a user waits for with the default model: the first preview, the first mask, a further click.

A lung of the sample chest CT and the liver of an abdominal CT, from an ROI around each to the final
proposal, then five clicks of a simulated user. The worker is as in Slicer: a process of its own,
which leaves one core to the window. It may use no more than AVX2. The model is loaded before, and
the volume is new to it. The abdominal CT lies beside the project; without it, only the lung counts.
Beside the time that was waited, the rows tell what the worker computed meanwhile, which other
programs hardly change.

Run as a script to see a table: python Testing/Benchmarks/first_mask.py [MODEL]
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in ("SAMSegment", "Testing"):
    if str(REPOSITORY / folder) not in sys.path:
        sys.path.insert(0, str(REPOSITORY / folder))

from sides import AVX2, limited  # noqa: E402

from SAMSegmentLib.core.image import Image  # noqa: E402
from SAMSegmentLib.core.overlap import dice  # noqa: E402
from SAMSegmentLib.core.prompts import Prompts  # noqa: E402
from SAMSegmentLib.core.proposal import Proposal  # noqa: E402
from SAMSegmentLib.core.smoothing import SMOOTHING_MM  # noqa: E402
from SAMSegmentLib.evaluation.simulated_user import next_click, roi_around  # noqa: E402
from SAMSegmentLib.weights.catalogue import DEFAULT_MODEL, ModelEntry, model_entry  # noqa: E402
from SAMSegmentLib.worker.client.process_client import WorkerClient  # noqa: E402
from SAMSegmentLib.worker.protocol.events import (  # noqa: E402
    Failed,
    PredictionRequest,
    Preview,
    Proposed,
)
from TestSupport.cases import DATA, Case, chest_ct, shared_case  # noqa: E402
from TestSupport.measure import cpu_seconds_of  # noqa: E402

RUNS, CLICKS = 3, 5
RIGHT_LUNG, LIVER = 5, 5
PATIENCE_S = 600.0
GOALS = {"first_mask": 3.0, "first_preview": 0.5, "next_click": 0.3}


class Seconds(NamedTuple):
    """Seconds that were waited, and CPU seconds of the worker meanwhile."""

    waited: float
    computed: float


@dataclass(frozen=True)
class Session:
    """What one user waited for.

    Attributes:
        first_preview: until there is anything to see.
        first_mask: until the answer to the ROI is final.
        next_clicks: for the answer to each click.
        dices: after the ROI and after the last click.
    """

    first_preview: Seconds
    first_mask: Seconds
    next_clicks: tuple[Seconds, ...]
    dices: tuple[float, float]

    def of(self, what: str) -> tuple[Seconds, ...]:
        """All that belongs to a row."""
        return self.next_clicks if what == "next_click" else (getattr(self, what),)


def rows(model: str = DEFAULT_MODEL) -> list[dict]:
    """Benchmark rows: means over the objects of medians over RUNS."""
    objects = {"lung": (chest_ct(), RIGHT_LUNG)}
    if DATA.is_dir():
        objects["liver"] = (shared_case("ct_abdomen_3mm"), LIVER)
    with limited(AVX2 | {"OMP_NUM_THREADS": None}):
        asker = Asker(model_entry(model))
        sessions = {
            name: [asker.user(case, label) for _ in range(RUNS)]
            for name, (case, label) in objects.items()
        }
        asker.client.close()
    told = ", ".join(
        f"{name} {runs[0].dices[0]:.2f}, {runs[0].dices[1]:.2f}" for name, runs in sessions.items()
    )
    units = {
        "first_mask": "ROI to final proposal",
        "first_preview": "ROI to first preview",
        "next_click": f"click to proposal; Dice after ROI and {CLICKS} clicks: {told}",
    }
    return [_row(what, unit, model, list(sessions.values())) for what, unit in units.items()]


def _row(what: str, unit: str, model: str, sessions: list[list[Session]]) -> dict:
    """Means over the objects of medians over all that was waited for."""
    spans = [[span for session in runs for span in session.of(what)] for runs in sessions]
    waited, computed = (
        statistics.mean(statistics.median(span[n] for span in of_object) for of_object in spans)
        for n in (0, 1)
    )
    return {
        "name": f"{what}.seconds",
        "value": round(waited, 3),
        "unit": f"s, {model}, AVX2, {computed:.2f} CPU s, {unit}",
        "goal": GOALS[what],
    }


class Asker:
    """A worker that has loaded a model."""

    def __init__(self, entry: ModelEntry) -> None:
        self._entry = entry
        self.client = WorkerClient("cpu")
        self.client.start()
        # A small volume pays for imports, weights and what a first pass sets up.
        case = chest_ct()
        box = (slice(10, 26), slice(30, 110), slice(8, 118))
        voxels = np.ascontiguousarray(case.image.voxels[box])
        image = Image(voxels, case.image.geometry.crop((10, 30, 8), voxels.shape), "CT")
        truth = case.labels[box] == RIGHT_LUNG
        self.ask(image, Prompts(roi_around(truth, image.geometry)))

    def ask(self, image: Image, prompts: Prompts) -> tuple[Seconds, Seconds, Proposal]:
        """What it took until something is to be seen, and until the answer; and the answer."""
        started, computed = time.perf_counter(), self._computed()

        def now() -> Seconds:
            return Seconds(time.perf_counter() - started, self._computed() - computed)

        # As the effect asks.
        request = PredictionRequest(self._entry, image, prompts, smoothing_mm=SMOOTHING_MM)
        self.client.ask(request)
        seen = None
        while time.perf_counter() - started < PATIENCE_S:
            for event in self.client.poll():
                if isinstance(event, Failed):
                    raise SystemExit(str(event.error))
                if isinstance(event, Preview) and seen is None:
                    seen = now()
                if isinstance(event, Proposed):
                    taken = now()
                    return seen or taken, taken, event.proposals[0]
            time.sleep(0.001)
        raise SystemExit("The worker did not answer.")

    def user(self, case: Case, label: int) -> Session:
        """Draws an ROI around an object and clicks, in a volume that is new to the worker."""
        self.client.forget_images()
        image = Image(case.image.voxels, case.image.geometry, case.image.modality)
        truth = case.labels == label
        prompts = Prompts(roi_around(truth, image.geometry))
        preview, mask, proposal = self.ask(image, prompts)
        found = _mask_of(proposal)
        clicks, first = [], dice(truth, found)
        for _ in range(CLICKS):
            click = next_click(truth, found, image.geometry)
            if click is None:
                break
            prompts = replace(prompts, points=(*prompts.points, click))
            _, taken, proposal = self.ask(image, prompts)
            clicks.append(taken)
            found = _mask_of(proposal)
        return Session(preview, mask, tuple(clicks), (first, dice(truth, found)))

    def _computed(self) -> float:
        info = self.client.info
        return 0.0 if info is None else cpu_seconds_of(info.pid)


def _mask_of(proposal: Proposal) -> np.ndarray:
    whole = np.zeros(proposal.geometry.shape, dtype=bool)
    start, box = proposal.levels.start, proposal.box_mask()
    whole[tuple(slice(a, a + n) for a, n in zip(start, box.shape, strict=True))] = box
    return whole


def main() -> int:
    for row in rows(*sys.argv[1:]):
        print(f"{row['name']:<24}{row['value']:>9.3f}  goal {row['goal']:g}  {row['unit']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
