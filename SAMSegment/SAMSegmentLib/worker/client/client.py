"""The side that asks for predictions; it does not import torch itself."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from ...core.answer import Answer
from ...core.checks import check_prompts_in_volume
from ...core.image import Image
from ...core.progress import CancelFlag, ProgressCallback, Watch
from ...core.prompts import Prompts
from ...core.voxel_prompts import VoxelPrompts
from ...weights.catalogue import ModelEntry


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
        model: ModelEntry,
        image: Image,
        prompts: Prompts,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
        structures: Sequence[str] = (),
    ) -> Answer:
        """The masks that the model proposes; prompts are in the image's RAS, voxels on its grid.

        Args:
            structures: names of those that an automatic model is to find; all, if left out.

        Raises:
            InputError: if image, prompts and model do not go together.
            Cancelled, OutOfMemoryError, WeightsError, MissingPackageError: nothing was changed.
        """
        check_request(model, image, prompts)
        model.check_installed()
        watch = Watch(progress, cancel)
        return self._start().predict(
            model, image, prompts, watch, intensity_range, voxels, structures
        )

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


def check_request(model: ModelEntry, image: Image, prompts: Prompts) -> None:
    """Finds bad input before torch is imported and a model loaded.

    Raises:
        InputError: if image, prompts and model do not go together.
    """
    model.check_prompts(prompts)
    model.check_grid(image.geometry)
    check_prompts_in_volume(prompts, image.geometry)
    _ = image.value_range
