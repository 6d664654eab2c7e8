"""Pictures of how users get models: in the effect and in the module's panel, in all their looks."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from SlicerHost import i18n
from SlicerHost.application import Application
from SlicerHost.pythonqt import qt

from . import themes
from .layout_check import defects
from .model_states import IN_EFFECT, IN_PANEL, shelf
from .panel_pictures import LOOKS, Look, lengthen, longer, quick_worker, side_by_side
from .panel_states import make_user


class ModuleWindow:
    """The module's panel with only the section "Models" open.

    Attributes:
        window: what a picture shows.
        panel: the ModulePanel.
    """

    def __init__(self, application) -> None:
        from SAMSegmentLib.ui.module.module_panel import ModulePanel
        from TestSupport.fake_worker_service import FakeWorkerService

        self._application = application
        self.panel = ModulePanel(FakeWorkerService())
        self.window = qt.QWidget()
        layout = qt.QVBoxLayout(self.window)
        layout.addWidget(self.panel.widget)
        layout.addStretch(1)
        ui = self.panel.ui
        for section in (ui.guideSection, ui.setupSection, ui.helpSection):
            # Both ways: the host's section, unlike CTK's, does not hide what came after it was
            # folded.
            section.collapsed = False
            section.collapsed = True
        self.window.show()

    def close(self) -> None:
        self.panel.release()
        self.window.close()
        self.window.deleteLater()

    def choose(self, name: str) -> None:
        """Selects a model in the list."""
        from SAMSegmentLib.weights.catalogue import catalogue

        tree = self.panel.ui.modelTree
        tree.setCurrentItem(tree.topLevelItem(list(catalogue()).index(name)))

    def resize(self, width: int) -> None:
        """Makes it that wide, and as high as it needs."""
        for _ in range(4):
            self._application.process_events()
            self.window.resize(width, self.window.layout().totalHeightForWidth(width))
        self._application.process_events()


@contextmanager
def effect_in(application, state: str, look: Look, folder: Path):
    """The Segment Editor with the effect and a model chosen in it, for a state of IN_EFFECT."""
    with shelf(application, folder) as made:
        user = make_user(application)
        with _language(user.panel.widget, look):
            selector = user.panel.ui.modelSelector
            selector.setCurrentIndex(selector.findData(getattr(made, state)()))
            user.fold_options(False)
            # What is in the section, and then the section in the panel.
            user.resize(look.width)
            user.resize(look.width)
            yield user


@contextmanager
def panel_in(application, state: str, look: Look, folder: Path):
    """The module's panel, for a state of IN_PANEL."""
    with shelf(application, folder) as made:
        window = ModuleWindow(application)
        with _language(window.panel.widget, look):
            window.choose(getattr(made, state)())
            window.panel.refresh()
            window.resize(look.width)
            yield window
        window.close()


def draw(folder: Path, suffix: str = "", looks=tuple(LOOKS)) -> tuple[list[Path], list[str]]:
    """Writes two sheets for each look; see panel_pictures.draw."""
    files, wrong = [], []
    for name in looks:
        for what, states, show in (
            ("effect", IN_EFFECT, effect_in),
            ("module", IN_PANEL, panel_in),
        ):
            pictures = []
            for state in states:
                picture, found = _picture(show, state, LOOKS[name])
                pictures.append(picture)
                wrong += [f"{name}, models in the {what}, {state}: {text}" for text in found]
            files.append(folder / f"models-{what}-{name}{suffix}.png")
            side_by_side(pictures).save(files[-1])
    return files, wrong


def _picture(show, state: str, look: Look) -> tuple[Image.Image, list[str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Application() as application,
        quick_worker(),
    ):
        themes.use(look.theme)
        path = Path(folder, "picture.png")
        with show(application, state, look, Path(folder, "models")) as shown:
            # Of the Segment Editor only the effect: the rest is on the other sheets.
            part = shown.panel.widget if show is effect_in else shown.window
            application.picture(part, path)
            return Image.open(path).convert("RGB"), defects(shown.window)


@contextmanager
def _language(widget, look: Look):
    if look.long_texts:
        lengthen(widget)
        i18n.use(longer)
    try:
        yield
    finally:
        i18n.use(None)
