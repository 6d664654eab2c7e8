"""What SAMSegment adds to the start of Slicer, and what starting its worker takes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from TestSupport.measure import memory_of

RUNS = 3
PATIENCE_S = 120.0


def rows() -> list[dict]:
    """Benchmark rows: medians of RUNS new processes each."""
    starts = [_run("slicer") for _ in range(RUNS)]
    workers = [_run("worker") for _ in range(RUNS)]

    def median(runs, key: str) -> float:
        return round(statistics.median(run[key] for run in runs), 3)

    return [
        {
            "name": "slicer.start_added_ms",
            "value": median(starts, "added_ms"),
            "unit": "ms, import and registration, new interpreter, no torch",
            "goal": 50,
        },
        {
            "name": "worker.cold_start_s",
            "value": median(workers, "ready_s"),
            "unit": "s until it can be asked: Python, torch",
            "goal": None,
        },
        {
            "name": "worker.model_s",
            "value": median(workers, "loaded_s"),
            "unit": "s from there to the first answer: weights, a small ROI",
            "goal": None,
        },
        {
            "name": "worker.idle_mb",
            "value": median(workers, "idle_mb"),
            "unit": "MB, ready, no model asked yet",
            "goal": None,
        },
    ]


def _run(part: str) -> dict:
    result = subprocess.run(
        [sys.executable, __file__, part], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(result.stdout.splitlines()[-1])


def measure_slicer() -> dict:
    """What Slicer does with the module while it starts, in a process that never saw it."""
    from pathlib import Path

    from SlicerHost.application import Application

    module = Path(__file__).parents[2] / "SAMSegment" / "SAMSegment.py"
    application = Application()
    started = time.perf_counter()
    application.load_module(module)
    application.start()
    added = time.perf_counter() - started
    if "torch" in sys.modules:
        raise SystemExit("torch was imported while Slicer started.")
    import slicer

    if "SAM Segment" not in slicer.qMRMLSegmentEditorWidget().availableEffectNames():
        raise SystemExit("The effect was not registered.")
    application.close()
    return {"added_ms": 1000 * added}


def measure_worker() -> dict:
    """A worker process from nothing."""
    from SAMSegmentLib.core.image import Image
    from SAMSegmentLib.core.prompts import Prompts, Roi
    from SAMSegmentLib.weights.catalogue import model_entry
    from SAMSegmentLib.worker.client.process_client import WorkerClient
    from SAMSegmentLib.worker.protocol.events import Failed, PredictionRequest, Proposed, Ready
    from TestSupport.phantoms import ct_with_ball, grid

    client = WorkerClient("cpu")
    started = time.perf_counter()
    client.start()
    _until(client, Ready)
    ready = time.perf_counter() - started
    time.sleep(0.5)
    idle = memory_of(client.info.pid, "VmRSS")
    geometry = grid((2, 32, 32))
    image = Image(ct_with_ball(geometry, (24, 24, 2), 10).voxels, geometry)
    roi = Roi.from_box((24, 24, 1.5), (22, 22, 5))
    request = PredictionRequest(model_entry("litemedsam"), image, Prompts(roi=roi), geometry)
    asked = time.perf_counter()
    client.ask(request)
    event = _until(client, Proposed | Failed)
    if isinstance(event, Failed):
        raise SystemExit(str(event.error))
    loaded = time.perf_counter() - asked
    client.close()
    return {"ready_s": ready, "loaded_s": loaded, "idle_mb": idle}


def _until(client, kind):
    end = time.perf_counter() + PATIENCE_S
    while time.perf_counter() < end:
        for event in client.poll():
            if isinstance(event, kind):
                return event
        time.sleep(0.005)
    raise SystemExit("The worker did not answer.")


if __name__ == "__main__":
    PARTS = {"slicer": measure_slicer, "worker": measure_worker}
    print(json.dumps(PARTS[sys.argv[1]]()))
