"""SAM-Med3D: a 3D network that takes points and its own previous mask.

Source: Wang et al., SAM-Med3D: Towards General-purpose Segmentation Models for Volumetric Medical
Images, arXiv:2310.15161 (2023), uni-medical/SAM-Med3D.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import torch

from ...core.image import Image
from ...core.patch import Patch
from ...core.prompts import Prompts, Roi
from ...weights.catalogue import file_sha256
from ..base import Capabilities, Embedding
from ..embedding_cache import EmbeddingCache
from ..interactive import InteractiveEngine, Request, limit_of
from ..precision import computing_in, encoder_type
from ..regions import RoiOnGrid
from ..shared_layers.low_precision import compute_in
from ..tensor_files.checkpoints import check_network, load_tensors
from .cube_masks import CubeMask, blended
from .cube_picture import CubeWindow, clip_of
from .cube_session import CubeAnswer, CubePrompt, CubeSession
from .cubes import Cube
from .network import SAMMed3D
from .self_check import self_check

TITLE = "SAM-Med3D"
# Of so many images, what their intensities are clipped to is kept.
KEPT_CLIPS = 4
ENCODER_STEPS = 13


class SAMMed3DEngine(InteractiveEngine[CubeAnswer]):
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
        if numbers is None or (numbers == torch.int8 and device.type != "cpu"):
            numbers = encoder_type(device)
        self._network = load_network(weights, device, numbers)
        self._numbers = numbers
        self._device = device
        self._clips: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        super().__init__((file_sha256(weights), str(numbers)), cache)

    def first(self, request: Request, prompts: Prompts) -> Sequence[CubeAnswer]:
        """See InteractiveEngine."""
        limit = limit_of(prompts, request.image.geometry)
        session = self._session(request, prompts, request.content)
        if request.content is not None:
            return [session.of_content(limit)]
        if prompts.roi is not None:
            center = self._middle(request.image, prompts.roi)
            return [session.in_roi(prompts.roi, center, self._network.takes_boxes, limit)]
        return [session.at_point(prompts.points[0], limit)]

    def correct(self, request: Request, candidate: CubeAnswer, prompts: Prompts) -> CubeAnswer:
        """See InteractiveEngine."""
        limit = limit_of(prompts, request.image.geometry)
        session = self._session(request, prompts, request.content)
        return session.corrected(candidate, prompts.points[-1], limit)

    def propose(self, request: Request, mask: Patch, prompts: Prompts) -> Patch:
        """See InteractiveEngine."""
        session = self._session(request, prompts, Patch(mask.values > 0, mask.start))
        return blended([session.opinion(prompts.points[-1])], request.image.geometry)

    def on_volume(self, request: Request, candidate: CubeAnswer, region: RoiOnGrid | None) -> Patch:
        """See InteractiveEngine."""
        within = None if region is None else (region.start, region.stop + 1)
        return blended(candidate.masks, request.image.geometry, within)

    def limit(self, request: Request, prompts: Prompts) -> Roi | None:
        """See InteractiveEngine. Content that is not refined stays whole."""
        if request.content is not None and not request.refine:
            return None
        return super().limit(request, prompts)

    def covers(self, candidate: CubeAnswer, ras: np.ndarray) -> bool:
        """See InteractiveEngine."""
        return candidate.holds(ras)

    def goes_on(self, candidate: CubeAnswer, limit: Roi | None) -> bool:
        """See InteractiveEngine."""
        return candidate.goes_on

    def windows_ahead(self, request: Request, ras: np.ndarray) -> Sequence[CubeWindow]:
        """See InteractiveEngine."""
        return [self._window(request, self._session(request, Prompts()).around(ras))]

    def forget_answers(self) -> None:
        """See Engine."""
        super().forget_answers()
        self._clips.clear()

    def _session(
        self, request: Request, prompts: Prompts, content: Patch | None = None
    ) -> CubeSession:
        def show(masks: Sequence[CubeMask]) -> None:
            self.show(request, prompts, lambda: CubeAnswer(tuple(masks)))

        def ask(cube: Cube, prompt: CubePrompt, previous: np.ndarray) -> np.ndarray:
            embedding = self.embedding(request.image, self._window(request, cube))
            return self._decode(embedding, prompt, previous)

        return CubeSession(request.image.geometry, ask, show, content)

    def _window(self, request: Request, cube: Cube) -> CubeWindow:
        key = (request.image.key, request.intensity_range)
        if key not in self._clips:
            self._clips[key] = clip_of(request.image, request.intensity_range)
            if len(self._clips) > KEPT_CLIPS:
                self._clips.popitem(last=False)
        return CubeWindow(request.image, cube, self._clips[key])

    def _middle(self, image: Image, roi: Roi) -> np.ndarray:
        """The ROI's centre, or if that lies outside the volume, that of the part within; RAS mm."""
        if image.geometry.contains(roi.center):
            return roi.center
        region = self.region(image, roi)
        return image.geometry.to_ras(((region.start + region.stop) / 2)[::-1])

    @torch.inference_mode()
    def encode(self, window: CubeWindow) -> Embedding:
        """See InteractiveEngine."""
        watch, steps = self.watch, iter(range(ENCODER_STEPS))
        part = self._cache.cost.encoded + 1
        message = "Looking at the volume" if part == 1 else f"Following the object, part {part}"
        watch.step(0, ENCODER_STEPS, message)
        picture = torch.from_numpy(window.picture())[None, None].to(self._device)
        with computing_in(self._numbers, self._device):
            features = self._network.encode(
                picture, lambda: watch.step(next(steps), ENCODER_STEPS, message)
            )
        features = features.float()
        return Embedding(features, features.nbytes)

    @torch.inference_mode()
    def _decode(self, embedding: Embedding, prompt: CubePrompt, previous: np.ndarray) -> np.ndarray:
        self.watch.check()
        points = boxes = None
        if prompt.voxel is not None:
            points = self._tensor([[prompt.voxel]]), self._tensor([[float(prompt.positive)]])
        if prompt.box is not None:
            boxes = self._tensor([prompt.box])
        mask = self._tensor(previous)[None, None]
        logits = self._network.decode(embedding.features, mask, points, boxes, self.watch.check)
        return logits[0, 0].float().cpu().numpy()

    def _tensor(self, values) -> torch.Tensor:
        return torch.tensor(np.asarray(values), dtype=torch.float32, device=self._device)


def load_network(weights: Path, device: torch.device, numbers: torch.dtype) -> SAMMed3D:
    """The network in a weights file, its encoder in the numbers given.

    Raises:
        WeightsError: if the file is not one of this network.
    """
    tensors = load_tensors(weights)
    expected = SAMMed3D.empty(tensors).state_dict()
    check_network(tensors, {name: value.shape for name, value in expected.items()}, TITLE)
    network = SAMMed3D.build(tensors, device)
    if numbers != torch.float32:
        compute_in(network.image_encoder, numbers)
        # The rest is copied, so that the file, of which most is not needed now, is let go.
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.dtype == torch.float32:
                tensor.data = tensor.data.clone()
    return network
