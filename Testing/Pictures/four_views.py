"""Slicer's four views around a volume, and pictures of them."""

from __future__ import annotations

from pathlib import Path

from SlicerHost.views import SliceView, ThreeDView, four_up


class FourViews:
    """The views Red, Green, Yellow and 3D of an application that show one volume.

    Args:
        size: of each view in pixels, (width, height).
        window, level: in the volume's own units.

    Attributes:
        red, green, yellow, threed: the views.
    """

    def __init__(self, application, volume, size, window: float, level: float) -> None:
        display = volume.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(window, level)
        # Slicer interpolates volumes, unless told otherwise.
        display.SetInterpolate(True)
        slices = [SliceView(application, name, size=size) for name in ("Red", "Green", "Yellow")]
        self.red, self.green, self.yellow = slices
        self.threed = ThreeDView(application, size=size)
        self.all = (*slices, self.threed)
        application.add_views(*self.all)
        for view in slices:
            view.show(volume)

    def look_at(self, ras) -> None:
        """Moves all slices to a position, world RAS in mm."""
        for view in (self.red, self.green, self.yellow):
            view.slice_node.JumpSlice(*(float(value) for value in ras))

    def look_from(self, side: str) -> None:
        """Shows all of the scene in 3D, from "Anterior", "Left", ..."""
        self.threed.fit()
        self.threed.look_from(side)

    def picture(self, path: Path) -> Path:
        """Writes a picture of all four, without the mouse."""
        for view in self.all:
            view.leave()
        return four_up(self.all, path)
