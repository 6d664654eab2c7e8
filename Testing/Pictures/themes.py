"""The look of Slicer's two themes: colours and distances of its style, on top of Qt's "Fusion".

They are claims about `Base/QTGUI/qSlicerStyle.cxx` of Slicer (`standardLightPalette`,
`standardDarkPalette`, `pixelMetric`).
"""

from __future__ import annotations

from SlicerHost.pythonqt import qt

# Role -> colour; "Disabled" roles are those of widgets that cannot be used.
LIGHT = {
    "Window": "#ffffff",
    "WindowText": "#000000",
    "Disabled WindowText": "#bebebe",
    "Base": "#ffffff",
    "Disabled Base": "#ffffff",
    "AlternateBase": "#e4e4fe",
    "Text": "#000000",
    "Disabled Text": "#bebebe",
    "Button": "#fcfcfc",
    "ButtonText": "#000000",
    "Disabled ButtonText": "#bebebe",
    "Light": "#c8c8c8",
    "Midlight": "#e6e6e6",
    "Dark": "#aaaaaa",
    "Mid": "#c8c8c8",
    "Shadow": "#5a5a5a",
    "Highlight": "#308cc6",
    "Disabled Highlight": "#919191",
    "HighlightedText": "#ffffff",
    "Link": "#0000ff",
}
DARK = {
    "Window": "#323232",
    "WindowText": "#ffffff",
    "Disabled WindowText": "#6d6d6d",
    "Base": "#1e1e1e",
    "Disabled Base": "#1e1e1e",
    "AlternateBase": "#323232",
    "Text": "#ffffff",
    "Disabled Text": "#6d6d6d",
    "Button": "#323232",
    "ButtonText": "#ffffff",
    "Disabled ButtonText": "#b4b4b4",
    "Light": "#828284",
    "Midlight": "#5a5a5b",
    "Dark": "#232323",
    "Mid": "#2b2b2b",
    "Shadow": "#141414",
    "Highlight": "#3ca4ff",
    "Disabled Highlight": "#505050",
    "HighlightedText": "#ffffff",
    "Link": "#3ca4ff",
}
THEMES = {"light": LIGHT, "dark": DARK}
MARGIN, MARGIN_IN_SECTION, SPACING, SLIDER_LENGTH = 6, 4, 3, 12


class SlicerStyle(qt.QProxyStyle):
    """Fusion with the distances of Slicer's style."""

    def __init__(self) -> None:
        super().__init__("Fusion")
        margins = ("Left", "Top", "Right", "Bottom")
        self._margins = {getattr(qt.QStyle, f"PM_Layout{side}Margin") for side in margins}
        self._spacings = {qt.QStyle.PM_LayoutHorizontalSpacing, qt.QStyle.PM_LayoutVerticalSpacing}

    def pixelMetric(self, metric, option=None, widget=None) -> int:  # noqa: N802
        if metric in self._margins:
            in_section = widget is not None and widget.inherits("ctkCollapsibleButton")
            return MARGIN_IN_SECTION if in_section else MARGIN
        if metric in self._spacings:
            return SPACING
        if metric == qt.QStyle.PM_SliderLength:
            return SLIDER_LENGTH
        return super().pixelMetric(metric, option, widget)


def use(name: str) -> None:
    """Gives the application the look of a theme, "light" or "dark"."""
    application = qt.QApplication.instance()
    application.setStyle(SlicerStyle())
    palette = application.style().standardPalette()
    for role, color in THEMES[name].items():
        group = qt.QPalette.Disabled if role.startswith("Disabled ") else qt.QPalette.All
        role = getattr(qt.QPalette, role.removeprefix("Disabled "))
        # Disabled colours follow those for all: dictionaries keep their order.
        palette.setColor(group, role, qt.QColor(color))
    application.setPalette(palette)
