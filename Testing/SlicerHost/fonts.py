"""Text in pictures, on any machine: DejaVu Sans of the system, or the one in matplotlib."""

from __future__ import annotations

from pathlib import Path

from .pythonqt import qt

FAMILY = "DejaVu Sans"


def install(points: float = 9) -> None:
    """Makes DejaVu Sans the application's font, and its look that of Qt's style Fusion.

    Raises:
        OSError: neither the system nor matplotlib has it.
    """
    if FAMILY not in qt.QFontDatabase.families():
        import matplotlib

        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf"):
            if qt.QFontDatabase.addApplicationFont(str(folder / name)) < 0:
                raise OSError(f"Qt cannot use the font {folder / name}.")
    font = qt.QFont(FAMILY)
    font.setPointSizeF(points)
    qt.QApplication.setFont(font)
    # Slicer's own style on all platforms is based on it.
    qt.QApplication.setStyle("Fusion")
    # Qt keeps the colours of an application that was here before.
    qt.QApplication.setPalette(qt.QApplication.style().standardPalette())
