"""LiteMedSAM: a 2D network with a box prompt, carried through the slices of an ROI.

Source: Ma et al., Segment anything in medical images, Nat Commun 15, 654 (2024), and its branch
LiteMedSAM (bowang-lab/MedSAM).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ...core import answer as volume_answer
from ...core.image import Image
from ...core.progress import Watch
from ...core.prompts import Line, Point, Prompts, Roi
from ...core.voxel_prompts import VoxelPrompts
from ...weights.catalogue import file_sha256
from ..base import Capabilities, Embedding, Engine, Window
from ..embedding_cache import EmbeddingCache
from ..interactive import Request
from ..local_correction import certain
from ..regions import RoiOnGrid, voxel_of
from ..replay import AnswerCache, replayed
from ..slicewise import box_search, from_content, object_finder, regions
from ..slicewise.answers import Answer
from ..slicewise.clicks import Section
from ..slicewise.from_line import LineFit, at_line
from ..slicewise.intensity import GreyLevels, possible_grey_levels
from ..slicewise.limits import Limits
from ..slicewise.montage import Box, Montage
from ..slicewise.planes import in_view_first, stacks_of, views_of
from ..slicewise.previews import Located, Previews
from ..slicewise.slices import SliceStack, SliceWindow
from ..slicewise.views import SURE_LOGIT, SliceMask
from ..tensor_files.checkpoints import load_safetensors
from .network import IMAGE_SIZE, LiteMedSAM
from .self_check import self_check

#: Answers that are kept, so that a further click only costs its own correction.
KEPT_ANSWERS, KEPT_BYTES = 8, 2**30
# The part of the volume around a click that tells whether lung or soft tissue is meant.
AROUND_CLICK_MM = 20.0
NEEDS = "LiteMedSAM needs an ROI around the object or a positive point or a line on it: add one."


class LiteMedSAMEngine(Engine):
    """LiteMedSAM on one device.

    Args:
        weights: a safetensors file with the network's 435 tensors.
        cache: keeps the slices' embeddings, 4 MiB each.
    """

    capabilities = Capabilities(
        prompts=frozenset({"roi", "points", "line"}), candidates=True, single_slices=True
    )
    self_check = staticmethod(self_check)

    def __init__(self, weights: Path, device: torch.device, cache: EmbeddingCache) -> None:
        self._network = LiteMedSAM.build(load_safetensors(weights), device)
        self._weights_sha256 = file_sha256(weights)
        self._device = device
        self._cache = cache
        # With their views: what a correction needs of them is known already.
        self._answers: AnswerCache[Answer] = AnswerCache(KEPT_ANSWERS, KEPT_BYTES)
        self._watch = Watch()

    @contextmanager
    def _watched(self, watch: Watch) -> Iterator[None]:
        """Within it, the network looks at the watch: between decodes, and while it encodes.

        Views outlive the request for which they were made, so they cannot hold its watch.
        """
        before, self._watch = self._watch, watch
        try:
            yield
        finally:
            self._watch = before

    def encode(self, image: Image, window: Window) -> Embedding:
        """The embedding of one picture; kept for the next prompt on it."""
        key = (image.key, self._weights_sha256, window.key)
        return self._cache.get(key, lambda: self._encode(window))

    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> volume_answer.Answer:
        """See Engine."""
        request = Request.of(image, watch, intensity_range, voxels)
        self._cache.start_counting()
        with self._watched(watch):
            answer = self._answer(request, prompts)
        watch.step(1, 1, "Done")
        warnings = request.warnings(prompts)
        return volume_answer.Answer.of(
            answer.mask,
            image.geometry,
            *answer.alternatives,
            warnings=warnings,
            cost=self._cache.cost,
        )

    def prepare(
        self,
        image: Image,
        ras: np.ndarray,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> None:
        """See Engine. The slices through the position, then the scan's own next to them."""
        ras = np.asarray(ras, dtype=float)
        if not image.geometry.contains(ras):
            return
        request = Request.of(image, watch, intensity_range)
        with self._watched(watch):
            stacks = self._stacks(request, ras)
            here = [int(voxel_of(stack.geometry, ras)[0]) for stack in stacks]
            windows = [SliceWindow(stack, index) for stack, index in zip(stacks, here, strict=True)]
            windows += [
                SliceWindow(stacks[0], index)
                for index in (here[0] + 1, here[0] - 1)
                if 0 <= index < stacks[0].geometry.shape[0]
            ]
            for number, window in enumerate(windows):
                watch.step(number, len(windows), "Looking ahead")
                self.encode(image, window)

    def forget_answers(self) -> None:
        """See Engine."""
        self._answers.clear()

    def _answer(self, request: Request, prompts: Prompts) -> Answer:
        """The answer to the first prompt, corrected by each further one; the latest are kept."""
        first, clicks = request.split(prompts, NEEDS)

        def begin() -> tuple[Answer]:
            if first.candidate:
                likeliest = self._answer(request, replace(first, candidate=0))
                return (likeliest.with_candidate(first.candidate),)
            return (self._first_answer(request, first).without(request.occupied),)

        def correct(answer: Answer, so_far: Prompts) -> Answer:
            *earlier, click = so_far.points
            return self._corrected(request, answer, click, earlier).without(request.occupied)

        (answer,) = replayed(
            self._answers, request.key, first, clicks, begin, correct, request.watch
        )
        return answer

    def _first_answer(self, request: Request, prompts: Prompts) -> Answer:
        if request.content is not None:
            return self._from_content(request, prompts)
        previews = Previews(request.watch)
        if prompts.line is not None:
            return self._at_line(request, prompts.line, prompts.roi, previews)
        if prompts.roi is not None:
            roi, limits = prompts.roi, Limits(request.occupied)
            stacks = self._stacks(request, roi.center, roi, limits, previews)
            return object_finder.in_roi(stacks, roi, self._decode_tiles, request.watch, previews)
        return self._at_click(request, np.array(prompts.points[0].ras), previews)

    def _corrected(
        self, request: Request, answer: Answer, click: Point, earlier: Sequence[Point]
    ) -> Answer:
        ras = np.array(click.ras)
        if request.content is not None and not (request.refine and answer.views):
            stacks = self._stacks(request, ras, limits=Limits(request.occupied))
            voxel = voxel_of(request.image.geometry, ras)
            answer = from_content.with_views(
                answer, request.content, voxel, stacks, self._decode_tiles
            )
        return object_finder.corrected(
            request.image,
            answer,
            click,
            earlier,
            lambda ras: self._at_click(request, ras),
            request.watch,
        )

    def _from_content(self, request: Request, prompts: Prompts) -> Answer:
        content = request.content
        if not request.refine:
            return Answer(certain(content), ())
        geometry = request.image.geometry
        last = np.array(content.stop) - 1
        box = regions.roi_of(np.array(content.start), last, geometry)
        fit = None if prompts.line is None else LineFit(prompts.line, geometry).of_mask
        stacks = self._stacks(request, box.center, box, Limits(request.occupied, prompts.roi))
        return from_content.refined(
            content, stacks, self._decode_tiles, request.watch, Previews(request.watch), fit
        )

    def _at_click(
        self, request: Request, ras: np.ndarray, previews: Previews | None = None
    ) -> Answer:
        limits = Limits(request.occupied)
        stacks = self._stacks(request, ras, limits=limits, previews=previews)
        offers = self._offers(request, stacks, ras, previews)
        return object_finder.at_click(
            request.image, stacks, offers, ras, self._decode_tiles, request.watch, previews
        )

    def _at_line(self, request: Request, line: Line, roi: Roi | None, previews: Previews) -> Answer:
        around = Roi.from_box(line.middle, [max(AROUND_CLICK_MM, line.length)] * 3)
        limits = Limits(request.occupied, roi)
        stacks = self._stacks(request, line.middle, around, limits, previews)
        fit = LineFit(line, request.image.geometry)
        offers = self._offers(request, stacks, line.middle, previews, fit)
        return at_line(
            request.image, stacks, offers, fit, self._decode_tiles, request.watch, previews
        )

    def _offers(
        self,
        request: Request,
        stacks: Sequence[SliceStack],
        ras: np.ndarray,
        previews: Previews | None,
        fit: LineFit | None = None,
    ) -> list[list[Section]]:
        """Per stack, what may lie at a position on its whole slice there."""
        offers: dict[int, list[Section]] = {}
        best: list[Located] = []

        for done, number in enumerate(in_view_first(stacks, request.watch.facing)):
            request.watch.step(done, len(stacks), "Looking around the point")
            stack = stacks[number]
            index, row, column = (int(n) for n in voxel_of(stack.geometry, ras))
            show = None if previews is None else partial(previews.one_more, tuple(best))
            offers[number] = self._sections(stack, index, (row, column), fit, show)
            best += [(stack, index, section) for section in offers[number][:1]]
            if previews is not None:
                previews.sections(best)
        return [offers[number] for number in range(len(stacks))]

    def _sections(
        self,
        stack: SliceStack,
        index: int,
        seed: tuple[int, int],
        fit: LineFit | None,
        show: Callable[[Located], None] | None,
    ) -> list[Section]:
        """What may lie at a pixel of a whole slice; the best so far is shown."""
        window, grid = SliceWindow(stack, index), stack.grid
        centre = tuple(((np.array(seed) + 0.5) * grid.scale)[::-1])
        pixels_per_mm = tuple((grid.scale / stack.geometry.spacing[1::-1])[::-1])
        picture = (0, 0, grid.fitted[1], grid.fitted[0])
        allowed = stack.allowed((index, 0, 0), (1, *grid.shape))
        allowed = None if allowed is None else allowed[0]

        def ask(boxes: Sequence[Box]) -> Iterator[SliceMask]:
            for box in boxes:
                mask = self._whole_slice(window, box).within(allowed)
                yield mask if fit is None else fit.judged(mask, stack, index)

        def look(mask: SliceMask) -> None:
            if show is not None:
                show((stack, index, Section(stack.orientation, seed, mask)))

        sizes = box_search.SIZES_MM if fit is None else fit.sizes
        boxes = box_search.boxes_around(centre, pixels_per_mm, picture, sizes)
        if fit is not None:
            # Where no size fits, the box of the whole slice would stand in for all of them.
            others = [box for box in boxes if box != picture]
            boxes = [*fit.boxes(centre, pixels_per_mm, stack, picture), *others]
        masks = box_search.search(
            ask, lambda mask: box_search.box_on_slice(grid, mask), boxes, seed, look
        )
        return [Section(stack.orientation, seed, mask) for mask in masks]

    @torch.inference_mode()
    def _whole_slice(self, window: SliceWindow, box: Box) -> SliceMask:
        """The mask of a whole slice for a box; the decoder looks at the box and around it."""
        self._watch.check()
        features = self.encode(window.stack.image, window).features
        row, column, side = part = part_around(box, IMAGE_SIZE)
        boxes = torch.tensor([box], dtype=torch.float32, device=self._device)
        logits, quality = self._network.decode(
            features, boxes=boxes, part=part, between_blocks=self._watch.check
        )
        picture = np.full((IMAGE_SIZE, IMAGE_SIZE), -SURE_LOGIT, dtype=np.float32)
        picture[row : row + side, column : column + side] = logits[0, 0].cpu().numpy()
        return SliceMask(window.stack.grid.at_voxels(picture), float(quality))

    def _stacks(
        self,
        request: Request,
        ras: np.ndarray,
        around: Roi | None = None,
        limits: Limits | None = None,
        previews: Previews | None = None,
    ) -> list[SliceStack]:
        """The image in the grey levels that the user set, or in which an object shows best.

        Args:
            ras: where the object is.
            around: a part of the volume that tells what it looks like; None: that around `ras`.
            previews: shows what is seen of the object meanwhile.
        """
        image, given = request.image, request.intensity_range
        if given is not None:
            return stacks_of(image, GreyLevels(*given), IMAGE_SIZE, limits)
        around = around or Roi.from_box(ras, [AROUND_CLICK_MM] * 3)
        region = RoiOnGrid(around, image.geometry)
        possible = possible_grey_levels(image, image.voxels[region.box][region.inside])
        choices = [stacks_of(image, levels, IMAGE_SIZE, limits) for levels in possible]
        if len(choices) == 1:
            return choices[0]
        expected = []
        for number, stacks in enumerate(choices):
            request.watch.step(number, len(choices), "Choosing the grey levels")
            expected.append(self._expected_quality(stacks[:1], around, previews))
            previews = None  # others show the same once more
        return choices[int(np.argmax(expected))]

    def _expected_quality(
        self, stacks: list[SliceStack], roi: Roi, previews: Previews | None
    ) -> float:
        """How well the network expects to segment the ROI's middle slices."""
        (view,) = views_of(stacks, roi, self._decode_tiles)
        middle = view.keys.index(view.nearest_key((view.shape[0] - 1) / 2))
        keys = view.keys[max(middle - 1, 0) : middle + 2]
        seen = {}
        for key in sorted(keys, key=lambda key: abs(key - view.keys[middle])):
            seen[key] = view.ask(key, [view.limit(key)])
            if previews is not None:
                previews.cuts([view], [seen])
        return float(np.mean([seen[key][0].quality for key in keys]))

    @torch.inference_mode()
    def _decode_tiles(
        self, montage: Montage, index: int, boxes: Sequence[Box]
    ) -> tuple[np.ndarray, np.ndarray]:
        """See views.DecodeBoxes."""
        self._watch.check()
        features = self.encode(montage.stack.image, montage).features
        row, column = montage.corner(index)
        side = montage.tile.side
        on_picture = np.array(boxes) + np.array([column, row, column, row])
        logits, quality = self._network.decode(
            features,
            boxes=torch.from_numpy(on_picture.astype(np.float32)).to(self._device),
            part=(row, column, side),
            between_blocks=self._watch.check,
        )
        return logits[:, 0].cpu().numpy(), quality[:, 0].cpu().numpy()

    @torch.inference_mode()
    def _encode(self, window: Window) -> Embedding:
        picture = torch.from_numpy(window.picture())
        features = self._network.encode(picture[None, None].to(self._device), self._watch.check)
        return Embedding(features, features.nbytes)


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
