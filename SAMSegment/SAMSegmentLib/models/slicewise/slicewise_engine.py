"""A 2D promptable network that segments volumes; SliceModel says what it has to offer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...core.patch import Patch
from ...core.prompts import Line, Prompts, Roi
from ..base import Capabilities, Window
from ..embedding_cache import EmbeddingCache, Sized
from ..interactive import InteractiveEngine, Request
from ..local_correction import certain
from ..regions import RoiOnGrid, roi_of_voxels, voxel_of
from . import from_content
from .from_line import LineFit, at_line
from .intensity import GreyLevels, possible_grey_levels
from .model import POINTS, Box, Part, SliceModel, SlicePrompts, part_around
from .montage import Montage
from .object_finder import FoundObject, ObjectFinder, corrected
from .outlining import Outline, outlined
from .previews import Located, Previews
from .sections import SIZES_MM, SMALLEST_HALF, Section, box_on_slice, boxes_around, search
from .slices import Limits, SliceWindow, in_view_first, stacks_of
from .views import SURE_LOGIT, SliceMask, views_of

# The part of the volume around a click that tells whether lung or soft tissue is meant.
AROUND_CLICK_MM = 20.0


class SlicewiseEngine(InteractiveEngine[FoundObject]):
    """Carries a 2D network's masks through a volume.

    Args:
        weights_sha256: names the network's weights in the cache.
        cache: keeps the embeddings of its pictures.
    """

    capabilities = Capabilities(
        prompts=frozenset({"roi", "points", "line"}), candidates=True, single_slices=True
    )
    # With their views, which know all that a correction needs of them.
    KEPT_ANSWERS, KEPT_BYTES = 8, 2**30

    def __init__(self, model: SliceModel, weights_sha256: Hashable, cache: EmbeddingCache) -> None:
        super().__init__(weights_sha256, cache)
        self.NEEDS = (
            f"{model.title} needs an ROI around the object or a positive point or a line on it: "
            "add one."
        )
        self._model = model

    def first(self, request: Request, prompts: Prompts) -> list[FoundObject]:
        """See InteractiveEngine."""
        previews = Previews(request.watch)
        if request.content is not None:
            found = self._refined(request, prompts, previews)
        elif prompts.line is not None:
            found = self._at_line(request, prompts.line, prompts.roi, previews)
        elif prompts.roi is not None:
            finder = self._finder(request, prompts.roi.center, prompts.roi, previews=previews)
            found = finder.in_roi(prompts.roi)
        else:
            found = self._at_click(request, np.array(prompts.points[0].ras), previews)
        return [_free(request, each) for each in found]

    def correct(self, request: Request, candidate: FoundObject, prompts: Prompts) -> FoundObject:
        """See InteractiveEngine."""
        *earlier, click = prompts.points
        ras = np.array(click.ras)
        if request.content is not None and not (request.refine and candidate.views):
            finder = self._finder(request, ras)
            voxel = voxel_of(request.image.geometry, ras)
            candidate = from_content.with_views(finder, candidate, request.content, voxel)
        found = corrected(
            request.image,
            candidate,
            click,
            earlier,
            lambda ras: self._at_click(request, ras, Previews()),
            request.watch,
        )
        return _free(request, found)

    def outline(
        self,
        request: Request,
        mask: Patch,
        show: Callable[[], None] = lambda: None,
        least_quality: float = 0.0,
    ) -> Outline | None:
        """The border of an object that another model has found, by its sections.

        Args:
            mask: its logits on the volume's grid.
            show: called before each slice.
            least_quality: mean IoU that must be expected of its sections.

        Returns:
            None if there is nothing to go by, or that quality cannot be reached.
        """
        there = Patch(mask.values > 0, mask.start).cropped()
        if there is None:
            return None
        last = np.array(there.stop) - 1
        around = roi_of_voxels(np.array(there.start), last, request.image.geometry)
        finder = self._finder(request, around.center, around)
        return outlined(finder, mask, show, least_quality)

    def windows_ahead(self, request: Request, ras: np.ndarray) -> list[SliceWindow]:
        """The slices through a position, then the scan's own next to them."""
        stacks = self._finder(request, ras).stacks
        here = [int(voxel_of(stack.geometry, ras)[0]) for stack in stacks]
        windows = [SliceWindow(stack, index) for stack, index in zip(stacks, here, strict=True)]
        return windows + [
            SliceWindow(stacks[0], index)
            for index in (here[0] + 1, here[0] - 1)
            if 0 <= index < stacks[0].geometry.shape[0]
        ]

    def unrefined(self, request: Request) -> FoundObject:
        """See InteractiveEngine."""
        return _free(request, FoundObject(certain(request.content)))

    def on_volume(
        self, request: Request, candidate: FoundObject, region: RoiOnGrid | None
    ) -> Patch:
        """See InteractiveEngine."""
        return candidate.mask

    def limit(self, request: Request, prompts: Prompts) -> None:
        """None: no first mask leaves an ROI, and what clicks add or take away is local."""

    def encode(self, window: Window) -> Sized:
        """See InteractiveEngine."""
        return self._model.encode(window.picture(), self.watch.check)

    def _refined(
        self, request: Request, prompts: Prompts, previews: Previews
    ) -> Sequence[FoundObject]:
        content, geometry = request.content, request.image.geometry
        last = np.array(content.stop) - 1
        box = roi_of_voxels(np.array(content.start), last, geometry)
        line = None if prompts.line is None else LineFit(prompts.line, geometry)
        finder = self._finder(request, box.center, box, prompts.roi)
        fit = None if line is None else line.of_mask
        return from_content.refined(replace(finder, previews=previews, fit=fit), content)

    def _at_click(
        self, request: Request, ras: np.ndarray, previews: Previews
    ) -> Sequence[FoundObject]:
        finder = self._finder(request, ras, previews=previews)
        return finder.at_click(self._sections(finder, ras), ras)

    def _at_line(
        self, request: Request, line: Line, roi: Roi | None, previews: Previews
    ) -> Sequence[FoundObject]:
        around = Roi.from_box(line.middle, [max(AROUND_CLICK_MM, line.length)] * 3)
        fit = LineFit(line, request.image.geometry)
        finder = self._finder(request, line.middle, around, roi, previews)
        finder = replace(finder, fit=fit.of_mask)
        return at_line(finder, self._sections(finder, line.middle, fit), line)

    def _sections(
        self, finder: ObjectFinder, ras: np.ndarray, fit: LineFit | None = None
    ) -> list[list[Section]]:
        """Per stack, what may lie at a position on its whole slice there."""
        stacks, watch = finder.stacks, finder.watch
        by_plane: dict[int, list[Section]] = {}
        best: list[Located] = []
        for done, number in enumerate(in_view_first(stacks, watch.facing)):
            watch.step(done, len(stacks), "Looking around the point")
            stack = stacks[number]
            index, *seed = (int(n) for n in voxel_of(stack.geometry, ras))

            def located(mask: SliceMask, stack=stack, index=index, seed=tuple(seed)) -> Located:
                return stack, index, Section(stack.orientation, seed, mask)

            masks = self._masks_at(
                SliceWindow(stack, index),
                tuple(seed),
                fit,
                lambda mask, best=tuple(best): finder.previews.sections([*best, located(mask)]),
            )
            there = [located(mask) for mask in masks]
            by_plane[number] = [section for _, _, section in there]
            best += there[:1]
            finder.previews.sections(best)
        return [by_plane[number] for number in range(len(stacks))]

    def _masks_at(
        self,
        window: SliceWindow,
        seed: tuple[int, int],
        fit: LineFit | None,
        show: Callable[[SliceMask], None],
    ) -> list[SliceMask]:
        """What may lie at a pixel (row, column) of a whole slice; the best so far is shown."""
        stack, index, grid = window.stack, window.index, window.stack.grid
        centre = tuple(((np.array(seed) + 0.5) * grid.scale)[::-1])
        pixels_per_mm = tuple((grid.scale / stack.geometry.spacing[1::-1])[::-1])
        picture = (0, 0, grid.fitted[1], grid.fitted[0])
        allowed = stack.allowed((index, 0, 0), (1, *grid.shape))
        allowed = None if allowed is None else allowed[0]

        def judged(masks: Iterable[SliceMask]) -> Iterator[SliceMask]:
            for mask in masks:
                mask = mask.within(allowed)
                yield mask if fit is None else fit.judged(mask, stack, index)

        def ask(boxes: Sequence[Box]) -> Iterator[SliceMask]:
            for box in boxes:
                prompts = SlicePrompts(boxes=np.array([box], dtype=np.float32))
                part = part_around(box, self._model.size, self._model.stride)
                yield from judged(self._decode_slice(window, prompts, part)[:1])

        sizes = SIZES_MM if fit is None else fit.sizes
        smallest = grid.pixels(SMALLEST_HALF)
        boxes = boxes_around(centre, pixels_per_mm, picture, smallest, sizes)
        if fit is not None:
            # Where no size fits, the box of the whole slice would stand in for all of them.
            others = [box for box in boxes if box != picture]
            boxes = [*fit.boxes(centre, pixels_per_mm, stack, picture), *others]
        known: Iterable[SliceMask] = ()
        if POINTS in self._model.prompts:
            point = SlicePrompts(points=np.array([centre], dtype=np.float32))
            known = judged(self._decode_slice(window, point, (0, 0, self._model.size)))
        return search(ask, lambda mask: box_on_slice(grid, mask), boxes, seed, show, known)

    def _finder(
        self,
        request: Request,
        ras: np.ndarray,
        around: Roi | None = None,
        limit: Roi | None = None,
        previews: Previews | None = None,
    ) -> ObjectFinder:
        """A finder in the grey levels that the user set, or in which an object shows best.

        Args:
            ras: where the object is.
            around: a part of the volume that tells what it looks like; None: that around `ras`.
            limit: what no mask may leave.
            previews: shows what is seen of the object meanwhile.
        """
        image, limits = request.image, Limits(request.occupied, limit)
        around = around or Roi.from_box(ras, [AROUND_CLICK_MM] * 3)
        if request.intensity_range is not None:
            possible = (GreyLevels(*request.intensity_range),)
        else:
            region = RoiOnGrid(around, image.geometry)
            possible = possible_grey_levels(image, image.voxels[region.box][region.inside])
        finders = [
            ObjectFinder(
                stacks_of(image, levels, self._model, limits),
                self._decode_tile,
                request.watch,
                previews or Previews(),
            )
            for levels in possible
        ]
        if len(finders) == 1:
            return finders[0]
        expected = []
        for number, finder in enumerate(finders):
            request.watch.step(number, len(finders), "Choosing the grey levels")
            # The others would show the same once more.
            expected.append(_expected_quality(finder, around, is_shown=number == 0))
        return finders[int(np.argmax(expected))]

    def _decode_slice(
        self, window: SliceWindow, prompts: SlicePrompts, part: Part
    ) -> list[SliceMask]:
        """The masks of a whole slice for one prompt; the decoder gets a part of it."""
        logits, quality = self._decode(window, prompts, part)
        grid, stride = window.stack.grid, self._model.mask_stride
        row, column, side = (n // stride for n in part)
        whole = np.full((grid.size // stride,) * 2, -SURE_LOGIT, dtype=np.float32)
        masks = []
        for each, expected in zip(logits[0], quality[0], strict=True):
            whole[row : row + side, column : column + side] = each
            masks.append(SliceMask(grid.at_voxels(whole), float(expected)))
        return masks

    def _decode_tile(
        self, montage: Montage, index: int, prompts: SlicePrompts
    ) -> tuple[np.ndarray, np.ndarray]:
        """See views.DecodeTile."""
        row, column, _ = part = montage.part(index)
        return self._decode(montage, prompts.moved(row, column), part)

    def _decode(
        self, window: SliceWindow | Montage, prompts: SlicePrompts, part: Part
    ) -> tuple[np.ndarray, np.ndarray]:
        self.watch.check()
        features = self.embedding(window.stack.image, window)
        return self._model.decode(features, prompts, part, self.watch.check)


def _free(request: Request, found: FoundObject) -> FoundObject:
    """An object without voxels of other segments."""
    if request.occupied is None:
        return found
    return replace(found, mask=found.mask.without(request.occupied))


def _expected_quality(finder: ObjectFinder, roi: Roi, is_shown: bool) -> float:
    """How well the network expects to segment the ROI's middle slices."""
    (view,) = views_of(finder.stacks[:1], roi, finder.decode)
    middle = view.keys.index(view.nearest_key((view.shape[0] - 1) / 2))
    keys = view.keys[max(middle - 1, 0) : middle + 2]
    seen = {}
    for key in sorted(keys, key=lambda key: abs(key - view.keys[middle])):
        seen[key] = view.ask(key, [view.limit(key)])
        if is_shown:
            finder.previews.cuts([view], [seen])
    return float(np.mean([seen[key][0].quality for key in keys]))
