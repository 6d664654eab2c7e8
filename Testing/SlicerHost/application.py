"""A headless Slicer: its scene and logics, real Qt widgets, and the modules Slicer gives Python.

with Application() as application:
    application.load_module("SAMSegment/SAMSegment.py")
    application.start()                      # startupCompleted(): effects register themselves
    editor = application.open_segment_editor()
    ...
    application.wait(lambda: done, seconds=10)
    assert not application.errors
"""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path

from . import errors, fonts
from .pythonqt import qt  # before anything else of Qt
from .scene import HeadlessScene

import slicer  # isort: skip

from . import (
    base_effects,
    ctk_widgets,
    effect_core,
    effects,
    i18n,
    imports,
    layout,
    mrml_widgets,
    node_combo_box,
    outside,
    packaging,
    place_widget,
    sample_data,
    scripted_modules,
    segment_editor,
    slicer_app,
    ui_loader,
)
from .segment_editor_module import SegmentEditorModule

_MISSING = object()
PYTHON_MODULES = {
    "slicer.i18n": i18n.python_module,
    "slicer.packaging": packaging.python_module,
    "slicer.ScriptedLoadableModule": scripted_modules.python_module,
    "SegmentEditorEffects": base_effects.python_module,
    "qSlicerSegmentationsEditorEffectsPythonQt": effects.python_module,
    "SampleData": sample_data.python_module,
}


class Application(HeadlessScene):
    """A Slicer that has just started, with an empty scene. One at a time.

    Attributes:
        scene, app: as in HeadlessScene (vtkMRMLScene, vtkSlicerApplicationLogic).
        main_window: the QMainWindow that `slicer.util.mainWindow()` gives, or None.
        errors: what Slicer would have printed as an error: exceptions in slots, timers, observers
            and effects' callbacks, critical messages, VTK's errors. A list of `errors.Problem`.
        warnings: the same, of warnings.
        views: the views of SlicerHost.views that were added.
        opened: addresses that Slicer gave to the system to open.
    """

    def __init__(self, main_window: bool = True) -> None:
        super().__init__()
        self.errors, self.warnings = errors.errors, errors.warnings
        self.opened = outside.opened
        self._recorder = errors.Recorder()
        self._recorder.install()
        self._replaced: list[tuple] = []
        self._slicer_before = set(vars(slicer))
        self._modules = imports.Modules(PYTHON_MODULES)
        self.views: list = []
        self.editors: list = []
        self.qt_application = slicer_app.instance()
        fonts.install()
        self.main_window = _main_window() if main_window else None
        self._layout = layout.qSlicerLayoutManager(self)
        slicer_app.begin(self, self._layout, self.main_window)
        self._provide_cache(slicer_app.instance().cachePath)
        self._install()

    def __enter__(self) -> Application:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # Starting

    def load_module(self, path):
        """Loads a scripted module as Slicer does when it starts; returns its C++ side, or None."""
        folder = str(Path(path).resolve().parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
            self._replaced.append((sys.path, folder, None))
        return scripted_modules.load(str(Path(path).resolve()))

    def start(self) -> None:
        """The end of Slicer's start: `startupCompleted()`."""
        self.qt_application.startupCompleted.emit()

    def register_effect(self, path) -> bool:
        """Registers the effect in a file by the lines that a module uses; False if it failed."""
        effect = effects.qSlicerSegmentEditorScriptedEffect(None)
        if not effect.setPythonSource(Path(path).as_posix()):
            return False
        effect.self().register()
        return True

    # The user's user

    def add_views(self, *views) -> None:
        """Views of SlicerHost.views, to be in the layout; the application closes them."""
        for view in views:
            self.views.append(view)
            layout.add(self._layout, view)
        self._layout.layoutChanged.emit(0)

    def open_segment_editor(self, segmentation=None, volume=None, width=430):
        """The module "Segment Editor", entered: its editor widget, shown.

        Args:
            segmentation, volume: chosen in it, if given.
            width: of the module panel, in pixels.
        """
        module = SegmentEditorModule(width)
        self.editors.append(module)
        module.parent.show()
        module.enter()
        if segmentation is not None:
            module.editor.setSegmentationNode(segmentation)
        if volume is not None:
            module.editor.setSourceVolumeNode(volume)
        self.process_events()
        return module.editor

    def wait(self, until=None, seconds: float = 5.0) -> bool:
        """Runs Qt's event loop until a condition holds; returns whether it does.

        Without a condition, it runs for that time.
        """
        deadline = time.monotonic() + seconds
        while not (until and until()):
            left = deadline - time.monotonic()
            if left <= 0:
                return bool(until and until())
            loop = qt.QEventLoop()
            qt.QTimer.singleShot(max(1, min(5, int(left * 1000))), loop.quit)
            with errors.swallowed("virtual method"):
                loop.exec()
        return True

    def process_events(self) -> None:
        """Handles what is pending, with deferred deletions."""
        with errors.swallowed("virtual method"):
            self.qt_application.processEvents()
            self.qt_application.sendPostedEvents(None, qt.QEvent.DeferredDelete)

    def picture(self, widget, path) -> None:
        """Saves a picture of a widget."""
        self.process_events()
        if not widget.grab().save(str(path)):
            raise OSError(f"{path} could not be written.")

    def answer(self, *buttons) -> None:
        """What the user will answer to the next message boxes of Slicer, in order."""
        ctk_widgets.ctkMessageBox.answers.extend(int(button) for button in buttons)

    def choose(self, *paths) -> None:
        """What the user will choose in the next dialogs for a file or folder; "" is Cancel."""
        outside.choices.extend(str(path) for path in paths)

    # Ending

    def close_scene(self) -> None:
        """File > Close scene; the application lives on."""
        HeadlessScene.close(self)

    def close(self) -> None:
        """Ends it: everything that was put into Python is taken out again."""
        if not self._replaced and self._recorder is None:
            return
        for module in self.editors:
            module.close()
        for editor in list(segment_editor.alive):
            segment_editor.close(editor)
        self.editors.clear()
        manager = slicer.app.moduleManager()
        for name in manager.modulesNames():
            manager.moduleAboutToBeUnloaded.emit(name)
        if self.main_window is not None:
            self.main_window.close()
            self.main_window.deleteLater()
        HeadlessScene.close(self)
        for view in self.views:
            view.close()
        layout.close(self._layout)
        effects.forget()
        ctk_widgets.ctkMessageBox.answers.clear()
        self.process_events()
        slicer_app.end()
        self._uninstall()
        self._recorder.uninstall()
        self._recorder = None

    def _install(self) -> None:
        # PythonQt makes these two; all others are files.
        for name, module in {"qt": qt, "ctk": ctk_widgets.module}.items():
            self._replaced.append((sys.modules, name, sys.modules.get(name, _MISSING)))
            sys.modules[name] = module
        self._modules.install()
        attributes = {
            "mrmlScene": self.scene,
            "app": self.qt_application,
            "modules": types.SimpleNamespace(),
        }
        for source in (mrml_widgets, node_combo_box, layout, effects, segment_editor, place_widget):
            for kind in source.WIDGETS:
                attributes[kind.__name__] = kind
        for kind in (
            scripted_modules.qSlicerScriptedLoadableModule,
            scripted_modules.qSlicerScriptedLoadableModuleWidget,
        ):
            attributes[kind.__name__] = kind
        for name, value in attributes.items():
            setattr(slicer, name, value)
        slicer.modules.segmentations = _LogicModule(self, "Segmentations")
        slicer.modules.markups = _LogicModule(self, "Markups")
        slicer.modules.volumes = _LogicModule(self, "Volumes")
        for name in ("Segmentations", "Markups", "Volumes"):
            slicer.app.moduleManager()._modules[name] = getattr(slicer.modules, name.lower())
        ui_loader.install()
        outside.install()

    def _uninstall(self) -> None:
        for place, name, before in reversed(self._replaced):
            if place is sys.path:
                sys.path.remove(name)
            elif before is _MISSING:
                place.pop(name, None)
            else:
                place[name] = before
        self._replaced.clear()
        for name in set(vars(slicer)) - self._slicer_before:
            if not isinstance(vars(slicer)[name], types.ModuleType):
                delattr(slicer, name)
        self._modules.uninstall()
        ui_loader.uninstall()
        outside.uninstall()
        for names in (scripted_modules.loaded, effect_core.loaded):
            for name in names:
                sys.modules.pop(name, None)
            names.clear()


class _LogicModule(qt.QObject):
    """A C++ module whose logic is asked for."""

    __cpp_class__ = True

    def __init__(self, host, name) -> None:
        super().__init__()
        self.__dict__.update(_host=host, _name=name)

    def logic(self):
        return self._host.app.GetModuleLogic(self._name)

    def widgetRepresentation(self):
        return None


def _main_window():
    window = qt.QMainWindow()
    window.setObjectName("qSlicerMainWindow")
    window.setWindowTitle("Slicer, headless")
    window.setCentralWidget(qt.QWidget())
    return window
