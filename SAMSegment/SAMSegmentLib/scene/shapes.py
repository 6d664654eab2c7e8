"""The ROI and the line among the prompts: a node that is followed, or a value without a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import InputError
from ..core.prompts import Line, Roi
from .hidden_nodes import HiddenNode, add_markups, set_colors
from .markups import is_drawn, line_from_node, roi_from_node
from .transforms import matrix_from_array, require_class

if TYPE_CHECKING:
    import slicer

ROI, LINE = "vtkMRMLMarkupsROINode", "vtkMRMLMarkupsLineNode"
ROI_NAME, ROI_COLOR, ROI_ACTIVE_COLOR = "SAM Segment ROI", (1.0, 0.85, 0.2), (1.0, 0.95, 0.6)

READERS: dict[str, Callable] = {ROI: roi_from_node, LINE: line_from_node}
WHAT = {ROI: "ROI", LINE: "line"}


class Shape:
    """An ROI or a line, as it was when it was last read.

    Attributes:
        kind: ROI or LINE, the class of its nodes.
        node: the markups node that is followed, or None.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.node = None
        self._value: Roi | Line | None = None
        self._error: str | None = None

    def follow(self, node: slicer.vtkMRMLMarkupsNode | None) -> None:
        """Takes its value from a node from now on; None: from nowhere.

        Raises:
            InputError: if the node is of another class, or in no scene.
        """
        if node is not None:
            require_class(node, self.kind, WHAT[self.kind])
        self.node = node
        self._value = self._error = None
        self.read()

    def keep(self, value: Roi | Line | None) -> None:
        """Keeps a value that has no node."""
        self.node, self._value, self._error = None, value, None

    def read(self) -> bool:
        """Reads the node again; whether anything has changed."""
        if self.node is None:
            return False
        before = _key(self._value), self._error
        self._value = self._error = None
        try:
            if is_drawn(self.node):
                self._value = READERS[self.kind](self.node)
        except InputError as error:
            self._error = str(error)
        return before != (_key(self._value), self._error)

    def has(self, value: Roi | Line | None) -> bool:
        """Whether this is its value, to within rounding."""
        if self._error is not None or type(self._value) is not type(value):
            return False
        return value is None or np.allclose(_numbers(self._value), _numbers(value), atol=1e-6)

    @property
    def value(self) -> Roi | Line | None:
        """World RAS, mm; None without any, and while it is being drawn.

        Raises:
            InputError: if it cannot be used as it is.
        """
        if self._error is not None:
            raise InputError(self._error)
        return self._value


def add_roi_node(scene: slicer.vtkMRMLScene) -> HiddenNode:
    """A hidden ROI node, not drawn yet."""
    hidden = add_markups(scene, ROI, ROI_NAME)
    set_colors(hidden.display, ROI_COLOR, ROI_ACTIVE_COLOR)
    # A filling would tint the image that is to be read.
    hidden.display.SetFillVisibility(False)
    hidden.display.SetPropertiesLabelVisibility(False)
    hidden.display.SetHandlesInteractive(True)
    return hidden


def draw_roi(roi_node: slicer.vtkMRMLMarkupsROINode, roi: Roi) -> None:
    """Makes a node show an ROI in world RAS; a sheared one becomes the nearest box."""
    left, _, right = np.linalg.svd(roi.axes)
    axes = left @ right
    if np.linalg.det(axes) < 0:
        axes[:, 2] *= -1
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, roi.center
    roi_node.SetAndObserveObjectToNodeMatrix(matrix_from_array(matrix))
    roi_node.SetSize(*roi.size)


def _numbers(value: Roi | Line) -> np.ndarray:
    if isinstance(value, Roi):
        return value.box_to_ras
    return np.array([value.start, value.end])


def _key(value: Roi | Line | None) -> object:
    return value.box_to_ras.tobytes() if isinstance(value, Roi) else value
