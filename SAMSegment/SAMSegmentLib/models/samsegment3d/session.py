"""From prompts to a mask in the window that suits it: fine for a small object, coarse for a large.

The network sees one window at a time. The mask in the first one decides where, and how
finely, to predict again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ...core.click_change import after_click
from ...core.geometry import Geometry
from ...core.patch import Patch
from ...core.prompts import Point, Prompts, Roi, positions_of
from ...core.resample import sample_linear
from ..windowed.masks import WindowMask
from ..windowed.windows import Window
from .prompts import WindowPrompt, content_map, mask_map, prompted_components, roi_map, roi_ramp
from .windows import MOST, WindowFrame, allowed_spacing

# An object smaller than this share of the window is predicted again ...
SMALL = 1 / 3
# ... in a window of which it fills this share.
FILLED = 1 / 2
# One that fills so much of the window, and continues, is predicted in one of twice the spacing.
LARGE = 3 / 4
# So often the window is changed for one answer.
MOST_CHANGES = 4
# A correcting click so many voxels from where the window ends asks for another window.
MARGIN = 4
#: The network gets so many clicks, the newest, many more than in training; the mask before holds
#: what the others did.
MOST_CLICKS = 32
# Of the mask before, where its window did not show the volume.
UNSEEN_LOGIT = -8.0
#: Candidates for what one click means.
CANDIDATES = 3

#: The network's masks for a window, the best first.
Ask = Callable[[Window, WindowPrompt], Sequence[WindowMask]]
#: The map of a mask before in a window.
Before = Callable[[Window], np.ndarray]


class WindowSession:
    """The rules by which prompts become a mask in a window of one volume.

    Args:
        ask: asks the network.
        show: is shown what there is so far, while there is more to be asked.
        limit: no mask leaves it; on a single slice, a column through it.
        content: what the segment holds, on the volume's grid: the mask before any was made.
        keeps: whether components stay that touch the mask before, though no click is on them.
        score: how good a mask looks; of the masks of one click, the best comes first.
        grey: grey levels of a window, by which a click adds no other tissue; None: it may.
    """

    def __init__(
        self,
        geometry: Geometry,
        ask: Ask,
        show: Callable[[WindowMask], None] = lambda mask: None,
        limit: Roi | None = None,
        content: Patch | None = None,
        keeps: bool = False,
        score: Callable[[WindowMask], float] = lambda mask: 0.0,
        grey: Callable[[Window], np.ndarray] | None = None,
    ) -> None:
        self._geometry = geometry
        self._frame = WindowFrame(geometry)
        self._ask = ask
        self._show = show
        self._limit = limit
        self._content = content
        self._keeps = keeps
        self._score = score
        self._grey = grey

    def first(self, prompts: Prompts) -> list[WindowMask]:
        """The first mask, of a click, an ROI or the content; and what else a click may mean."""
        if self._content is not None:
            there = self._geometry.crop(self._content.start, self._content.values.shape)
            window = self._frame.around_all(there.corners(), 1 / FILLED)
            return self._predict_in(window, (), self._before(self._content))
        if prompts.roi is not None:
            return self._predict_in(self._frame.around_roi(prompts.roi), prompts.points, None)
        window = self._frame.around(prompts.points[0].ras)
        masks = self._predict_in(window, prompts.points, None, CANDIDATES)
        # Those that leave the click out come last.
        masks.sort(key=lambda mask: (mask.box is None, -self._score(mask)))
        return [self._fitted(masks[0], prompts.points, None, finer=True), *masks[1:]]

    def corrected(
        self, mask: WindowMask, seen: Patch | None, points: tuple[Point, ...]
    ) -> WindowMask:
        """The mask after one more click.

        Args:
            seen: the mask as it is on the volume's grid, if it is another there.
            points: all clicks, the newest last.
        """
        window, newest = mask.window, points[-1]
        if not window.holds(newest.ras, MARGIN if newest.positive else 0.0):
            if not newest.positive:
                return mask  # there is none
            window = self._holding(mask, points)
        before = partial(mask_map, mask) if seen is None else self._before(seen)
        answer = self._predict_in(window, points, before)[0]
        if window == mask.window:
            # A click that adds takes nothing away, and the other way round.
            bound = np.maximum if newest.positive else np.minimum
            answer = WindowMask(window, bound(answer.logits, mask.logits))
        answer = self._as_clicked(mask, answer, points)
        return self._fitted(answer, points, before, finer=False)

    def _as_clicked(
        self, mask: WindowMask, answer: WindowMask, points: tuple[Point, ...]
    ) -> WindowMask:
        """Of what the network decided again, what the newest click means; see core.click_change."""
        window, (*earlier, newest) = answer.window, points
        known = mask.logits
        if window != mask.window:
            known = sample_linear(known, mask.window.geometry, window.geometry, UNSEEN_LOGIT)
        logits = after_click(
            known,
            answer.logits,
            tuple(int(n) for n in window.voxels(np.array(newest.ras))),
            newest.positive,
            np.full(3, window.spacing),
            None if self._grey is None else self._grey(window),
            sum(newest == other for other in earlier),
        )
        return WindowMask(window, logits)

    def at_content(self, points: tuple[Point, ...], content: Patch) -> WindowMask:
        """What the network makes, after clicks, of content; near the newest.

        Args:
            content: a mask on the volume's grid.
        """
        window = self._frame.around(points[-1].ras)
        return self._predict_in(window, points, self._before(content))[0]

    def _before(self, content: Patch) -> Before:
        mask = Patch(content.values > 0, content.start)
        return lambda window: content_map(mask, self._geometry, window)

    def _predict_in(
        self, window: Window, points: Sequence[Point], before: Before | None, wanted: int = 1
    ) -> list[WindowMask]:
        """The network's masks, of which only the prompted components are left."""
        held = window.holds(positions_of(points))
        here = [point for point, within in zip(points, held, strict=True) if within]
        prompt = WindowPrompt(
            tuple(here[-MOST_CLICKS:]),
            None if self._limit is None else roi_map(self._limit, window),
            None if before is None else before(window),
            wanted,
            None if self._limit is None else roi_ramp(self._limit, window),
        )
        clicked = positions_of([point for point in here if point.positive])
        kept = prompt.before if self._keeps else None
        return [
            prompted_components(mask, clicked, prompt.roi, kept)
            for mask in self._ask(window, prompt)
        ]

    def _fitted(
        self, mask: WindowMask, points: Sequence[Point], before: Before | None, finer: bool
    ) -> WindowMask:
        """The mask in a window that suits it.

        Args:
            finer: whether a finer window may be taken.
        """
        seen = {mask.window}
        for _ in range(MOST_CHANGES):
            window = self._better_window(mask, points, finer)
            if window is None or window in seen:
                break
            seen.add(window)
            self._show(mask)
            gets_finer = window.spacing < mask.window.spacing
            # In a coarser window, what was cut off at a face is no hint.
            known = partial(mask_map, mask) if gets_finer else before
            other = self._predict_in(window, points, known)[0]
            if other.box is None:
                break
            mask = other
            finer = finer and gets_finer
        return mask

    def _better_window(
        self, mask: WindowMask, points: Sequence[Point], finer: bool
    ) -> Window | None:
        """A window that suits a mask better than its own; None if there is none."""
        if mask.box is None or self._limit is not None:
            return None
        now, flat = mask.window.spacing, self._frame.flat_axis
        extent = float((mask.extent if flat is None else np.delete(mask.extent, flat)).max())
        if mask.faces:
            steps = 2.0 if extent > LARGE * mask.window.side.max() else 1.01
            wanted = max(now, min(allowed_spacing(now * steps), self._frame.coarsest))
        elif finer and extent < SMALL * MOST * now:
            wanted = allowed_spacing(max(extent / FILLED / MOST, self._frame.finest))
            if wanted >= now:
                return None
        else:
            return None
        window = self._frame.around(mask.ends().mean(0), wanted)
        # Clicks may lie beside the mask.
        positive = positions_of([point for point in points if point.positive])
        return window if window.holds(positive).all() else None

    def _holding(self, mask: WindowMask, points: Sequence[Point]) -> Window:
        """A window, as fine as it may be, that holds a mask and all positive clicks."""
        places = [point.ras for point in points if point.positive]
        if mask.box is not None:
            places = [*places, *mask.ends()]
        return self._frame.around_all(np.array(places), at_least=mask.window.spacing)
