"""The module `slicer.ScriptedLoadableModule`, and the loading of modules written in Python."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import types
import unittest
from pathlib import Path

import slicer

from . import errors
from .cpp import cpp_class, keep, stored
from .mrml_widgets import qMRMLWidget
from .pythonqt import qt


class ScriptedLoadableModule:
    """What Slicer knows of a module; `parent` is the C++ side."""

    def __init__(self, parent) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = ["Nobody"]
        parent.helpText = ""
        parent.acknowledgementText = ""
        for extension in (".svg", ".png"):
            icon = Path(parent.path).parent / "Resources" / "Icons" / (self.moduleName + extension)
            if icon.is_file():
                parent.icon = qt.QIcon(str(icon))
                break
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)

    def getDefaultModuleDocumentationLink(self, docPage=None) -> str:
        page = slicer.app.documentationBaseUrl + docPage if docPage else None
        url = page or slicer.app.moduleDocumentationUrl(self.moduleName)
        return f'<p>For more information, see the <a href="{url}">online documentation</a>.</p>'

    def runTest(self, msec=100, **kwargs) -> None:
        test = getattr(sys.modules[type(self).__module__], self.moduleName + "Test")()
        test.messageDelay = msec
        test.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """A module's panel."""

    def __init__(self, parent=None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue(
            "Developer/DeveloperMode", False, converter=slicer.util.toBool
        )
        if parent:
            self.parent = parent
        else:
            self.parent = qMRMLWidget()
            self.parent.setLayout(qt.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        self.layout = self.parent.layout()
        if not parent:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect(
            "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
        )

    def resourcePath(self, filename: str) -> str:
        folder = os.path.dirname(slicer.util.modulePath(self.moduleName))
        return os.path.join(folder, "Resources", filename)

    def cleanup(self) -> None:
        pass

    def setup(self) -> None:
        pass

    def _onModuleAboutToBeUnloaded(self, moduleName) -> None:
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect(
                "moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded
            )


class ScriptedLoadableModuleLogic:
    """A module's logic, with its parameter node."""

    def __init__(self, parent=None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node:
                if node.GetAttribute("ModuleName") != self.moduleName:
                    node.SetAttribute("ModuleName", self.moduleName)
                return node
        else:
            nodes = self.getAllParameterNodes()
            if nodes:
                return nodes[0]
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode", slicer.mrmlScene)
        return [n for n in nodes if n.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's self test."""

    def delayDisplay(self, message, requestedDelay=None, msec=None) -> None:
        logging.info(message)
        qt.QApplication.processEvents()

    def runTest(self) -> None:
        logging.warning("No test is defined in %s", type(self).__name__)


@cpp_class
class qSlicerScriptedLoadableModule(qt.QObject):
    """A module's C++ side: the `parent` that a ScriptedLoadableModule gets."""

    title = stored(str, "title", "")
    name = stored(str, "name", "")
    path = stored(str, "path", "")
    categories = stored("QVariantList", "categories", [])
    dependencies = stored("QVariantList", "dependencies", [])
    contributors = stored("QVariantList", "contributors", [])
    associatedNodeTypes = stored("QVariantList", "associatedNodeTypes", [])
    helpText = stored(str, "helpText", "")
    acknowledgementText = stored(str, "acknowledgementText", "")
    icon = stored(qt.QIcon, "icon", qt.QIcon())
    hidden = stored(bool, "hidden", False)
    widgetRepresentationCreationEnabled = stored(bool, "widgetRepresentationCreationEnabled", True)
    index = stored(int, "index", -1)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _python=None, _widget=None)

    def self(self):
        return self._python

    def logic(self):
        return None

    def widgetRepresentation(self):
        if self._widget is None:
            keep(self, _widget=_new_representation(self))
        return self._widget


@cpp_class
class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """A module's panel on the C++ side: the `parent` of a ScriptedLoadableModuleWidget."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _python=None)

    def self(self):
        return self._python

    def enter(self) -> None:
        self._call("enter")

    def exit(self) -> None:
        self._call("exit")

    def _call(self, name: str) -> None:
        """What Python's method raises is printed, and Slicer goes on."""
        try:
            getattr(self._python, name, lambda: None)()
        except Exception as error:
            errors.exception("python", error)


def _new_representation(module):
    source = sys.modules[module.name]
    kind = getattr(source, module.name + "Widget", None)
    if kind is None:
        return None
    representation = qSlicerScriptedLoadableModuleWidget()
    representation.setLayout(qt.QVBoxLayout())
    representation.setMRMLScene(slicer.mrmlScene)
    try:
        keep(representation, _python=kind(representation))
    except Exception as error:
        errors.exception("python", error)
        return representation
    setattr(slicer.modules, module.name + "Widget", representation._python)
    representation._call("setup")
    return representation


# Names in sys.modules of what was loaded, for the application to take out.
loaded: list[str] = []


def load(path: str):
    """Loads a module's file as Slicer does when it starts; returns the C++ side, or None."""
    name = Path(path).stem
    module = qSlicerScriptedLoadableModule()
    module.name, module.path = name, str(path)
    spec = importlib.util.spec_from_file_location(name, path)
    source = importlib.util.module_from_spec(spec)
    sys.modules[name] = source
    loaded.append(name)
    try:
        spec.loader.exec_module(source)
        keep(module, _python=getattr(source, name)(module))
    except Exception as error:
        errors.exception("python", error)
        return None
    manager = slicer.app.moduleManager()
    manager._modules[name] = module
    setattr(slicer.modules, name.lower(), module)
    setattr(slicer.modules, name + "Instance", module._python)
    manager.moduleLoaded.emit(name)
    return module


def python_module() -> types.ModuleType:
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    module.__all__ = []
    for kind in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(module, kind.__name__, kind)
        module.__all__.append(kind.__name__)
    return module
