"""A MRML scene with the logics that Slicer gives it, from slicer-core."""

from __future__ import annotations

import slicer
import vtk

from .hierarchy import Hierarchy

# Not Terminologies: slicer-core lacks its files, and the logic fills stderr without them.
MODULE_LOGICS = {
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}


class HeadlessScene:
    """Slicer's scene and logics without Qt.

    Attributes:
        scene: vtkMRMLScene.
        app: vtkSlicerApplicationLogic; `app.GetModuleLogic(name)` gives those of MODULE_LOGICS.
    """

    def __init__(self) -> None:
        self.scene = slicer.vtkMRMLScene()
        # Before the application logic, which the markups logic asks for selection and crosshair.
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        self.app = slicer.vtkSlicerApplicationLogic()
        self.app.SetMRMLScene(self.scene)
        self.app.GetColorLogic().SetMRMLApplicationLogic(self.app)
        self.app.GetColorLogic().SetMRMLScene(self.scene)
        self.app.SetSliceLogics(vtk.vtkCollection())
        self.app.SetViewLogics(vtk.vtkCollection())
        # In Slicer the logic of the module Colors is the application's.
        self.app.SetModuleLogic("Colors", self.app.GetColorLogic())
        self._logics = [self._module_logic(*item) for item in MODULE_LOGICS.items()]
        self._hierarchy = Hierarchy(self.scene)

    @property
    def hierarchy(self):
        """vtkMRMLSubjectHierarchyNode. Not kept: a removed one would confuse the next scene's."""
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)

    def add(self, class_name: str, name: str):
        """A new node, with a display where it has one."""
        node = self.scene.AddNewNodeByClass(class_name, name)
        if node.IsA("vtkMRMLDisplayableNode"):
            node.CreateDefaultDisplayNodes()
        return node

    def close(self) -> None:
        """File > Close scene."""
        self.scene.Clear(0)

    def save_mrb(self, path) -> None:
        """File > Save, as a medical reality bundle."""
        self.scene.SetRootDirectory(str(path.parent))
        if not self.scene.WriteToMRB(str(path), None):
            raise OSError(f"Slicer could not write {path}.")

    def load_mrb(self, path, cache_directory) -> None:
        """File > Open, of a medical reality bundle; it replaces the scene."""
        self._provide_cache(cache_directory)
        if not self.scene.ReadFromMRB(str(path), True):
            raise OSError(f"Slicer could not read {path}.")

    def _module_logic(self, name: str, class_name: str):
        logic = getattr(slicer, class_name)()
        logic.SetMRMLApplicationLogic(self.app)
        logic.SetMRMLScene(self.scene)
        self.app.SetModuleLogic(name, logic)
        return logic

    def _provide_cache(self, directory) -> None:
        cache = slicer.vtkCacheManager()
        cache.SetRemoteCacheDirectory(str(directory))
        cache.SetMRMLScene(self.scene)
        manager = slicer.vtkDataIOManager()
        manager.SetCacheManager(cache)
        self.scene.SetCacheManager(cache)
        self.scene.SetDataIOManager(manager)
        self._io = (cache, manager)


class EditorWidget:
    """What of `qMRMLSegmentEditorWidget` other code may rely on, around its real logic.

    No Qt: a stand-in for the widget alone. Names are those of the widget's header.
    """

    MAXIMUM_NUMBER_OF_UNDO_STATES = 10

    def __init__(self, scene, segment_editor_node, visible: bool = True) -> None:
        self._node = segment_editor_node
        self._visible = visible
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.logic.SetMRMLScene(scene)
        self.logic.SetVerbose(True)
        self.logic.SetMaximumNumberOfUndoStates(self.MAXIMUM_NUMBER_OF_UNDO_STATES)
        self.logic.SetSegmentEditorNode(segment_editor_node)

    def mrmlSegmentEditorNode(self):
        return self._node

    def segmentationNode(self):
        return self._node.GetSegmentationNode()

    def saveStateForUndo(self) -> None:
        self.logic.SaveStateForUndo()

    def undo(self) -> None:
        self.logic.Undo()

    def redo(self) -> None:
        self.logic.Redo()

    def isVisible(self) -> bool:
        return self._visible

    def property(self, name: str):
        values = {"maximumNumberOfUndoStates": self.logic.GetMaximumNumberOfUndoStates()}
        return values[name]

    def setMaximumNumberOfUndoStates(self, states: int) -> None:
        self.logic.SetMaximumNumberOfUndoStates(states)
