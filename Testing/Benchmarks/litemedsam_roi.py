"""What a user waits for: one lung of the sample CT, from an ROI to the segment, in a new process.

The process imports everything, loads the weights, segments, and writes through Slicer's own data
structures. Peak memory is that of the whole process.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

RUNS = 3


def rows() -> list[dict]:
    """Benchmark rows: median of RUNS new processes."""
    runs = [_run() for _ in range(RUNS)]

    def median(key: str) -> float:
        return round(statistics.median(run[key] for run in runs), 3)

    return [
        {
            "name": "litemedsam.roi.seconds",
            "value": median("seconds"),
            "unit": f"s, {runs[0]['slices']} slices, weights loaded before",
            "goal": None,
        },
        {
            "name": "litemedsam.roi.seconds_per_slice",
            "value": round(median("seconds") / runs[0]["slices"], 3),
            "unit": "s",
            "goal": None,
        },
        {
            "name": "litemedsam.roi.load_seconds",
            "value": median("load_seconds"),
            "unit": "s, imports and weights",
            "goal": None,
        },
        {
            "name": "litemedsam.roi.again_seconds",
            "value": median("again_seconds"),
            "unit": "s, the same ROI again: its answer is kept",
            "goal": None,
        },
        {
            "name": "litemedsam.roi.peak_mb",
            "value": median("peak_mb"),
            "unit": "MB",
            "goal": None,
        },
    ]


def _run() -> dict:
    result = subprocess.run(
        [sys.executable, __file__], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(result.stdout.splitlines()[-1])


def measure() -> dict:
    """One run in this process."""
    started = time.perf_counter()
    from SAMSegmentLib import SAMSegmentLogic
    from SlicerHost.scene import HeadlessScene
    from SlicerHost.scene_builder import SceneBuilder
    from TestSupport.cases import chest_ct
    from TestSupport.measure import peak_memory_mb

    case = chest_ct()
    builder = SceneBuilder(HeadlessScene())
    volume = builder.volume(case.image.geometry.ijk_to_ras, voxels=case.image.voxels)
    segmentation = builder.segmentation(volume)
    lung = case.roi(5)
    roi = builder.roi(lung.center, lung.size, lung.axes)
    # A first, flat ROI pays for imports and weights.
    flat = builder.roi(lung.center, (*lung.size[:2], 1), lung.axes)
    logic = SAMSegmentLogic(device="cpu", inProcess=True)
    logic.segment(volume, segmentation, roi=flat)
    loaded = time.perf_counter()
    # A new key: the slices that the flat ROI had encoded count as not seen.
    volume.GetImageData().Modified()

    segment_id = logic.segment(volume, segmentation, roi=roi)
    done = time.perf_counter()
    logic.segment(volume, segmentation, segmentId=segment_id, roi=roi)
    return {
        "slices": round(lung.size[2] / case.image.geometry.spacing[2]),
        "load_seconds": loaded - started,
        "seconds": done - loaded,
        "again_seconds": time.perf_counter() - done,
        "peak_mb": peak_memory_mb(),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
