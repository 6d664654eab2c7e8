"""What the effect costs Slicer's main thread and memory, on a volume of 512 x 512 x 600.

The worker answers at once there (TestSupport.large_engine), so that what is measured is the panel:
copying the volume in pieces, masks, MRML, drawing. A click on a real CT with the real model is
measured, too, with what its slices were encoded to kept.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from TestSupport.measure import memory_of

RUNS = 3
CLICKS = 5
LARGE, SMALL = (600, 512, 512), (160, 200, 200)


def rows() -> list[dict]:
    """Benchmark rows: medians of RUNS new processes; with the real model, of one."""
    large, small = (_median([_run(part) for _ in range(RUNS)]) for part in ("large", "small"))
    real = _run("real")
    return [
        _row("ui.main_thread_max_ms", large["longest_ms"], "ms, worst event, 512x512x600", 16),
        _row("ui.drawing_max_ms", large["drawing_ms"], "ms, worst drawing of a view, no GPU"),
        _row("ui.first_click_s", large["first_s"], "s, volume copied, preview seen"),
        _row("ui.preview_ms", large["click_ms"], "ms, click to preview without the model's time"),
        _row(
            "ui.preview_ratio", large["click_ms"] / small["click_ms"], "same object in 200x200x160"
        ),
        _row("ui.threshold_ms", large["threshold_ms"], "ms, another threshold"),
        _row("ui.apply_ms", large["plain_ms"], "ms, Apply"),
        _row("ui.apply_masked_ms", large["masked_ms"], "ms, inside another segment"),
        _row("ui.apply_range_ms", large["range_ms"], "ms, with an editable intensity range"),
        _row("ui.added_peak_mb", large["added_mb"], "MB added to Slicer's side at most"),
        _row("worker.peak_mb", large["worker_peak_mb"], "MB, the worker's side, no model"),
        _row("ui.click_to_preview_ms", real["click_ms"], "ms, real CT and model, slices encoded"),
        _row("worker.real_peak_mb", real["worker_peak_mb"], "MB, the worker, real CT and model"),
    ]


def _median(runs: list[dict]) -> dict:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict:
    return {"name": name, "value": round(value, 3), "unit": unit, "goal": goal}


def _run(part: str) -> dict:
    result = subprocess.run(
        [sys.executable, __file__, part], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(result.stdout.splitlines()[-1])


def measure_large(shape: tuple[int, int, int]) -> dict:
    """Clicks, thresholds and Apply with an engine that answers at once."""
    from effect_user import Pulse, User, large_volume

    from SlicerHost.views import SliceView, ThreeDView

    matrix, voxels, center, radius = large_volume(shape)
    user = User(matrix, voxels, "large")
    user.ready()
    views = [SliceView(user.application, "Red", size=(600, 600))]
    views.append(ThreeDView(user.application, size=(600, 600)))
    user.application.add_views(*views)
    views[0].show(user.volume)
    views[0].look_at(center)
    for view in views:
        view.render()
    user.application.wait(seconds=0.5)
    before = _reset_peak()
    clicks, thresholds = [], []
    with Pulse(views) as pulse:
        first = _timed(lambda: (user.place(center), user.wait_for_proposal()))
        user.application.wait(seconds=1.5)
        for number in range(CLICKS):
            ras = (center[0] + radius - 8 - number, center[1], center[2])
            clicks.append(
                _timed(lambda ras=ras: (user.place(ras, False), user.wait_for_proposal()))
            )
            user.application.wait(seconds=1.0)
        for value in (0.4, 0.6, 0.3, 0.7, 0.5):
            thresholds.append(_timed(lambda value=value: _threshold(user, value)))
            user.application.wait(seconds=0.2)
    result = {
        "longest_ms": 1000 * pulse.longest,
        "drawing_ms": 1000 * pulse.longest_drawing,
        "first_s": first,
        "click_ms": 1000 * statistics.median(clicks),
        "threshold_ms": 1000 * statistics.median(thresholds),
        **_applied(user, center),
        "added_mb": memory_of("self", "VmHWM") - before,
        "worker_peak_mb": memory_of(user.client.info.pid, "VmHWM"),
    }
    user.close()
    return result


def _threshold(user, value: float) -> None:
    user.session.set_parameter("Threshold", value)
    user.wait(lambda: not user.session._steps.is_running("show"))


def _applied(user, center) -> dict:
    import slicer

    node = user.editor.mrmlSegmentEditorNode()
    inside = slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment
    everywhere = slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    seconds = {}

    def apply(name: str) -> None:
        seconds[f"{name}_ms"] = 1000 * _timed(user.session.apply)
        user.application.wait(seconds=0.5)

    apply("plain")
    user.editor.setCurrentSegmentID(user.second)
    user.session.set_parameter("KeepOut", 0)
    user.place(center)
    user.wait_for_proposal()
    node.SetMaskSegmentID(user.first)
    node.SetMaskMode(inside)
    apply("masked")
    node.SetMaskMode(everywhere)
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(100, 300)
    user.place((center[0] + 20, center[1], center[2]), False)
    user.wait_for_proposal()
    apply("range")
    return seconds


def measure_real() -> dict:
    """Correcting clicks on a lung of the sample CT, with the real model."""
    from effect_user import User

    from TestSupport.cases import chest_ct

    case = chest_ct()
    lung = case.labels == 5
    import numpy as np

    inside = np.argwhere(lung)
    middle = inside[np.abs(inside - inside.mean(0)).sum(1).argmin()]
    center = case.image.geometry.to_ras(middle[::-1].astype(float))
    user = User(case.image.geometry.ijk_to_ras, case.image.voxels)
    user.ready()
    user.place(center)
    user.wait_for_proposal()
    clicks = []
    for number in range(CLICKS):
        ras = case.image.geometry.to_ras(inside[(number + 1) * len(inside) // (CLICKS + 2)][::-1])
        user.place(ras)
        user.wait_for_proposal()
        user.session.undo()
        user.wait_for_proposal()
        # The same click again: what it needs is encoded, but the answer was to other prompts.
        clicks.append(_timed(lambda ras=ras: (user.place(ras, False), user.wait_for_proposal())))
        user.session.undo()
        user.wait_for_proposal()
    result = {
        "click_ms": 1000 * statistics.median(clicks),
        "worker_peak_mb": memory_of(user.client.info.pid, "VmHWM"),
    }
    user.close()
    return result


def _timed(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _reset_peak() -> float:
    """Lets the peak of this process's memory begin anew; MB that it has now."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
            control.write("5")
    except OSError:
        return float("nan")
    return memory_of("self", "VmRSS")


if __name__ == "__main__":
    PARTS = {
        "large": lambda: measure_large(LARGE),
        "small": lambda: measure_large(SMALL),
        "real": measure_real,
    }
    print(json.dumps(PARTS[sys.argv[1]]()))
