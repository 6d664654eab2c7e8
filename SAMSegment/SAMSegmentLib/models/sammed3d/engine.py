"""SAM-Med3D: a 3D network that takes points and its own previous mask.

Source: Wang et al., SAM-Med3D: Towards General-purpose Segmentation Models for Volumetric Medical
Images, arXiv:2310.15161 (2023), uni-medical/SAM-Med3D.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ...core.errors import InputError
from ...core.image import Image
from ...core.patch import Patch
from ...core.prediction import Prediction
from ...core.progress import Watch
from ...core.prompts import Prompts, Roi
from ...core.voxel_prompts import VoxelPrompts
from ...weights.catalogue import file_sha256
from .. import local_correction
from ..answer_cache import KeptAnswers
from ..base import Capabilities, Embedding, Engine, Window
from ..embedding_cache import EmbeddingCache
from ..interactive import GOES_ON, Request, limit_of
from ..precision import computing_in, encoder_type
from ..regions import RoiOnGrid
from ..replay import replayed
from ..shared_layers.low_precision import compute_in
from ..tensor_files.checkpoints import check_network, load_tensors
from .cube_masks import CubeMask, blended
from .cube_picture import CubeWindow, clip_of
from .cube_session import NOTHING, CubeAnswer, CubePrompt, CubeSession
from .cubes import Cube
from .network import SAMMed3D

TITLE = "SAM-Med3D"
NEEDS = (
    "SAM-Med3D needs a positive point on the object or an ROI around it: add one. (Negative points "
    "only correct a mask.)"
)
#: Answers that are kept, so that a click, undone or moved, costs its own decoding only.
KEPT_ANSWERS = 64
#: Beyond that, only the latest two: content, as it is, may fill the volume.
KEPT_BYTES = 2**29
# Of so many images, what their intensities are clipped to is kept.
KEPT_CLIPS = 4
ENCODER_STEPS = 13


@dataclass(frozen=True, eq=False)
class _State:
    """An answer, and what is to be seen of it on the volume's grid.

    Attributes:
        cubes: what the network said; None if the segment's content is corrected near clicks only.
        content: that content, corrected.
    """

    cubes: CubeAnswer | None
    content: Patch | None = None

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        masks = () if self.cubes is None else self.cubes.masks
        own = 0 if self.content is None else self.content.values.nbytes
        return own + sum(mask.logits.nbytes for mask in masks)


class SAMMed3DEngine(Engine):
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
        self._name = (file_sha256(weights), str(numbers))
        self._device = device
        self._cache = cache
        self._states: KeptAnswers[_State] = KeptAnswers(KEPT_ANSWERS, KEPT_BYTES)
        self._clips: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._rois: dict[Hashable, RoiOnGrid] = {}
        self._latest: tuple[Hashable, CubeAnswer] | None = None
        self._watch = Watch()

    def encode(self, image: Image, window: Window) -> Embedding:
        """The embedding of one cube; kept for the next prompt in it."""
        key = (image.key, self._name, window.key)
        return self._cache.get(key, lambda: self._encode(window))

    def decode(
        self, embedding: Embedding, prompts: Prompts, previous: np.ndarray | None = None
    ) -> np.ndarray:
        """Logits on the cube, float32 (32, 32, 32) by x, y, z, for the newest point alone.

        Without a point, the middle of the ROI is one.
        """
        cube = embedding.window.cube
        if prompts.points:
            newest = prompts.points[-1]
            prompt = CubePrompt(cube.voxel(newest.ras), newest.positive)
        elif prompts.roi is not None:
            prompt = CubePrompt(cube.voxel(prompts.roi.center))
        else:
            raise InputError(NEEDS)
        return self._decode(embedding, prompt, NOTHING if previous is None else previous)

    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Prediction:
        """See Engine."""
        request = Request.of(image, watch, intensity_range, voxels)
        self._cache.start_counting()
        self._watch = watch
        try:
            state = self._state(request, prompts)
        finally:
            self._watch = Watch()
        if state.cubes is not None:
            self._latest = (image.key, state.cubes)
        field = self._field(request, state, limit_of(prompts, request.image.geometry))
        warnings = request.warnings(prompts)
        if state.cubes is not None and state.cubes.goes_on:
            warnings = (*warnings, GOES_ON)
        watch.step(1, 1, "Done")
        prediction = Prediction.of(field, image.geometry)
        return replace(prediction, warnings=warnings, cost=self._cache.cost)

    def prepare(
        self,
        image: Image,
        ras: np.ndarray,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> None:
        """See Engine. Nothing, where the latest answer looks already: a click corrects that."""
        ras = np.asarray(ras, dtype=float)
        if not image.geometry.contains(ras):
            return
        if self._latest is not None and self._latest[0] == image.key and self._latest[1].holds(ras):
            return
        request = Request.of(image, watch, intensity_range)
        self._cache.start_counting()
        self._watch = watch
        try:
            session = self._session(request, None)
            self.encode(image, self._window(request, session.around(ras)))
        finally:
            self._watch = Watch()

    def forget_answers(self) -> None:
        """See Engine."""
        self._states.clear()
        self._clips.clear()
        self._rois.clear()
        self._latest = None

    def _state(self, request: Request, prompts: Prompts) -> _State:
        """The answer to the first prompt, corrected by each further one; the latest are kept."""
        prompts = replace(prompts, reading=0)  # there is but one
        first, clicks = request.split(prompts, NEEDS)

        def correct(state: _State, so_far: Prompts) -> _State:
            return self._corrected(request, state, so_far)

        def begin() -> _State:
            return self._first(request, first)

        return replayed(self._states, request.key, first, clicks, begin, correct, request.watch)

    def _first(self, request: Request, prompts: Prompts) -> _State:
        limit = limit_of(prompts, request.image.geometry)
        session = self._session(request, limit, request.content)
        if request.content is not None:
            if not request.refine:
                return _State(None, local_correction.certain(request.content))
            return _State(session.of_content(limit))
        if prompts.roi is not None:
            center = self._middle(request.image, prompts.roi)
            return _State(session.in_roi(prompts.roi, center, self._network.takes_boxes, limit))
        return _State(session.at_point(prompts.points[0], limit))

    def _corrected(self, request: Request, state: _State, prompts: Prompts) -> _State:
        *earlier, click = prompts.points
        limit = limit_of(prompts, request.image.geometry)
        if state.cubes is not None:
            session = self._session(request, limit, request.content)
            return _State(session.corrected(state.cubes, click, limit))
        # The network is told what there is, earlier clicks included.
        there_is = Patch(state.content.values > 0, state.content.start)
        session = self._session(request, limit, there_is)

        def proposed(error: local_correction.Error) -> np.ndarray:
            there = blended([session.opinion(click)], request.image.geometry)
            changed = there.on_box(error.mask.start, error.mask.values.shape) > 0
            # What a negative click takes away is what the network has left out.
            return changed if click.positive else ~changed

        field = local_correction.corrected(request.image, state.content, click, earlier, proposed)
        return _State(None, field)

    def _session(
        self, request: Request, limit: Roi | None, content: Patch | None = None
    ) -> CubeSession:
        def show(masks: Sequence[CubeMask]) -> None:
            known = CubeAnswer(tuple(masks))
            geometry = request.image.geometry
            request.watch.show(
                lambda: Prediction.of(self._field(request, _State(known), limit), geometry)
            )

        def ask(cube: Cube, prompt: CubePrompt, previous: np.ndarray) -> np.ndarray:
            embedding = self.encode(request.image, self._window(request, cube))
            return self._decode(embedding, prompt, previous)

        return CubeSession(request.image.geometry, ask, show, content)

    def _field(self, request: Request, state: _State, limit: Roi | None) -> Patch:
        """The answer on the volume's grid, within the ROI and without other segments' voxels."""
        geometry = request.image.geometry
        if state.cubes is None:
            field = state.content
        elif limit is None:
            field = blended(state.cubes.masks, geometry)
        else:
            region = self._region(request.image, limit)
            field = blended(state.cubes.masks, geometry, (region.start, region.stop + 1))
            if not region.is_full:
                field = field.only(Patch(region.inside, tuple(region.start)))
        return field if request.occupied is None else field.without(request.occupied)

    def _window(self, request: Request, cube: Cube) -> CubeWindow:
        key = (request.image.key, request.intensity_range)
        if key not in self._clips:
            self._clips[key] = clip_of(request.image, request.intensity_range)
            if len(self._clips) > KEPT_CLIPS:
                self._clips.popitem(last=False)
        return CubeWindow(request.image, cube, self._clips[key])

    def _region(self, image: Image, roi: Roi) -> RoiOnGrid:
        """The ROI on the volume's grid; the last one is kept."""
        key = (image.key, roi.box_to_ras.tobytes())
        if key not in self._rois:
            self._rois = {key: RoiOnGrid(roi, image.geometry)}
        return self._rois[key]

    def _middle(self, image: Image, roi: Roi) -> np.ndarray:
        """The ROI's centre, or if that lies outside the volume, that of the part within; RAS mm."""
        if image.geometry.contains(roi.center):
            return roi.center
        region = self._region(image, roi)
        return image.geometry.to_ras(((region.start + region.stop) / 2)[::-1])

    @torch.inference_mode()
    def _encode(self, window: CubeWindow) -> Embedding:
        watch, steps = self._watch, iter(range(ENCODER_STEPS))
        part = self._cache.cost.encoded + 1
        message = "Looking at the volume" if part == 1 else f"Following the object, part {part}"
        watch.step(0, ENCODER_STEPS, message)
        picture = torch.from_numpy(window.picture())[None, None].to(self._device)
        with computing_in(self._numbers, self._device):
            features = self._network.encode(
                picture, lambda: watch.step(next(steps), ENCODER_STEPS, message)
            )
        features = features.float()
        return Embedding(window, features, features.nbytes)

    @torch.inference_mode()
    def _decode(self, embedding: Embedding, prompt: CubePrompt, previous: np.ndarray) -> np.ndarray:
        self._watch.check()
        points = boxes = None
        if prompt.voxel is not None:
            points = self._tensor([[prompt.voxel]]), self._tensor([[float(prompt.positive)]])
        if prompt.box is not None:
            boxes = self._tensor([prompt.box])
        mask = self._tensor(previous)[None, None]
        logits = self._network.decode(embedding.features, mask, points, boxes, self._watch.check)
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
