"""A Segment Editor with the effect, as the benchmarks drive it: no test, no assertions."""

from __future__ import annotations

import time

import numpy as np

from SlicerHost.application import Application
from SlicerHost.scene_builder import SceneBuilder
from TestSupport.catalogue_models import model_run_by
from TestSupport.effect_user import EffectUser, register_effect


class User(EffectUser):
    """The effect, chosen in an open Segment Editor.

    Args:
        ijk_to_ras, voxels: of the volume.
        architecture: that runs the model, see TestSupport.dist-info; None: its own.
    """

    def __init__(self, ijk_to_ras, voxels, architecture: str | None = None) -> None:
        application = Application()
        register_effect(application)
        self._use(architecture)
        builder = SceneBuilder(application)
        volume = builder.volume(ijk_to_ras, voxels=voxels)
        segmentation = builder.segmentation(volume)
        for name in ("First", "Second"):
            segmentation.GetSegmentation().AddEmptySegment("", name)
        super().__init__(application, volume, segmentation)
        self.first, self.second = self.segments
        self.choose_effect()

    @property
    def client(self):
        return self.session._service.client

    def ready(self) -> float:
        """Waits for the worker; seconds."""
        started = time.perf_counter()
        self.wait(lambda: self.client.info is not None)
        return time.perf_counter() - started

    def close(self) -> None:
        from SAMSegmentLib.ui.common.worker_service import close_shared_service

        self.application.close()
        close_shared_service()

    def _use(self, architecture: str | None) -> None:
        from SAMSegmentLib.ui.common import worker_service
        from SAMSegmentLib.weights.catalogue import DEFAULT_MODEL, catalogue
        from SAMSegmentLib.worker.client.process_client import WorkerClient

        if architecture is not None:
            catalogue()[DEFAULT_MODEL] = model_run_by(architecture, DEFAULT_MODEL)
            worker_service._shared = worker_service.WorkerService(
                lambda device: WorkerClient("cpu")
            )


class Pulse:
    """The longest time for which Qt's event loop did not come round.

    A timer without delay runs between any two events; the views draw there, as Slicer's do from a
    timer of theirs.
    """

    def __init__(self, views=()) -> None:
        import qt

        self.longest = 0.0
        self.longest_drawing = 0.0
        self._views = views
        self._last = None
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> Pulse:
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_) -> None:
        self._timer.stop()

    def _beat(self) -> None:
        self.longest = max(self.longest, time.perf_counter() - self._last)
        for view in self._views:
            started = time.perf_counter()
            view.render_if_requested()
            self.longest_drawing = max(self.longest_drawing, time.perf_counter() - started)
        self._last = time.perf_counter()


def large_volume(shape=(600, 512, 512), spacing=(0.8, 0.8, 1.0), radius=70.0):
    """4x4, voxels, centre and radius (mm) of a liver-sized bright ball in grey tissue."""
    matrix = np.diag([*spacing, 1.0])
    voxels = np.full(shape, 40, dtype=np.int16)
    center = (np.array(shape[::-1]) / 2).round() * spacing
    reach = np.ceil(radius / np.array(spacing[::-1])).astype(int)
    middle = np.array(shape) // 2
    box = tuple(slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))
    index = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij"), -1)
    away = np.linalg.norm((index - middle) * spacing[::-1], axis=-1)
    voxels[box][away <= radius] = 200
    return matrix, voxels, tuple(float(value) for value in center), radius
