"""Predictions in this process, such as for scripts."""

from __future__ import annotations

import importlib

from ...core.answer import Answer
from ...core.progress import CancelFlag, ProgressCallback, Watch
from ..protocol.events import PredictionRequest


class InProcessClient:
    """Runs models in this process; the first prediction imports torch and loads the weights.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._predictor = None

    def predict(
        self,
        request: PredictionRequest,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> Answer:
        """What the model answers, on the image's grid.

        Raises:
            InputError: if image, prompts and model do not go together.
            Cancelled, OutOfMemoryError, WeightsError, MissingPackageError: nothing was changed.
        """
        # Before torch is imported and a model loaded.
        request.check()
        _ = request.image.value_range
        request.model.check_installed()
        return self._start().predict(request, Watch(progress, cancel))

    def close(self) -> None:
        """Gives the models and their memory up."""
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = None

    def _start(self):
        if self._predictor is None:
            # By name: whoever predicts pays for torch, nobody else.
            start = importlib.import_module("SAMSegmentLib.worker.child.start")
            self._predictor = start.start_predictor(self._device)
        return self._predictor
