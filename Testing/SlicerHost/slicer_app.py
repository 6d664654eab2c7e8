"""`slicer.app`: what of qSlicerApplication an extension uses; one in a process, as in Qt."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import locale
import re
import tempfile
from pathlib import Path

import slicer_core

from .cpp import Property, Signal, cpp_class, keep
from .error_log import ErrorLog
from .pythonqt import qt


def _version() -> tuple[int, int, str]:
    """Major, minor and full version of the Slicer that slicer-core was built from."""
    from importlib.metadata import PackageNotFoundError, version

    folder = Path(slicer_core.__file__).parent.parent
    found = [re.match(r"slicer_core-(.+)\.dist-info", p.name) for p in folder.glob("slicer_core-*")]
    names = [match.group(1) for match in found if match]
    try:
        text = names[0] if names else version("slicer-core")
    except PackageNotFoundError:
        text = "5.12.4"
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    return numbers[0], numbers[1], ".".join(str(n) for n in numbers[:3])


@cpp_class
class qSlicerModuleManager(qt.QObject):
    """Modules by name."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _modules={})

    def module(self, name: str):
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        return list(self._modules)

    def isLoaded(self, name: str) -> bool:
        return name in self._modules


@cpp_class
class qSlicerApplication(qt.QApplication):
    """The application object; `begin` and `end` belong to the host."""

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)
    renderPaused = Signal(bool)

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setApplicationName("Slicer")
        self.setOrganizationName("NA-MIC")
        self.setOrganizationDomain("www.na-mic.org")
        self.setQuitOnLastWindowClosed(False)
        major, minor, version = _version()
        self.setApplicationVersion(version)
        keep(self, _numbers=(major, minor), _host=None, _manager=None, _layout=None)
        keep(self, _folder=None, _paused=0, _window=None, _testing=False, _log=None)

    majorVersion = Property(int, lambda self: self._numbers[0])
    minorVersion = Property(int, lambda self: self._numbers[1])
    temporaryPath = Property(str, lambda self: str(Path(self._folder.name) / "temporary"))
    cachePath = Property(str, lambda self: str(Path(self._folder.name) / "cache"))
    slicerHome = Property(str, lambda self: self._folder.name)
    slicerSharePath = Property(str, lambda self: "share/Slicer-{}.{}".format(*self._numbers))
    slicerUserSettingsFilePath = Property(str, lambda self: f"{self._folder.name}/Slicer.ini")
    extensionsInstallPath = Property(str, lambda self: f"{self._folder.name}/Extensions")
    documentationBaseUrl = Property(
        str, lambda self: "https://slicer.readthedocs.io/en/{}.{}/".format(*self._numbers)
    )
    revision = Property(str, lambda self: "headless")
    repositoryRevision = Property(str, lambda self: "headless")
    platform = Property(str, lambda self: "linux-amd64")

    def mrmlScene(self):
        return self._host.scene

    def applicationLogic(self):
        return self._host.app

    def moduleLogic(self, moduleName: str):
        return self._host.app.GetModuleLogic(moduleName)

    def moduleManager(self):
        return self._manager

    def layoutManager(self):
        return self._layout

    def errorLogModel(self):
        return self._log.model

    def settings(self):
        return qt.QSettings(self.slicerUserSettingsFilePath, qt.QSettings.IniFormat)

    userSettings = revisionUserSettings = settings

    def moduleDocumentationUrl(self, moduleName: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{moduleName.lower()}.html"

    def testingEnabled(self) -> bool:
        return self._testing

    def setRenderPaused(self, pause: bool) -> None:
        keep(self, _paused=self._paused + (1 if pause else -1))
        self.renderPaused.emit(pause)

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)


def instance() -> qSlicerApplication:
    """The application of this process."""
    present = qt.QApplication.instance()
    if present is None:
        return qSlicerApplication()
    if not isinstance(present, qSlicerApplication):
        raise RuntimeError("There is a QApplication already, and it is not SlicerHost's.")
    return present


def begin(host, layout_manager, window) -> qSlicerApplication:
    """The application as just started, with a host's scene and empty settings."""
    app = instance()
    # Qt has set the user's locale. Slicer sets all of it back, the rest of which is Python's here.
    locale.setlocale(locale.LC_NUMERIC, "C")
    qt.QLocale.setDefault(qt.QLocale(qt.QLocale.C))
    keep(app, _host=host, _manager=qSlicerModuleManager(), _layout=layout_manager, _window=window)
    keep(app, _folder=tempfile.TemporaryDirectory(prefix="slicer-host-"), _paused=0, _testing=False)
    Path(app.temporaryPath).mkdir()
    Path(app.cachePath).mkdir()
    keep(app, _log=ErrorLog(Path(app.temporaryPath)))
    qt.QSettings.setDefaultFormat(qt.QSettings.IniFormat)
    qt.QSettings.setPath(qt.QSettings.IniFormat, qt.QSettings.UserScope, app.slicerHome)
    return app


def end() -> None:
    """Lets go of the host; what was connected to the application is disconnected."""
    app = instance()
    app.disconnect()
    app._log.close()
    app._folder.cleanup()
    keep(app, _host=None, _manager=None, _layout=None, _window=None, _log=None)
