"""The states of the effect's panel, reached as a user does, without a real model."""

from __future__ import annotations

import numpy as np

from SlicerHost.scene_builder import SceneBuilder
from TestSupport import quick_engine
from TestSupport.phantoms import ball, grid

from .user import User

GRID = grid((12, 40, 44), (1.5, 1.5, 3.0))
BALL, RADIUS = (33.0, 30.0, 18.0), 12.0
BESIDE, DARK = (33.0, 48.0, 18.0), (54.0, 12.0, 18.0)


def bright_ball() -> np.ndarray:
    """Voxels (k, j, i) of a bright ball in grey tissue."""
    grey = np.full(GRID.shape, 40, dtype=np.int16)
    grey[ball(GRID, BALL, RADIUS)] = 200
    return grey


def make_user(application, width: int = 430) -> User:
    """The Segment Editor beside a small volume, with two empty segments."""
    builder = SceneBuilder(application)
    volume = builder.volume(GRID.ijk_to_ras, voxels=bright_ball())
    segmentation = builder.segmentation(volume)
    segments = segmentation.GetSegmentation()
    # Slicer's own colours are random.
    for name, color in (("Lesion in the liver", (0.9, 0.2, 0.1)), ("Liver", (0.9, 0.7, 0.2))):
        segments.GetSegment(segments.AddEmptySegment("", name)).SetColor(color)
    return User(application, volume, segmentation, width)


def empty(user: User) -> None:
    """Nothing was done yet."""
    user.choose_segment(user.segments[1])


def ready(user: User) -> None:
    """A proposal for points and an ROI, with another candidate."""
    user.draw_roi(BALL, (40, 40, 30))
    user.wait_for_proposal()
    user.place(BALL)
    user.wait_for_proposal()
    user.place(BESIDE, positive=False)
    user.wait_for_proposal()
    user.panel.ui.promptList.setCurrentRow(1)


def busy(user: User) -> None:
    """The model is at work; of the first time, nobody knows how long it will take."""
    user.set_modality(quick_engine.SLOW)
    user.place(BALL)
    user.wait(lambda: user.panel.ui.progressBar.value > 20)


def warning(user: User) -> None:
    """The model has found nothing."""
    user.draw_roi(DARK, (15, 12, 12))
    user.wait_for_proposal()


def error(user: User) -> None:
    """The model ran out of memory: a long message."""
    user.set_modality(quick_engine.WITHOUT_MEMORY)
    user.place(BALL)
    user.wait_for_proposal()


def options(user: User) -> None:
    """All options, with an ROI and a line of the user's own."""
    builder = SceneBuilder(user.application)
    roi = builder.roi(BALL, (30, 30, 30), name="ROI of the second reader")
    line = builder.line([(22, 30, 18), (44, 30, 18)], name="Target lesion 1, longest diameter")
    ui = user.panel.ui
    ui.roiSelector.setCurrentNode(roi)
    ui.lineSelector.setCurrentNode(line)
    ui.startSelector.setCurrentIndex(ui.startSelector.count - 1)
    user.wait_for_proposal()
    user.fold_options(False)


STATES = {state.__name__: state for state in (empty, ready, busy, warning, error, options)}
