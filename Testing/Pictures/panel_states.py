"""The states of the effect's panel, brought about as a user does, without a real model."""

from __future__ import annotations

import numpy as np

from SlicerHost.studio import Studio
from TestSupport import quick_engine
from TestSupport.phantoms import ball, grid

from .desk import Desk

GRID = grid((12, 40, 44), (1.5, 1.5, 3.0))
BALL, RADIUS = (33.0, 30.0, 18.0), 12.0
BESIDE, DARK = (33.0, 48.0, 18.0), (54.0, 12.0, 18.0)


def bright_ball() -> np.ndarray:
    """Voxels (k, j, i) of a bright ball in grey tissue."""
    grey = np.full(GRID.shape, 40, dtype=np.int16)
    grey[ball(GRID, BALL, RADIUS)] = 200
    return grey


def make_desk(application, width: int = 430) -> Desk:
    """The Segment Editor beside a small volume, with two empty segments."""
    studio = Studio(application)
    volume = studio.volume(GRID.ijk_to_ras, voxels=bright_ball())
    segmentation = studio.segmentation(volume)
    segments = segmentation.GetSegmentation()
    # Slicer's own colours are random.
    for name, color in (("Lesion in the liver", (0.9, 0.2, 0.1)), ("Liver", (0.9, 0.7, 0.2))):
        segments.GetSegment(segments.AddEmptySegment("", name)).SetColor(color)
    return Desk(application, volume, segmentation, width)


def empty(desk: Desk) -> None:
    """Nothing was done yet."""
    desk.choose_segment(desk.segments[1])


def ready(desk: Desk) -> None:
    """A proposal for points and an ROI, with another reading."""
    desk.draw_roi(BALL, (40, 40, 30))
    desk.await_proposal()
    desk.place(BALL)
    desk.await_proposal()
    desk.place(BESIDE, positive=False)
    desk.await_proposal()
    desk.panel.ui.promptList.setCurrentRow(1)


def busy(desk: Desk) -> None:
    """The model is at work; of the first time, nobody knows how long it will take."""
    _set_modality(desk, quick_engine.SLOW)
    desk.place(BALL)
    desk.wait(lambda: desk.panel.ui.progressBar.value > 20)


def warning(desk: Desk) -> None:
    """The model has found nothing."""
    desk.draw_roi(DARK, (15, 12, 12))
    desk.await_proposal()


def error(desk: Desk) -> None:
    """The model ran out of memory: a long message."""
    _set_modality(desk, quick_engine.WITHOUT_MEMORY)
    desk.place(BALL)
    desk.await_proposal()


def options(desk: Desk) -> None:
    """All options, with an ROI and a line of the user's own."""
    studio = Studio(desk.application)
    roi = studio.roi(BALL, (30, 30, 30), name="ROI of the second reader")
    line = studio.line([(22, 30, 18), (44, 30, 18)], name="Target lesion 1, longest diameter")
    ui = desk.panel.ui
    ui.roiSelector.setCurrentNode(roi)
    ui.lineSelector.setCurrentNode(line)
    ui.startSelector.setCurrentIndex(ui.startSelector.count - 1)
    desk.await_proposal()
    desk.fold_options(False)


STATES = {state.__name__: state for state in (empty, ready, busy, warning, error, options)}


def _set_modality(desk: Desk, modality: str) -> None:
    hierarchy = desk.application.hierarchy
    item = hierarchy.GetItemByDataNode(desk.volume)
    hierarchy.SetItemAttribute(item, "DICOM.Modality", modality)
