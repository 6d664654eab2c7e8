"""SAM-Med3D: a 3D network that takes points and its own previous mask.

Source: Wang et al., SAM-Med3D: Towards General-purpose Segmentation Models for Volumetric Medical
Images, arXiv:2310.15161 (2023), uni-medical/SAM-Med3D.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...core.image import Image
from ...core.patch import Patch
from ...core.prompts import Prompts, Roi
from ...weights.files import file_sha256
from ..base import Capabilities
from ..embedding_cache import EmbeddingCache
from ..interactive import Request, limit_of
from ..regions import RoiOnGrid
from ..windowed.masks import WindowMask, on_volume
from ..windowed.model import WindowEngine
from ..windowed.windows import Window
from .model import CubePrompt, SAMMed3DModel
from .network import SAMMed3D
from .self_check import self_check
from .session import CubeAnswer, CubeSession


class SAMMed3DEngine(WindowEngine[CubeAnswer]):
    """SAM-Med3D on one device.

    Args:
        weights: a published file, or the same tensors as safetensors.
        cache: keeps the cubes' embeddings, 0.75 MiB each.
        numbers: in which the encoder computes, torch.int8 among them; None: the fastest that the
            device has without harm.

    Raises:
        WeightsError: if the file is not one of this network.
    """

    capabilities = Capabilities(
        prompts=frozenset({"roi", "points"}), parameters={"numbers": {"int8": torch.int8}}
    )
    self_check = staticmethod(self_check)
    empty_network = staticmethod(SAMMed3D.empty)
    NEEDS = (
        "SAM-Med3D needs a positive point on the object or an ROI around it: add one. (Negative "
        "points only correct a mask.)"
    )

    def __init__(
        self,
        weights: Path,
        device: torch.device,
        cache: EmbeddingCache,
        numbers: torch.dtype | None = None,
    ) -> None:
        model = SAMMed3DModel(weights, device, numbers)
        super().__init__(model, (file_sha256(weights), str(model.numbers)), cache)

    def first(self, request: Request, prompts: Prompts) -> Sequence[CubeAnswer]:
        """See InteractiveEngine."""
        session = self._session(request, prompts, request.content)
        if request.content is not None:
            return [session.of_content()]
        if prompts.roi is not None:
            center = self._middle(request.image, prompts.roi)
            return [session.in_roi(prompts.roi, center, self._model.takes_boxes)]
        return [session.at_point(prompts.points[0])]

    def correct(self, request: Request, candidate: CubeAnswer, prompts: Prompts) -> CubeAnswer:
        """See InteractiveEngine."""
        session = self._session(request, prompts, request.content)
        return session.corrected(candidate, prompts.points[-1])

    def propose(self, request: Request, mask: Patch, prompts: Prompts) -> Patch:
        """See InteractiveEngine."""
        session = self._session(request, prompts, Patch(mask.values > 0, mask.start))
        return on_volume([session.at_content(prompts.points[-1])], request.image.geometry)

    def on_volume(self, request: Request, candidate: CubeAnswer, region: RoiOnGrid | None) -> Patch:
        """See InteractiveEngine."""
        within = None if region is None else (region.start, region.stop + 1)
        return on_volume(candidate.masks, request.image.geometry, within)

    def limit(self, request: Request, prompts: Prompts) -> Roi | None:
        """See InteractiveEngine. Content that is not refined stays whole."""
        if request.content is not None and not request.refine:
            return None
        return super().limit(request, prompts)

    def windows_of(self, candidate: CubeAnswer) -> Sequence[Window]:
        """See WindowEngine."""
        return [mask.window for mask in candidate.masks]

    def is_cut_off(self, candidate: CubeAnswer, limit: Roi | None) -> bool:
        """See InteractiveEngine."""
        return candidate.is_cut_off

    def _session(self, request: Request, prompts: Prompts, content: Patch | None) -> CubeSession:
        def ask(cube: Window, prompt: CubePrompt) -> WindowMask:
            return self.ask(request, cube, prompt)[0]

        def show(masks: Sequence[WindowMask]) -> None:
            self.show(request, prompts, lambda: CubeAnswer(tuple(masks)))

        geometry = request.image.geometry
        return CubeSession(geometry, ask, show, content, limit_of(prompts, geometry))

    def _middle(self, image: Image, roi: Roi) -> np.ndarray:
        """The ROI's centre, or if that lies outside the volume, that of the part within; RAS mm."""
        if image.geometry.contains(roi.center):
            return roi.center
        region = self.region(image, roi)
        return image.geometry.to_ras(((region.start + region.stop) / 2)[::-1])
