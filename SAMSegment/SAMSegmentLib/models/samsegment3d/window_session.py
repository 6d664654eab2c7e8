"""From prompts to a mask in the window that suits it: nearer for what is small, farther for large.

The network sees one window at a time. What the first one shows of the object tells where, and how
finely, to look again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.patch import Patch
from ...core.prompts import Point, Prompts, Roi, positions_of
from ..windowed.masks import WindowMask, told_field, told_roi
from ..windowed.windows import MOST, Window3D, WindowFrame, rung

# An object smaller than this share of the window is looked at again ...
SMALL = 1 / 3
# ... in a window of which it fills this share.
FILLED = 1 / 2
# One that fills so much of the window, and goes on, is looked at from twice as far.
LARGE = 3 / 4
# So often the window is changed for one answer.
MOST_CHANGES = 4
# A correcting click so many voxels from where the window ends asks for another window.
MARGIN = 4
#: The network is told so many clicks, the newest, many more than in training; the mask before tells
#: it what the others said.
MOST_TOLD = 32


@dataclass(frozen=True, eq=False)
class WindowPrompt:
    """What the network is told of a window.

    Attributes:
        points: the clicks in it, the newest last; MOST_TOLD at most.
        roi, before: at half its resolution, -1 to 1; None if there is none.
    """

    points: tuple[Point, ...] = ()
    roi: np.ndarray | None = None
    before: np.ndarray | None = None


#: The network's masks for a window, the best first: as many as are wanted, at most.
Ask = Callable[[Window3D, WindowPrompt, int], Sequence[WindowMask]]
#: A mask as it is told in a window.
Before = Callable[[Window3D], np.ndarray]
#: Masks of one click.
READINGS = 3


class WindowSession:
    """The rules by which prompts become a mask in a window of one volume.

    Args:
        ask: asks the network.
        show: is shown what there is so far, while there is more to be asked.
        limit: no mask leaves it; on a single slice, a column through it.
        content: what the segment holds, on the volume's grid: the mask before any was made.
        keeps: whether pieces stay that touch the mask before, though no click is on them.
        worth: how good a mask looks; of the masks of one click, the best comes first.
    """

    def __init__(
        self,
        geometry: Geometry,
        ask: Ask,
        show: Callable[[WindowMask], None] = lambda mask: None,
        limit: Roi | None = None,
        content: Patch | None = None,
        keeps: bool = False,
        worth: Callable[[WindowMask], float] = lambda mask: 0.0,
    ) -> None:
        self._geometry = geometry
        self._frame = WindowFrame(geometry)
        self._ask = ask
        self._show = show
        self._limit = limit
        self._content = content
        self._keeps = keeps
        self._worth = worth

    def first(self, prompts: Prompts) -> list[WindowMask]:
        """The first mask, of a click, an ROI or the content; and what else a click may mean."""
        if self._content is not None:
            there = self._geometry.crop(self._content.start, self._content.values.shape)
            window = self._frame.around_all(there.corners(), 1 / FILLED)
            return self._look(window, (), self._before(self._content), 1)
        if prompts.roi is not None:
            return self._look(self._frame.around_roi(prompts.roi), prompts.points, None, 1)
        window = self.around(prompts.points[0].ras)
        masks = self._look(window, prompts.points, None, READINGS)
        # Those that leave the click out come last.
        masks.sort(key=lambda mask: (mask.box is None, -self._worth(mask)))
        return [self._settled(masks[0], prompts.points, None, nearer=True), *masks[1:]]

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
        before = mask.told if seen is None else self._before(seen)
        answer = self._look(window, points, before, 1)[0]
        if window == mask.window:
            # A click that adds takes nothing away, and the other way round.
            bound = np.maximum if newest.positive else np.minimum
            answer = WindowMask(window, bound(answer.logits, mask.logits))
        return self._settled(answer, points, before, nearer=False)

    def opinion(self, points: tuple[Point, ...], seen: Patch) -> WindowMask:
        """What the network makes, after clicks, of a mask on the volume's grid; near the newest."""
        window = self.around(points[-1].ras)
        return self._look(window, points, self._before(seen), 1)[0]

    def around(self, ras) -> Window3D:
        """The window in which the network first looks at a position, RAS mm."""
        return self._frame.around(np.asarray(ras, dtype=float), self._frame.first)

    def _before(self, field: Patch) -> Before:
        return lambda window: told_field(field, self._geometry, window)

    def _look(
        self, window: Window3D, points: Sequence[Point], before: Before | None, wanted: int
    ) -> list[WindowMask]:
        """The network's masks, of which only the pieces that are meant are left."""
        places = positions_of(points)
        held = window.holds(places)
        here = [point for point, within in zip(points, held, strict=True) if within]
        told = WindowPrompt(
            tuple(here[-MOST_TOLD:]),
            None if self._limit is None else told_roi(self._limit, window),
            None if before is None else before(window),
        )
        clicked = positions_of([point for point in here if point.positive])
        kept = told.before if self._keeps else None
        return [
            mask.only_meant(clicked, told.roi, kept) for mask in self._ask(window, told, wanted)
        ]

    def _settled(
        self, mask: WindowMask, points: Sequence[Point], before: Before | None, nearer: bool
    ) -> WindowMask:
        """The mask in a window that suits it.

        Args:
            nearer: whether a nearer look may be taken.
        """
        seen = {mask.window}
        for _ in range(MOST_CHANGES):
            window = self._better(mask, points, nearer)
            if window is None or window in seen:
                break
            seen.add(window)
            self._show(mask)
            goes_nearer = window.spacing < mask.window.spacing
            # From farther away, what was cut off at a face is no hint.
            known = mask.told if goes_nearer else before
            other = self._look(window, points, known, 1)[0]
            if other.box is None:
                break
            mask = other
            nearer = nearer and goes_nearer
        return mask

    def _better(self, mask: WindowMask, points: Sequence[Point], nearer: bool) -> Window3D | None:
        """A window that suits a mask better than its own; None if there is none."""
        if mask.box is None or self._limit is not None:
            return None
        now, flat = mask.window.spacing, self._frame.flat_axis
        extent = float((mask.extent if flat is None else np.delete(mask.extent, flat)).max())
        if mask.faces:
            steps = 2.0 if extent > LARGE * mask.window.side.max() else 1.01
            wanted = max(now, min(rung(now * steps), self._frame.coarsest))
        elif nearer and extent < SMALL * MOST * now:
            wanted = rung(max(extent / FILLED / MOST, self._frame.finest))
            if wanted >= now:
                return None
        else:
            return None
        window = self._frame.around(mask.ends().mean(0), wanted)
        # Clicks may lie beside the mask.
        positive = positions_of([point for point in points if point.positive])
        return window if window.holds(positive).all() else None

    def _holding(self, mask: WindowMask, points: Sequence[Point]) -> Window3D:
        """A window, as fine as it may be, that holds a mask and all positive clicks."""
        places = [point.ras for point in points if point.positive]
        if mask.box is not None:
            places = [*places, *mask.ends()]
        return self._frame.around_all(np.array(places), at_least=mask.window.spacing)
