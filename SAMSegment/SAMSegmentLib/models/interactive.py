"""What prompted models share: the order of prompts, kept answers, limits of a mask, warnings.

A prompt makes a first mask, or several candidates for it; the clicks after it correct the one that
was chosen, one by one. A new model implements these two steps.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic

import numpy as np

from ..core.answer import UNCHANGED, Answer
from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.image import Image
from ..core.patch import Patch
from ..core.progress import Watch
from ..core.prompts import Point, Prompts, Roi, positions_of
from ..core.voxel_prompts import VoxelPrompts
from .base import Engine, Window
from .embedding_cache import EmbeddingCache, MemoryCache, Sized
from .local_correction import Error, certain, corrected
from .regions import RoiOnGrid, at_least_a_voxel, voxel_of
from .replay import Candidate, replayed

IN_OCCUPIED = (
    "A positive point lies in another segment, which is left as it is: remove the point, or allow "
    "the segments to overlap."
)
CUT_OFF = (
    "The mask goes on beyond the part of the volume that was looked at: add a point farther out, "
    "or an ROI around what is meant."
)
#: Of a negative click that leaves less than this share of the mask.
LEAST_LEFT = 0.5
MOSTLY_GONE = (
    "Your last negative point takes away most of the mask: if that is wrong, undo it, or add a "
    "positive point on the object."
)


@dataclass(frozen=True, eq=False)
class Request:
    """One question about an image, but for the prompts.

    Attributes:
        content: what the segment holds, without what is occupied; None if that is nothing.
        refine: whether the model may change all of it.
        occupied: voxels of other segments; None if there are none.
        key: names all of this but the watch.
    """

    image: Image
    watch: Watch
    intensity_range: tuple[float, float] | None
    content: Patch | None
    refine: bool
    occupied: Patch | None
    key: Hashable

    @classmethod
    def of(
        cls,
        image: Image,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Request:
        """The request, checked.

        Raises:
            InputError: if the intensity range is none.
        """
        if intensity_range is not None:
            intensity_range = _checked_range(intensity_range)
        voxels = voxels or VoxelPrompts()
        occupied = None if voxels.occupied is None else voxels.occupied.cropped()
        content = _free(voxels.content, occupied)
        key = (image.key, intensity_range, voxels.key)
        return cls(image, watch, intensity_range, content, voxels.refine, occupied, key)

    def split(self, prompts: Prompts, needs: str) -> tuple[Prompts, tuple[Point, ...]]:
        """What the first mask is made from, and the clicks that correct it, in their order.

        Args:
            needs: what to tell the user if the model has nothing to begin with.

        Raises:
            InputError: if there is nothing to make a first mask from.
        """
        points = prompts.points
        without = replace(prompts, points=())
        if without.kinds or self.content is not None:
            return without, points
        turn = next((turn for turn, point in enumerate(points) if point.positive), None)
        if turn is None:
            raise InputError(needs)
        # Whatever points there were before it, the first positive one comes first.
        return replace(prompts, points=(points[turn],)), points[:turn] + points[turn + 1 :]

    def warnings(self, prompts: Prompts) -> tuple[str, ...]:
        """What the user should know about an answer."""
        positive = positions_of([point for point in prompts.points if point.positive])
        if self.occupied is None:
            return ()
        voxels = voxel_of(self.image.geometry, positive)
        return (IN_OCCUPIED,) if self.occupied.at(voxels).any() else ()


@dataclass(frozen=True, eq=False)
class Content:
    """A mask that clicks correct near themselves only: what a segment holds, or another model's."""

    mask: Patch

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.mask.values.nbytes


class InteractiveEngine(Engine, Generic[Candidate]):
    """A model that is prompted: a first mask, or several candidates for it, corrected by clicks.

    What is shared is here: in which order prompts are answered, which answers are kept, what limits
    a mask, what the user is warned of. A model implements the answer to the first prompt (`first`)
    and to a further click (`correct`), a mask's way to the volume's grid (`on_volume`), its encoder
    (`encode`), and what to encode before a click (`windows_ahead`).

    Args:
        name: names weights and numbers in the cache.
        cache: keeps the embeddings.
    """

    #: What to tell the user if there is nothing to make a first mask from.
    NEEDS: ClassVar[str]
    #: Answers that are kept at most, and bytes of all of them; the latest two in any case.
    KEPT_ANSWERS: ClassVar[int] = 64
    KEPT_BYTES: ClassVar[int] = 2**29

    def __init__(self, name: Hashable, cache: EmbeddingCache) -> None:
        self._name = name
        self._cache = cache
        self._answers: MemoryCache[tuple[Candidate | Content, ...]] = MemoryCache(
            self.KEPT_BYTES, self.KEPT_ANSWERS, at_least=2
        )
        self._latest: tuple[Hashable, Candidate | Content] | None = None
        self._region: tuple[Hashable, RoiOnGrid] | None = None
        self._watch = Watch()

    # What a model implements.

    @abstractmethod
    def first(self, request: Request, prompts: Prompts) -> Sequence[Candidate | Content]:
        """What the first prompt may mean, the likeliest first.

        Args:
            prompts: an ROI or a line, one positive point, or none of these if there is content.
        """

    @abstractmethod
    def correct(self, request: Request, candidate: Candidate, prompts: Prompts) -> Candidate:
        """A candidate after one more click.

        Args:
            prompts: all so far; the click is the last of the points.
        """

    @abstractmethod
    def on_volume(self, request: Request, candidate: Candidate, region: RoiOnGrid | None) -> Patch:
        """A candidate's logits on the volume's grid.

        Args:
            region: what lies outside of it need not be there.
        """

    @abstractmethod
    def encode(self, window: Window) -> Sized:
        """What the encoder makes of a window; tells `watch`, and asks it whether to stop."""

    @abstractmethod
    def windows_ahead(self, request: Request, ras: np.ndarray) -> Sequence[Window]:
        """What a click at a position in RAS mm would need to be encoded."""

    def propose(self, request: Request, mask: Patch, prompts: Prompts) -> Patch:
        """What the network makes of a mask near the newest click, on the volume's grid.

        For content that is corrected near clicks; not needed if `unrefined` is another.
        """
        raise NotImplementedError

    def unrefined(self, request: Request) -> Candidate | Content:
        """The segment's content, to be corrected near clicks only."""
        return Content(certain(request.content))

    def limit(self, request: Request, prompts: Prompts) -> Roi | None:
        """The ROI that no mask may leave; None if there is none."""
        return limit_of(prompts, request.image.geometry)

    def covers(self, candidate: Candidate, ras: np.ndarray) -> bool:
        """Whether a click at a position in RAS mm corrects a candidate without encoding more."""
        return False

    def is_cut_off(self, candidate: Candidate, limit: Roi | None) -> bool:
        """Whether the object continues beyond all that was encoded."""
        return False

    # What it may use.

    @property
    def watch(self) -> Watch:
        """That of the request which is being answered."""
        return self._watch

    @property
    def encoded(self) -> int:
        """How many windows were encoded for it so far."""
        return self._cache.cost.encoded

    def embedding(self, image: Image, window: Window) -> Any:
        """What `encode` made of a window of an image; kept for the next prompt in it."""
        key = (image.key, self._name, window.key)
        return self._cache.get(key, lambda: self.encode(window))

    def show(self, request: Request, prompts: Prompts, make: Callable[[], Candidate]) -> None:
        """Shows what there is so far; made only if it is drawn."""
        limit = self.limit(request, prompts)
        request.watch.show(
            lambda: Answer.of(self._mask(request, make(), limit), request.image.geometry)
        )

    def region(self, image: Image, roi: Roi) -> RoiOnGrid:
        """An ROI on the volume's grid; the last one is kept.

        Raises:
            InputError: if it lies outside.
        """
        key = (image.key, roi.box_to_ras.tobytes())
        if self._region is None or self._region[0] != key:
            self._region = key, RoiOnGrid(roi, image.geometry)
        return self._region[1]

    # What is shared.

    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Answer:
        """See Engine."""
        request = Request.of(image, watch, intensity_range, voxels)
        limit = self.limit(request, prompts)
        self._cache.start_counting()
        with self.watched(watch):
            candidates = self._candidates(request, prompts)
        self._latest = image.key, candidates[0]
        watch.step(1, 1, "Done")
        warnings = request.warnings(prompts)
        if not isinstance(candidates[0], Content) and self.is_cut_off(candidates[0], limit):
            warnings = (*warnings, CUT_OFF)
        masks = [self._mask(request, each, limit) for each in candidates]
        with self.watched(watch):
            warnings = (*warnings, *self._about_click(request, prompts, masks[0], limit))
        cost = self._cache.cost
        return Answer.of(masks[0], image.geometry, *masks[1:], warnings=warnings, cost=cost)

    def prepare(self, image: Image, ras: np.ndarray, watch: Watch) -> None:
        """See Engine. Nothing within the latest answer's windows: a click there corrects that."""
        ras = np.asarray(ras, dtype=float)
        if not image.geometry.contains(ras) or self._is_covered(image, ras):
            return
        request = Request.of(image, watch)
        self._cache.start_counting()
        with self.watched(watch):
            windows = self.windows_ahead(request, ras)
            for number, window in enumerate(windows):
                if len(windows) > 1:
                    watch.step(number, len(windows), "Looking ahead")
                self.embedding(image, window)

    def forget_answers(self) -> None:
        """See Engine."""
        self._answers.clear()
        self._latest = self._region = None

    @contextmanager
    def watched(self, watch: Watch) -> Iterator[None]:
        """Within it, the network asks the watch, which no answer may keep: it would outlive it."""
        before, self._watch = self._watch, watch
        try:
            yield
        finally:
            self._watch = before

    def _candidates(self, request: Request, prompts: Prompts) -> tuple[Candidate | Content, ...]:
        """The answer to the first prompt, corrected by each further one; the latest are kept."""
        if not self.capabilities.candidates:
            prompts = replace(prompts, candidate=0)
        first, clicks = request.split(prompts, self.NEEDS)

        def begin() -> tuple[Candidate | Content, ...]:
            if first.candidate:
                candidates = list(self._candidates(request, replace(first, candidate=0)))
                # After the last comes the first.
                chosen = candidates.pop(first.candidate % len(candidates))
                return (chosen, *candidates)
            if request.content is not None and not request.refine:
                return (self.unrefined(request),)
            return tuple(self.first(request, first))

        def correct(candidate: Candidate | Content, so_far: Prompts) -> Candidate | Content:
            if isinstance(candidate, Content):
                return self._corrected_content(request, candidate, so_far)
            return self.correct(request, candidate, so_far)

        return replayed(self._answers, request.key, first, clicks, begin, correct, request.watch)

    def _about_click(
        self, request: Request, prompts: Prompts, mask: Patch, limit: Roi | None
    ) -> tuple[str, ...]:
        """What the user should know about the newest click: that it did nothing, or too much."""
        first, clicks = request.split(prompts, self.NEEDS)
        if not clicks:
            return ()
        so_far = replace(first, points=(*first.points, *clicks[:-1]))
        before = self._mask(request, self._candidates(request, so_far)[0], limit)
        newest = clicks[-1]
        voxel = voxel_of(request.image.geometry, positions_of([newest]))
        if (before.at(voxel)[0] > 0) == newest.positive:
            if newest is not prompts.points[-1]:
                return ()  # the last one is positive, and made the first mask
            whole = before.enlarged(mask.start, mask.stop)
            there = mask.on_box(whole.start, whole.values.shape)
            return () if ((whole.values > 0) != (there > 0)).any() else (UNCHANGED,)
        left, all_ = np.count_nonzero(mask.values > 0), np.count_nonzero(before.values > 0)
        return () if newest.positive or left >= LEAST_LEFT * all_ else (MOSTLY_GONE,)

    def _corrected_content(self, request: Request, content: Content, prompts: Prompts) -> Content:
        *earlier, click = prompts.points

        def proposed(error: Error) -> np.ndarray:
            there = self.propose(request, content.mask, prompts)
            changed = there.on_box(error.mask.start, error.mask.values.shape) > 0
            # What a negative click takes away is what the network has left out.
            return changed if click.positive else ~changed

        return Content(corrected(request.image, content.mask, click, earlier, proposed))

    def _mask(self, request: Request, candidate: Candidate | Content, limit: Roi | None) -> Patch:
        """The logits of a mask within the ROI and without other segments' voxels."""
        region = None if limit is None else self.region(request.image, limit)
        if isinstance(candidate, Content):
            field = candidate.mask
        else:
            field = self.on_volume(request, candidate, region)
        if region is not None:
            field = field.only(Patch(region.inside, tuple(int(n) for n in region.start)))
        if request.occupied is not None:
            field = field.without(request.occupied)
        return field

    def _is_covered(self, image: Image, ras: np.ndarray) -> bool:
        if self._latest is None or self._latest[0] != image.key:
            return False
        candidate = self._latest[1]
        return not isinstance(candidate, Content) and self.covers(candidate, ras)


def limit_of(prompts: Prompts, geometry: Geometry) -> Roi | None:
    """The ROI as a limit of the mask: none, as soon as a positive point lies outside of it."""
    if prompts.roi is None:
        return None
    roi = at_least_a_voxel(prompts.roi, geometry)
    positive = positions_of([point for point in prompts.points if point.positive])
    return roi if roi.contains(positive).all() else None


def _free(content: Patch | None, occupied: Patch | None) -> Patch | None:
    """The part of a patch outside another; None if there is none."""
    if content is None or occupied is None:
        return None if content is None else content.cropped()
    taken = occupied.on_box(content.start, content.values.shape)
    return Patch(content.values & ~taken, content.start).cropped()


def _checked_range(intensity_range: tuple[float, float]) -> tuple[float, float]:
    lower, upper = (float(value) for value in intensity_range)
    if not (np.isfinite((lower, upper)).all() and lower < upper):
        raise InputError(
            f"The intensity range {lower:g} to {upper:g} is not usable: give a lower and a higher "
            "finite number."
        )
    return lower, upper
