"""LiteMedSAM: a 2D network with a box prompt, carried through the slices of an ROI.

Source: Ma et al., Segment anything in medical images, Nat Commun 15, 654 (2024), and its branch
LiteMedSAM (bowang-lab/MedSAM).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..core.errors import InputError
from ..core.image import Image
from ..core.prediction import Prediction
from ..core.progress import Watch
from ..core.prompts import Point, Prompts, Roi
from ..networks.litemedsam import IMAGE_SIZE, LiteMedSAM
from ..weights.catalogue import file_sha256
from . import box_search, object_finder
from .answers import Answer
from .base import Embedding, Engine, Window
from .cache import EmbeddingCache
from .checkpoints import load_safetensors
from .clicks import Section
from .intensity import GreyLevels, possible_grey_levels
from .montage import Box, Montage
from .planes import stacks_of, views_of
from .slices import PixelGrid, RoiInStack, SliceStack, SliceWindow, box_on_window
from .views import SURE_LOGIT, SliceMask

#: Answers that are kept, so that a further click only costs its own correction.
KEPT_ANSWERS = 8
# The part of the volume around a click that tells whether lung or soft tissue is meant.
AROUND_CLICK_MM = 20.0


class LiteMedSAMEngine(Engine):
    """LiteMedSAM on one device.

    Args:
        weights: a safetensors file with the network's 435 tensors.
        cache: keeps the slices' embeddings, 4 MiB each.
    """

    def __init__(self, weights: Path, device: torch.device, cache: EmbeddingCache) -> None:
        self._network = LiteMedSAM.build(load_safetensors(weights), device)
        self._weights_sha256 = file_sha256(weights)
        self._device = device
        self._cache = cache
        # With their views: what a correction needs of them is known already.
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()

    def encode(self, image: Image, window: Window) -> Embedding:
        """The embedding of one picture; kept for the next prompt on it."""
        key = (image.key, self._weights_sha256, window.key)
        return self._cache.get(key, lambda: self._encode(window))

    def decode(
        self, embedding: Embedding, prompts: Prompts, previous: np.ndarray | None = None
    ) -> np.ndarray:
        """Logits on the slice's picture for the ROI, float32 (1, 256, 256).

        The weights were trained with boxes alone, so `previous` is not used.
        """
        box = box_on_window(_roi_of(prompts), embedding.window)
        logits, _ = self._decode_box(embedding, box)
        return logits.cpu().numpy()[0]

    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> Prediction:
        """See Engine."""
        if intensity_range is not None:
            intensity_range = _checked_range(intensity_range)
        self._cache.start_counting()
        answer = self._answer(image, prompts, watch, intensity_range)
        watch.step(1, 1, "Done")
        masks = [field.prediction(image.geometry) for field in (answer.mask, *answer.alternatives)]
        return replace(masks[0], cost=self._cache.cost, alternatives=tuple(masks[1:]))

    def _answer(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None,
    ) -> Answer:
        """The answer to the first prompt, corrected by each further one; all are kept."""
        key = (image.key, prompts.to_json(), intensity_range)
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        first, clicks = _first_prompt(prompts)
        if clicks:
            earlier = replace(prompts, points=_in_order(prompts)[:-1])
            before = self._answer(image, earlier, watch, intensity_range)
            answer = object_finder.corrected(
                image,
                before,
                clicks[-1],
                earlier.points,
                lambda ras: self._at_click(image, ras, watch, intensity_range),
                watch,
            )
        elif isinstance(first, Roi):
            stacks = self._stacks(image, first, intensity_range)
            answer = object_finder.in_roi(stacks, first, self._decode_tiles, watch)
        else:
            answer = self._at_click(image, np.array(first.ras), watch, intensity_range)
        self._answers[key] = answer
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        return answer

    def _at_click(
        self,
        image: Image,
        ras: np.ndarray,
        watch: Watch,
        intensity_range: tuple[float, float] | None,
    ) -> Answer:
        around = Roi.from_box(ras, [AROUND_CLICK_MM] * 3)
        stacks = self._stacks(image, around, intensity_range)
        offers = []
        for number, stack in enumerate(stacks):
            watch.step(number, len(stacks), "Looking around the point")
            offers.append(self._sections(stack, ras))
        return object_finder.at_click(image, stacks, offers, ras, self._decode_tiles, watch)

    def _sections(self, stack: SliceStack, ras: np.ndarray) -> list[Section]:
        """What may lie under a click on its whole slice."""
        index, row, column = (int(n) for n in object_finder.voxel_of(stack.geometry, ras))
        window, grid = SliceWindow(stack, index), stack.grid
        pixels_per_mm = grid.scale / stack.geometry.spacing[1::-1]
        centre = (np.array([row, column]) + 0.5) * grid.scale
        picture = (0, 0, grid.fitted[1], grid.fitted[0])
        masks = box_search.search(
            lambda boxes: [self._whole_slice(window, box) for box in boxes],
            lambda mask: _box_of(grid, mask),
            box_search.boxes_around(tuple(centre[::-1]), tuple(pixels_per_mm[::-1]), picture),
            (row, column),
        )
        return [Section(stack.orientation, (row, column), mask) for mask in masks]

    @torch.inference_mode()
    def _whole_slice(self, window: SliceWindow, box: Box) -> SliceMask:
        """The mask of a whole slice for a box; the decoder looks at the box and around it."""
        features = self.encode(window.stack.image, window).features
        row, column, side = part = part_around(box, IMAGE_SIZE)
        boxes = torch.tensor([box], dtype=torch.float32, device=self._device)
        logits, quality = self._network.decode(features, boxes=boxes, part=part)
        picture = np.full((IMAGE_SIZE, IMAGE_SIZE), -SURE_LOGIT, dtype=np.float32)
        picture[row : row + side, column : column + side] = logits[0, 0].cpu().numpy()
        return SliceMask(window.stack.grid.at_voxels(picture), float(quality))

    def _stacks(
        self, image: Image, roi: Roi, intensity_range: tuple[float, float] | None
    ) -> list[SliceStack]:
        """The image in the grey levels that the user set, or in which the ROI shows best."""
        if intensity_range is not None:
            return stacks_of(image, GreyLevels(*intensity_range), IMAGE_SIZE)
        region = RoiInStack(roi, image.geometry)
        possible = possible_grey_levels(image, image.voxels[region.box][region.inside])
        choices = [stacks_of(image, levels, IMAGE_SIZE) for levels in possible]
        if len(choices) == 1:
            return choices[0]
        return max(choices, key=lambda stacks: self._expected_quality(stacks[:1], roi))

    def _expected_quality(self, stacks: list[SliceStack], roi: Roi) -> float:
        """How well the network expects to segment the ROI's middle slices."""
        (view,) = views_of(stacks, roi, self._decode_tiles)
        middle = view.keys.index(view.nearest_key((view.shape[0] - 1) / 2))
        keys = view.keys[max(middle - 1, 0) : middle + 2]
        return float(np.mean([view.ask(key, [view.limit(key)])[0].quality for key in keys]))

    @torch.inference_mode()
    def _decode_tiles(
        self, montage: Montage, index: int, boxes: Sequence[Box]
    ) -> tuple[np.ndarray, np.ndarray]:
        """See views.DecodeBoxes."""
        features = self.encode(montage.stack.image, montage).features
        row, column = montage.corner(index)
        side = montage.tile.side
        on_picture = np.array(boxes) + np.array([column, row, column, row])
        logits, quality = self._network.decode(
            features,
            boxes=torch.from_numpy(on_picture.astype(np.float32)).to(self._device),
            part=(row, column, side),
        )
        return logits[:, 0].cpu().numpy(), quality[:, 0].cpu().numpy()

    @torch.inference_mode()
    def _encode(self, window: Window) -> Embedding:
        picture = torch.from_numpy(window.picture())
        features = self._network.encode(picture[None, None].to(self._device))
        return Embedding(window, features, features.nbytes)

    @torch.inference_mode()
    def _decode_box(
        self, embedding: Embedding, box: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (1, 1, 256, 256) and predicted IoU (1, 1) for an xyxy box on the picture."""
        boxes = torch.from_numpy(box[None].astype(np.float32)).to(self._device)
        return self._network.decode(embedding.features, boxes=boxes)


def _first_prompt(prompts: Prompts) -> tuple[Roi | Point, tuple[Point, ...]]:
    """What the first mask is made from, and the clicks that correct it, in their order."""
    points = _in_order(prompts)
    if prompts.roi is not None:
        return prompts.roi, points
    if not points or not points[0].positive:
        raise InputError(
            "LiteMedSAM needs an ROI around the object or a positive point on it: add one."
        )
    return points[0], points[1:]


def _in_order(prompts: Prompts) -> tuple[Point, ...]:
    """The points as they came; without an ROI, the first positive one comes before all."""
    points = prompts.points
    first = next((point for point in points if point.positive), None)
    if prompts.roi is not None or first is None:
        return points
    return (first, *(point for point in points if point is not first))


def part_around(box: Box, size: int) -> tuple[int, int, int]:
    """First row, first column and side, in multiples of 4, of a square around a box on a picture.

    Twice as large as the box, and at least an eighth of the picture's area.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    side = max(2 * max(width, height), 3 * size // 8)
    side = min(-(-side // 4) * 4, size)
    column, row = (
        min(max(int((low + high - side) / 2), 0), size - side) // 4 * 4
        for low, high in ((box[0], box[2]), (box[1], box[3]))
    )
    return row, column, side


def _box_of(grid: PixelGrid, mask: np.ndarray) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return None
    x0, y0, x1, y1 = grid.box_of_voxels((rows[0], columns[0], rows[-1], columns[-1]))
    margin = box_search.MARGIN
    height, width = grid.fitted
    return (
        int(max(x0 - margin, 0)),
        int(max(y0 - margin, 0)),
        int(min(x1 + margin, width)),
        int(min(y1 + margin, height)),
    )


def _roi_of(prompts: Prompts) -> Roi:
    if prompts.roi is None:
        raise InputError("LiteMedSAM needs an ROI around the object.")
    return prompts.roi


def _checked_range(intensity_range: tuple[float, float]) -> tuple[float, float]:
    lower, upper = (float(value) for value in intensity_range)
    if not (np.isfinite((lower, upper)).all() and lower < upper):
        raise InputError(
            f"The intensity range {lower:g} to {upper:g} is not usable: give a lower and a higher "
            "finite number."
        )
    return lower, upper
