"""SAMSegment 3D: one window around the object, all prompts at once, and the mask before.

See networks.samsegment3d for the network, and window_session for how it is asked.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ...core.errors import InputError
from ...core.image import Image
from ...core.overlap import dice
from ...core.patch import Patch
from ...core.prediction import Prediction
from ...core.progress import Watch
from ...core.prompts import Point, Prompts, Roi, positions_of
from ...core.voxel_prompts import VoxelPrompts
from ...weights.catalogue import file_sha256
from .. import local_correction
from ..answer_cache import KeptAnswers
from ..base import Capabilities, Embedding, Engine, Window
from ..embedding_cache import EmbeddingCache
from ..interactive import GOES_ON, Request, limit_of
from ..precision import encoder_type
from ..regions import RoiOnGrid, voxel_of
from ..replay import replayed
from ..windowed.contrast import contrast
from ..windowed.masks import WindowMask, told_roi
from ..windowed.single_slice import gone_through
from ..windowed.windows import Window3D
from .picture import RANKED
from .pictured_window import PicturedWindow
from .window_network import WindowNetwork, nbytes_of
from .window_session import WindowPrompt, WindowSession

NEEDS = (
    "SAMSegment 3D needs a positive point on the object or an ROI around it: add one. (Negative "
    "points only correct a mask.)"
)
KEPT_ANSWERS, KEPT_BYTES = 64, 2**29
# Readings whose masks are this much alike (Dice) are one.
ALIKE = 0.9


@dataclass(frozen=True, eq=False)
class Reading:
    """A mask in its window and on the volume's grid, where each click is honoured.

    Attributes:
        mask: None if the segment's content is corrected near clicks only.
        as_clicked: whether the network's own mask honoured all clicks.
    """

    mask: WindowMask | None
    field: Patch
    as_clicked: bool = True

    @property
    def goes_on(self) -> bool:
        """Whether the object goes on beyond the window."""
        return self.mask is not None and bool(self.mask.faces)


@dataclass(frozen=True, eq=False)
class Readings:
    """What the prompts may mean, the answer first."""

    masks: tuple[Reading, ...]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        own = sum(each.mask.logits.nbytes for each in self.masks if each.mask is not None)
        return own + sum(each.field.values.nbytes for each in self.masks)

    def read_as(self, reading: int) -> Readings:
        """These, with another as the answer; after the last comes the first."""
        masks = list(self.masks)
        return Readings((masks.pop(reading % len(masks)), *masks))


class SAMSegment3DEngine(Engine):
    """SAMSegment 3D on one device.

    Args:
        weights: the tensors as safetensors.
        cache: keeps the windows' embeddings, about 9 MB each.
        numbers: in which the network computes; None: the fastest that the device has without harm.

    Raises:
        WeightsError: if the file is not one of this network.
    """

    capabilities = Capabilities(
        prompts=frozenset({"roi", "points"}), candidates=True, single_slices=True
    )

    def __init__(
        self,
        weights: Path,
        device: torch.device,
        cache: EmbeddingCache,
        numbers: torch.dtype | None = None,
    ) -> None:
        numbers = encoder_type(device) if numbers is None else numbers
        self._network = WindowNetwork(weights, device, numbers)
        self._name = (file_sha256(weights), str(numbers))
        self._cache = cache
        self._answers: KeptAnswers[Readings] = KeptAnswers(KEPT_ANSWERS, KEPT_BYTES)
        self._region: tuple[Hashable, RoiOnGrid] | None = None
        self._latest: tuple[Hashable, Window3D] | None = None
        self._watch = Watch()

    def encode(self, image: Image, window: Window) -> Embedding:
        """The embedding of a PicturedWindow; kept for the next prompt in it."""
        key = (image.key, self._name, window.key)
        return self._cache.get(key, lambda: self._encode(window))

    def decode(
        self, embedding: Embedding, prompts: Prompts, previous: np.ndarray | None = None
    ) -> np.ndarray:
        """The best mask's logits on the window, float32 by x, y, z.

        Args:
            previous: logits, likewise.
        """
        window = embedding.window.window
        before = None if previous is None else WindowMask(window, previous).told(window)
        roi = None if prompts.roi is None else told_roi(prompts.roi, window)
        if roi is None and before is None and not prompts.points:
            raise InputError(NEEDS)
        return self._decode(embedding, WindowPrompt(prompts.points, roi, before), 1)[0].logits

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
        with self._watched(watch):
            answer = self._answer(request, prompts)
        limit = limit_of(prompts, image.geometry)
        warnings = request.warnings(prompts)
        first = answer.masks[0]
        if first.mask is not None:
            self._latest = (image.key, first.mask.window)
            if limit is None and first.goes_on:
                warnings = (*warnings, GOES_ON)
        watch.step(1, 1, "Done")
        masks = [
            replace(self._visible(request, each.field, limit), warnings=warnings)
            for each in answer.masks
        ]
        return replace(masks[0], cost=self._cache.cost, alternatives=tuple(masks[1:]))

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
        with self._watched(watch):
            window = self._session(request, Prompts()).around(ras)
            self.encode(image, PicturedWindow(image, window, request.intensity_range))

    def forget_answers(self) -> None:
        """See Engine."""
        self._answers.clear()
        self._region = self._latest = None

    @contextmanager
    def _watched(self, watch: Watch):
        self._watch = watch
        try:
            yield
        finally:
            self._watch = Watch()

    def _answer(self, request: Request, prompts: Prompts) -> Readings:
        """The answer to the first prompt, corrected by each further one; the latest are kept."""
        first, clicks = request.split(prompts, NEEDS)

        def begin() -> Readings:
            if first.reading:
                return self._answer(request, replace(first, reading=0)).read_as(first.reading)
            return self._first(request, first)

        def correct(answer: Readings, so_far: Prompts) -> Readings:
            return Readings((self._corrected(request, answer.masks[0], so_far),))

        return replayed(self._answers, request.key, first, clicks, begin, correct, request.watch)

    def _first(self, request: Request, prompts: Prompts) -> Readings:
        if request.content is not None and not request.refine:
            return Readings((Reading(None, local_correction.certain(request.content)),))
        if prompts.roi is not None:
            self._roi_region(request.image, prompts.roi)  # raises if that lies outside
        masks = self._session(request, prompts).first(prompts)
        readings = [self._honoured(request, masks[0], prompts.points)]
        for mask in masks[1:]:
            other = Reading(mask, mask.on_volume(request.image.geometry))
            if mask.box is not None and not any(_are_alike(other, each) for each in readings):
                readings.append(other)
        return Readings(tuple(readings))

    def _corrected(self, request: Request, reading: Reading, prompts: Prompts) -> Reading:
        session, points = self._session(request, prompts), prompts.points
        if reading.mask is not None:
            seen = None if reading.as_clicked else reading.field
            return self._honoured(request, session.corrected(reading.mask, seen, points), points)
        geometry, click = request.image.geometry, points[-1]

        def proposed(error: local_correction.Error) -> np.ndarray:
            there = session.opinion(points, reading.field).on_volume(geometry)
            changed = there.on_box(error.mask.start, error.mask.values.shape) > 0
            # What a negative click takes away is what the network has left out.
            return changed if click.positive else ~changed

        field = local_correction.corrected(
            request.image, reading.field, click, points[:-1], proposed
        )
        return Reading(None, field)

    def _honoured(self, request: Request, mask: WindowMask, points: tuple[Point, ...]) -> Reading:
        """The mask on the volume's grid; changed near clicks that the network did not heed."""
        field = own = mask.on_volume(request.image.geometry)
        voxels = voxel_of(request.image.geometry, positions_of(points))
        positive = np.array([point.positive for point in points], dtype=bool)
        # A correction helps other clicks, too, and undoes none.
        for number in np.flatnonzero((own.at(voxels) > 0) != positive):
            if (field.at(voxels[number : number + 1])[0] > 0) != positive[number]:
                others = points[:number] + points[number + 1 :]
                field = local_correction.corrected(
                    request.image, field, points[number], others, lambda error: None
                )
        return Reading(mask, field, field is own)

    def _session(self, request: Request, prompts: Prompts) -> WindowSession:
        limit = limit_of(prompts, request.image.geometry)

        def ask(window: Window3D, prompt: WindowPrompt, wanted: int) -> list[WindowMask]:
            pictured = PicturedWindow(request.image, window, request.intensity_range)
            return self._decode(self.encode(request.image, pictured), prompt, wanted)

        def show(mask: WindowMask) -> None:
            field = mask.on_volume
            geometry = request.image.geometry
            request.watch.show(lambda: self._visible(request, field(geometry), limit))

        @lru_cache(maxsize=1)
        def ranked(window: Window3D) -> np.ndarray:
            return PicturedWindow(request.image, window, request.intensity_range).picture()[RANKED]

        def worth(mask: WindowMask) -> float:
            return contrast(ranked(mask.window), mask.logits > 0)

        content = None
        if request.content is not None and request.refine:
            content = local_correction.certain(request.content)
        # Pieces of these are meant, though no click is on them.
        keeps = request.content is not None or (prompts.roi is not None and limit is None)
        geometry = request.image.geometry
        told = None if limit is None else gone_through(limit, geometry)
        return WindowSession(geometry, ask, show, told, content, keeps, worth)

    def _visible(self, request: Request, field: Patch, limit: Roi | None) -> Prediction:
        """A mask within the ROI and without other segments' voxels."""
        if limit is not None:
            region = self._roi_region(request.image, limit)
            field = field.only(Patch(region.inside, tuple(int(n) for n in region.start)))
        if request.occupied is not None:
            field = field.without(request.occupied)
        return Prediction.of(field, request.image.geometry)

    def _roi_region(self, image: Image, roi: Roi) -> RoiOnGrid:
        """The ROI on the volume's grid; the last one is kept."""
        key = (image.key, roi.box_to_ras.tobytes())
        if self._region is None or self._region[0] != key:
            self._region = key, RoiOnGrid(roi, image.geometry)
        return self._region[1]

    def _encode(self, window: PicturedWindow) -> Embedding:
        part = self._cache.cost.encoded + 1
        message = "Looking at the volume" if part == 1 else f"Looking again, window {part}"
        self._watch.step(0, 2, message)
        picture = window.picture()
        self._watch.step(1, 2, message)
        features = self._network.encode(picture)
        self._watch.check()
        return Embedding(window, features, nbytes_of(features))

    def _decode(self, embedding: Embedding, prompt: WindowPrompt, wanted: int) -> list[WindowMask]:
        self._watch.check()
        window = embedding.window.window
        clicks = window.place(positions_of(prompt.points))
        signs = np.array([1.0 if point.positive else -1.0 for point in prompt.points])
        masks = self._network.decode(
            embedding.features, clicks, signs, prompt.roi, prompt.before, wanted
        )
        return [WindowMask(window, logits) for logits in masks]


def _are_alike(one: Reading, other: Reading) -> bool:
    whole = one.field.enlarged(other.field.start, other.field.stop)
    there = other.field.on_box(whole.start, whole.values.shape)
    return dice(whole.values > 0, there > 0) >= ALIKE
