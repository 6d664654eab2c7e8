"""Segment Editor effects: the adaptor that scripted effects get, and the factory.

Only what PythonQt would show of the C++ classes is here: properties, slots, Q_INVOKABLE methods.
"""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import types

import slicer

from . import coordinates, errors, parameters
from .cpp import Property, Signal, cpp_class, keep
from .effect_core import EffectCore
from .pythonqt import qt


class qSlicerSegmentEditorAbstractEffect(qt.QObject):
    """The members of the C++ base class that Python sees."""

    ModificationModeSet = 0
    ModificationModeAdd = 1
    ModificationModeRemove = 2
    ModificationModeRemoveAll = 3

    NotConfirmed = 0
    ConfirmedWithoutDialog = 1
    ConfirmedWithDialog = 2

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _core=EffectCore(self))

    def _read_name(self):
        if not self._core.name:
            errors.critical("Empty effect name!")
        return self._core.name

    def _read_title(self):
        return self._core.title or self._core.name

    name = Property(str, _read_name, lambda self, value: setattr(self._core, "name", value))
    title = Property(str, _read_title, lambda self, value: setattr(self._core, "title", value))
    perSegment = Property(
        bool,
        lambda self: self._core.per_segment,
        lambda self, value: setattr(self._core, "per_segment", value),
    )
    requireSegments = Property(
        bool,
        lambda self: self._core.require_segments,
        lambda self, value: setattr(self._core, "require_segments", value),
    )
    showEffectCursorInSliceView = Property(
        bool,
        lambda self: self._core.cursor_in_slice_view,
        lambda self, value: setattr(self._core, "cursor_in_slice_view", value),
    )
    showEffectCursorInThreeDView = Property(
        bool,
        lambda self: self._core.cursor_in_threed_view,
        lambda self, value: setattr(self._core, "cursor_in_threed_view", value),
    )

    # Called by scripts

    def helpText(self) -> str:
        return self._core.help_text()

    def activate(self) -> None:
        self._core.activate()

    def deactivate(self) -> None:
        self._core.deactivate()

    def active(self) -> bool:
        return self._core.is_active

    def createCursor(self, viewWidget):
        return self._core.create_cursor(viewWidget)

    def cleanup(self) -> None:
        self._core.call("cleanup")

    def updateGUIFromMRML(self) -> None:
        self._core.update_gui_from_mrml()

    def updateMRMLFromGUI(self) -> None:
        self._core.call("updateMRMLFromGUI")

    # Writing segments

    def modifySelectedSegmentByLabelmap(self, modifierLabelmap, modificationMode, *more) -> None:
        node = self._core.node
        self.modifySegmentByLabelmap(
            node.GetSegmentationNode(),
            node.GetSelectedSegmentID() or "",
            modifierLabelmap,
            modificationMode,
            *more,
        )

    def modifySegmentByLabelmap(
        self, segmentationNode, segmentID, modifierLabelmap, modificationMode, *more
    ) -> None:
        """More: an extent (6 ints), or bypassMasking, or both in this order."""
        extent, bypass = _extent_and_bypass(more)
        if len(extent) != 6:
            errors.critical("failed: extent must have 6 int values")
            return
        logic = self._core.logic
        if logic is None:
            return
        logic.ModifySegmentByLabelmap(
            segmentationNode,
            segmentID,
            modifierLabelmap,
            getattr(logic, _MODES[int(modificationMode)]),
            extent,
            self._core.per_segment,
            bypass,
        )

    @staticmethod
    def applyImageMask(input, mask, fillValue, notMask=False) -> None:
        slicer.vtkOrientedImageDataResample.ApplyImageMask(input, mask, fillValue, notMask)

    def saveStateForUndo(self) -> None:
        if self._core.save_state:
            self._core.save_state()

    def selectEffect(self, effectName: str) -> None:
        self._core.select_effect(effectName)

    # Images

    def modifierLabelmap(self):
        return self._core.volumes.get("ModifierLabelmap")

    def defaultModifierLabelmap(self):
        return self._core.updated("ModifierLabelmap")

    def maskLabelmap(self):
        return self._core.updated("MaskLabelmap")

    def selectedSegmentLabelmap(self):
        return self._core.updated("SelectedSegmentLabelmap")

    def referenceGeometryImage(self):
        return self._core.updated("ReferenceGeometryImage")

    def sourceVolumeImageData(self):
        return self._core.updated("AlignedSourceVolume")

    def masterVolumeImageData(self):
        errors.warning("masterVolumeImageData() method is deprecated")
        return self.sourceVolumeImageData()

    # The panel

    def optionsFrame(self):
        return self._core.frame

    def optionsLayout(self):
        return self._core.frame.layout()

    def addOptionsWidget(self, newOptionsWidget) -> None:
        if isinstance(newOptionsWidget, qt.QWidget):
            _into_frame(newOptionsWidget, self._core.frame)
        self.optionsLayout().addRow(newOptionsWidget)

    def addLabeledOptionsWidget(self, label: str, newOptionsWidget):
        labelWidget = qt.QLabel(label)
        if isinstance(newOptionsWidget, qt.QWidget):
            _into_frame(newOptionsWidget, self._core.frame)
        elif not isinstance(newOptionsWidget, qt.QHBoxLayout):
            labelWidget.setAlignment(qt.Qt.AlignLeft | qt.Qt.AlignTop)
        self.optionsLayout().addRow(labelWidget, newOptionsWidget)
        return labelWidget

    # Nodes and parameters

    def parameterSetNode(self):
        return self._core.node

    def setParameterSetNode(self, node) -> None:
        self._core.node = node

    def scene(self):
        return self._core.node.GetScene() if self._core.node else None

    def parameter(self, name: str) -> str:
        return parameters.text(self._core, name)

    def integerParameter(self, name: str) -> int:
        return parameters.integer(self._core, name)

    def doubleParameter(self, name: str) -> float:
        return parameters.number(self._core, name)

    def setParameter(self, name: str, value) -> None:
        parameters.put(self._core, f"{self._core.name}.{name}", value)

    def setParameterDefault(self, name: str, value) -> None:
        if not self.parameterDefined(name):
            self.setParameter(name, value)

    def setCommonParameter(self, name: str, value) -> None:
        parameters.put(self._core, name, value)

    def setCommonParameterDefault(self, name: str, value) -> None:
        if not self.commonParameterDefined(name):
            self.setCommonParameter(name, value)

    def parameterDefined(self, name: str) -> bool:
        return self.commonParameterDefined(f"{self._core.name}.{name}")

    def commonParameterDefined(self, name: str) -> bool:
        return parameters.defined(self._core, name)

    def nodeReference(self, name: str):
        return parameters.node_reference(self._core, name)

    def setNodeReference(self, name: str, node) -> None:
        parameters.put_node(self._core, f"{self._core.name}.{name}", node)

    def setCommonNodeReference(self, name: str, node) -> None:
        parameters.put_node(self._core, name, node)

    def confirmCurrentSegmentVisible(self) -> int:
        return parameters.confirm_visible(self._core, self)

    # Views

    def addActor2D(self, viewWidget, actor) -> None:
        coordinates.change_actors(viewWidget, actor, "AddViewProp")

    def removeActor2D(self, viewWidget, actor) -> None:
        coordinates.change_actors(viewWidget, actor, "RemoveViewProp")

    def addActor3D(self, viewWidget, actor) -> None:
        coordinates.change_actors(viewWidget, actor, "AddViewProp")

    def removeActor3D(self, viewWidget, actor) -> None:
        coordinates.change_actors(viewWidget, actor, "RemoveActor")

    def cursorOff(self, viewWidget) -> None:
        self._core.saved_cursor = qt.QCursor(viewWidget.cursor)
        coordinates.view_of(viewWidget).setDefaultViewCursor(qt.QCursor(qt.Qt.BlankCursor))

    def cursorOn(self, viewWidget) -> None:
        coordinates.view_of(viewWidget).setDefaultViewCursor(self._core.saved_cursor)

    def segmentationDisplayableInView(self, viewNode) -> bool:
        logic = self._core.logic
        return bool(logic and logic.IsSegmentationDisplayableInView(viewNode))

    renderWindow = staticmethod(coordinates.render_window)
    renderer = staticmethod(coordinates.renderer)
    viewNode = staticmethod(coordinates.view_node)
    rasToXy = staticmethod(coordinates.ras_to_xy)
    xyzToRas = staticmethod(coordinates.xyz_to_ras)
    xyToRas = staticmethod(coordinates.xy_to_ras)
    xyzToIjk = staticmethod(coordinates.xyz_to_ijk)
    xyToIjk = staticmethod(coordinates.xy_to_ijk)
    forceRender = staticmethod(coordinates.force_render)
    scheduleRender = staticmethod(coordinates.schedule_render)
    sliceSpacing = staticmethod(coordinates.slice_spacing)


cpp_class(qSlicerSegmentEditorAbstractEffect)


# The logic takes its own enum, not an int.
_MODES = (
    "ModificationModeSet",
    "ModificationModeAdd",
    "ModificationModeRemove",
    "ModificationModeRemoveAll",
)


@cpp_class
class qSlicerSegmentEditorScriptedEffect(qSlicerSegmentEditorAbstractEffect):
    """The adaptor around an effect written in Python."""

    def pythonSource(self) -> str:
        return self._core.source

    def setPythonSource(self, newPythonSource: str) -> bool:
        return self._core.load(newPythonSource)

    def self(self):
        return self._core.python.instance


@cpp_class
class qSlicerSegmentEditorEffectFactory(qt.QObject):
    """Keeps one of each effect; an editor widget gets clones."""

    effectRegistered = Signal(str)

    _the_one = None

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _registered=[])

    @staticmethod
    def instance():
        if qSlicerSegmentEditorEffectFactory._the_one is None:
            factory = qSlicerSegmentEditorEffectFactory()
            qSlicerSegmentEditorEffectFactory._the_one = factory
        return qSlicerSegmentEditorEffectFactory._the_one

    def registerEffect(self, effect) -> bool:
        if effect is None or not effect.name:
            errors.critical("Invalid effect to register!")
            return False
        if any(effect.name == other.name for other in self._registered):
            return False
        self._registered.append(effect)
        self.effectRegistered.emit(effect.name)
        return True


def registered() -> list:
    """The effects that the factory keeps."""
    return qSlicerSegmentEditorEffectFactory.instance()._registered


def forget() -> None:
    """The factory as in a Slicer just started."""
    qSlicerSegmentEditorEffectFactory._the_one = None


def clones_of_new(present: list) -> list:
    """Clones of the effects whose name is not among those of `present`."""
    names = [effect.name for effect in present]
    clones = []
    for effect in registered():
        if effect.name in names:
            continue
        clone = effect._core.clone()
        if clone is None:
            errors.critical(f"failed to clone effect: {effect.name}")
            continue
        clones.append(clone)
    return clones


def _extent_and_bypass(more) -> tuple:
    nothing = (0, -1, 0, -1, 0, -1)
    if not more:
        return nothing, False
    if isinstance(more[0], bool | int):
        if len(more) > 1:
            raise TypeError("bypassMasking is the last argument")
        return nothing, bool(more[0])
    return tuple(int(n) for n in more[0]), bool(more[1]) if len(more) > 1 else False


def _into_frame(widget, frame) -> None:
    widget.setParent(frame)
    widget.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.MinimumExpanding)


def python_module() -> types.ModuleType:
    """The module `qSlicerSegmentationsEditorEffectsPythonQt`."""
    module = types.ModuleType("qSlicerSegmentationsEditorEffectsPythonQt")
    for kind in CLASSES:
        setattr(module, kind.__name__, kind)
    return module


WIDGETS = CLASSES = (
    qSlicerSegmentEditorAbstractEffect,
    qSlicerSegmentEditorScriptedEffect,
    qSlicerSegmentEditorEffectFactory,
)
