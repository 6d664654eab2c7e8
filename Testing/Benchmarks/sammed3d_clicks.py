"""What a click on a large volume takes with SAM-Med3D, until the proposal is in Slicer's process.

512 x 512 x 300 voxels of 0.8 x 0.8 x 1.0 mm, the real network with random weights, the worker as in
Slicer: a process of its own, which leaves one core to the window. What such weights call an object
is noise all over the volume, so an ROI says how large it is: 100 mm for an organ, 180 mm for the
most that one cube can hold.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

RUNS, CLICKS = 3, 12
ORGAN_MM, CUBE_MM = 100.0, 180.0
PATIENCE_S = 120.0


def rows() -> list[dict]:
    """Benchmark rows: medians over the clicks, and over RUNS workers."""
    runs = [_run() for _ in range(RUNS)]
    found = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return [
        _row("next_click_ms", found["organ_ms"], "ms, object of 100 mm", 60),
        _row("next_click_cube_ms", found["cube_ms"], "ms, object of 180 mm: all of a cube"),
        _row("first_click_ms", found["first_ms"], "ms, model loaded, volume handed over"),
        _row("load_s", found["load_s"], "s, worker started, 402 MB read and checked"),
        _row("worker_peak_mb", found["peak_mb"], "MB, the worker, with the volume's 157"),
    ]


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict:
    return {"name": f"sam-med3d.{name}", "value": round(value, 3), "unit": unit, "goal": goal}


def _save_weights(folder: Path) -> Path:
    import torch

    from TestSupport.sammed3d_weights import random_weights

    path = folder / "random.pth"
    torch.save({"model_state_dict": random_weights(1)}, path)
    return path


def _run() -> dict:
    # In a folder of its own: the first use converts the weights.
    with tempfile.TemporaryDirectory() as folder:
        return _run_with(_save_weights(Path(folder)))


def _run_with(weights: Path) -> dict:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment["SAMSEGMENT_MODELS"] = str(weights.parent)
    command = [sys.executable, __file__, str(weights)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(result.stdout.splitlines()[-1])


class Asker:
    """A worker that is asked about one volume."""

    def __init__(self, weights: Path) -> None:
        import numpy as np

        from SAMSegmentLib.core.geometry import Geometry
        from SAMSegmentLib.core.image import Image
        from SAMSegmentLib.weights.catalogue import model_entry
        from SAMSegmentLib.weights.files import file_sha256
        from SAMSegmentLib.worker.client.process_client import WorkerClient

        published = model_entry("sam-med3d-turbo")
        self.entry = replace(published, file=weights.name, sha256=file_sha256(weights))
        geometry = Geometry(np.diag([0.8, 0.8, 1.0, 1.0]), (300, 512, 512))
        voxels = np.random.default_rng(0).integers(-1000, 1000, geometry.shape).astype(np.int16)
        self.image = Image(voxels, geometry, "CT")
        _ = self.image.value_range
        self.client = WorkerClient("cpu")

    def load(self) -> float:
        """Seconds until the model answers a small question."""
        import numpy as np

        from SAMSegmentLib.core.image import Image
        from SAMSegmentLib.core.prompts import Point, Prompts
        from TestSupport.phantoms import grid

        geometry = grid((8, 16, 16), (3, 3, 3))
        voxels = np.random.default_rng(0).integers(0, 99, geometry.shape).astype(np.int16)
        started = time.perf_counter()
        self.client.start()
        self.ask(Prompts(points=(Point((20, 20, 10)),)), Image(voxels, geometry, "MR"))
        return time.perf_counter() - started

    def ask(self, prompts, image=None) -> float:
        """ms from asking to the answer."""
        from SAMSegmentLib.worker.protocol.events import Failed, PredictionRequest, Proposed

        image = image or self.image
        started = time.perf_counter()
        self.client.ask(PredictionRequest(self.entry, image, prompts, image.geometry))
        while time.perf_counter() - started < PATIENCE_S:
            for event in self.client.poll():
                if isinstance(event, Failed):
                    raise SystemExit(str(event.error))
                if isinstance(event, Proposed):
                    return 1000 * (time.perf_counter() - started)
            time.sleep(0.001)
        raise SystemExit("The worker did not answer.")

    def clicks(self, size: float, first: list[float]) -> float:
        """Median ms of a further click on an object of some size; notes the first."""
        import numpy as np

        from SAMSegmentLib.core.prompts import Point, Prompts, Roi

        geometry = self.image.geometry
        center = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
        roi = Roi.from_box(center, (size,) * 3)
        first.append(self.ask(Prompts(roi)))
        random, points, times = np.random.default_rng(1), (), []
        for number in range(CLICKS):
            ras = center + random.uniform(-0.4 * size, 0.4 * size, 3)
            points = (*points, Point(tuple(ras), number % 2 == 0))
            times.append(self.ask(Prompts(roi, points)))
        return statistics.median(times)


def measure(weights: Path) -> dict:
    """One worker, loaded, asked, and clicked at."""
    from TestSupport.measure import memory_of

    asker = Asker(weights)
    first: list[float] = []
    result = {"load_s": asker.load()}
    result["organ_ms"] = asker.clicks(ORGAN_MM, first)
    result["cube_ms"] = asker.clicks(CUBE_MM, first)
    result["first_ms"] = first[0]
    result["peak_mb"] = memory_of(asker.client.info.pid, "VmHWM")
    asker.client.close()
    return result


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
