"""qSlicerMarkupsPlaceWidget: buttons that place points of a markups node and delete them."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import slicer
import vtk

from . import errors
from .cpp import Property, Signal, cpp_class, keep, weak
from .mrml_widgets import Observations, qMRMLWidget
from .pythonqt import qt


@cpp_class
class qSlicerMarkupsPlaceWidget(qMRMLWidget):
    ShowPlaceMultipleMarkupsOption = 0
    HidePlaceMultipleMarkupsOption = 1
    ForcePlaceSingleMarkup = 2
    ForcePlaceMultipleMarkups = 3

    activeMarkupsPlaceModeChanged = Signal(bool)
    activeMarkupsFiducialPlaceModeChanged = Signal(bool)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _node=None, _interaction=None, _selection=None, _watch=Observations(self))
        keep(self, _logic=slicer.app.moduleLogic("Markups"), _multiple=0, _updating=False)
        keep(self, _told=False, _color=qt.QColor(0, 1, 0))
        keep(self, _place=qt.QToolButton(), _delete=qt.QToolButton())
        keep(self, _default_color=qt.QColor(0, 1, 0), _options=[True, False, False])
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._place.setObjectName("PlaceButton")
        self._place.setText("Place")
        self._place.setCheckable(True)
        self._delete.setObjectName("DeleteButton")
        self._delete.setText("Delete")
        for button in (self._place, self._delete):
            layout.addWidget(button)
        self._place.connect("toggled(bool)", weak(self.setPlaceModeEnabled))
        self._delete.connect("clicked()", weak(self.modifyLastPoint))
        self._update()

    def currentNode(self):
        return self._node

    currentMarkupsNode = currentNode

    def currentMarkupsFiducialNode(self):
        fits = self._node is not None and self._node.IsA("vtkMRMLMarkupsFiducialNode")
        return self._node if fits else None

    def interactionNode(self):
        return self._interaction

    def selectionNode(self):
        return self._selection

    def placeButton(self):
        return self._place

    def deleteButton(self):
        return self._delete

    def setMRMLScene(self, scene) -> None:
        qMRMLWidget.setMRMLScene(self, scene)
        own = self._logic.GetMRMLScene()
        self.setInteractionNode(own.GetNodeByID("vtkMRMLInteractionNodeSingleton"))
        self.setSelectionNode(own.GetNodeByID("vtkMRMLSelectionNodeSingleton"))
        self._update()

    def setInteractionNode(self, node) -> None:
        modified = vtk.vtkCommand.ModifiedEvent
        self._watch.reconnect(self._interaction, node, modified, self._update)
        keep(self, _interaction=node)

    def setSelectionNode(self, node) -> None:
        valid = slicer.vtkMRMLSelectionNode.ActivePlaceNodePlacementValidEvent
        for event in (vtk.vtkCommand.ModifiedEvent, valid):
            self._watch.reconnect(self._selection, node, event, self._update)
        keep(self, _selection=node)

    def setCurrentNode(self, node) -> None:
        if node is not None and not node.IsA("vtkMRMLMarkupsNode"):
            node = None
        if node is self._node:
            return
        markups = slicer.vtkMRMLMarkupsNode
        for event in (
            vtk.vtkCommand.ModifiedEvent,
            markups.PointAddedEvent,
            markups.PointRemovedEvent,
            markups.FixedNumberOfControlPointsModifiedEvent,
            markups.DisplayModifiedEvent,
            markups.PointPositionDefinedEvent,
            markups.PointPositionUndefinedEvent,
        ):
            self._watch.reconnect(self._node, node, event, self._update)
        keep(self, _node=node)
        self._update()

    # Place mode

    def _is_active(self) -> bool:
        if None in (self._node, self._scene, self._interaction, self._selection):
            return False
        class_name = self._selection.GetActivePlaceNodeClassName()
        active = self._logic.GetActiveListID() == self._node.GetID()
        return active and class_name == self._node.GetClassName()

    def setCurrentNodeActive(self, active: bool) -> None:
        if self._scene is None or self._interaction is None:
            if active:
                errors.critical("failed: scene or interaction node is invalid")
            return
        if self._is_active() == active:
            return
        if active:
            self._logic.SetActiveList(self._node)
        else:
            self._logic.SetActiveList(None)
            self._interaction.SetCurrentInteractionMode(self._interaction.ViewTransform)

    def _is_placing(self) -> bool:
        if not self._is_active():
            return False
        return self._interaction.GetCurrentInteractionMode() == self._interaction.Place

    def setPlaceModeEnabled(self, enable: bool) -> None:
        if None in (self._scene, self._interaction, self._node):
            if enable:
                errors.critical("activate failed: scene, node or interaction node is invalid")
            return
        if not enable:
            self._interaction.SetCurrentInteractionMode(self._interaction.ViewTransform)
            return
        if not self._is_active():
            self._logic.SetActiveList(self._node)
        if self._multiple == self.ForcePlaceSingleMarkup:
            self.setPlaceModePersistency(False)
        elif self._multiple == self.ForcePlaceMultipleMarkups:
            self.setPlaceModePersistency(True)
        self._interaction.SetCurrentInteractionMode(self._interaction.Place)

    def setPlaceModePersistency(self, persistent: bool) -> None:
        if self._interaction is None:
            errors.critical("failed: interactionNode is invalid")
            return
        self._interaction.SetPlaceModePersistence(int(persistent))

    def _is_persistent(self) -> bool:
        return bool(self._interaction and self._interaction.GetPlaceModePersistence())

    def setPlaceMultipleMarkups(self, option: int) -> None:
        keep(self, _multiple=int(option))
        if not self._is_placing():
            return
        if option == self.ForcePlaceSingleMarkup:
            self.setPlaceModePersistency(False)
        elif option == self.ForcePlaceMultipleMarkups:
            self.setPlaceModePersistency(True)

    # Looks

    def setButtonsVisible(self, visible: bool) -> None:
        for button in (self._place, self._delete):
            button.setVisible(visible)

    def _set_option(self, index: int, visible: bool) -> None:
        self._options[index] = bool(visible)

    def setDeleteAllControlPointsOptionVisible(self, visible: bool) -> None:
        self._set_option(0, visible)

    def setUnsetLastControlPointOptionVisible(self, visible: bool) -> None:
        self._set_option(1, visible)

    def setUnsetAllControlPointsOptionVisible(self, visible: bool) -> None:
        self._set_option(2, visible)

    def setDefaultNodeColor(self, color) -> None:
        keep(self, _default_color=color)

    def _are_visible(self) -> bool:
        return self._place.isVisible() and self._delete.isVisible()

    def setNodeColor(self, color) -> None:
        if self._node is not None and self._node.GetDisplayNode():
            rgb = (color.redF(), color.greenF(), color.blueF())
            self._node.GetDisplayNode().SetColor(*rgb)
            self._node.GetDisplayNode().SetSelectedColor(*rgb)

    def _node_color(self):
        display = self._node.GetDisplayNode() if self._node is not None else None
        return qt.QColor.fromRgbF(*display.GetSelectedColor()) if display else self._default_color

    currentNodeActive = Property(bool, _is_active, setCurrentNodeActive)
    placeModeEnabled = Property(bool, _is_placing, setPlaceModeEnabled)
    placeModePersistency = Property(bool, _is_persistent, setPlaceModePersistency)
    placeMultipleMarkups = Property(int, lambda self: self._multiple, setPlaceMultipleMarkups)
    buttonsVisible = Property(bool, _are_visible, setButtonsVisible)
    deleteAllControlPointsOptionVisible = Property(
        bool, lambda self: self._options[0], setDeleteAllControlPointsOptionVisible
    )
    unsetLastControlPointOptionVisible = Property(
        bool, lambda self: self._options[1], setUnsetLastControlPointOptionVisible
    )
    unsetAllControlPointsOptionVisible = Property(
        bool, lambda self: self._options[2], setUnsetAllControlPointsOptionVisible
    )
    defaultNodeColor = Property(qt.QColor, lambda self: self._default_color, setDefaultNodeColor)
    nodeColor = Property(qt.QColor, _node_color, setNodeColor)

    # Points

    def modifyLastPoint(self) -> None:
        if self._node is None or self._node.GetNumberOfControlPoints() < 1:
            return
        if self._node.GetFixedNumberOfControlPoints():
            self.unsetLastDefinedPoint()
        else:
            self.deleteLastPoint()

    def deleteLastPoint(self) -> None:
        if self._node is not None and self._node.GetNumberOfControlPoints() > 0:
            self._node.RemoveNthControlPoint(self._node.GetNumberOfControlPoints() - 1)

    def deleteAllPoints(self) -> None:
        if self._node is not None:
            self._node.RemoveAllControlPoints()

    def unsetLastDefinedPoint(self) -> None:
        if self._node is None:
            return
        for index in reversed(range(self._node.GetNumberOfControlPoints())):
            undefined = self._node.PositionUndefined
            if self._node.GetNthControlPointPositionStatus(index) != undefined:
                self._node.UnsetNthControlPointPosition(index)
                return

    def unsetAllPoints(self) -> None:
        if self._node is not None:
            self._node.UnsetAllControlPoints()

    def _update(self) -> None:
        if self._updating:
            return
        keep(self, _updating=True)
        usable = None not in (self._scene, self._interaction, self._node)
        complete = usable and self._node.GetControlPointPlacementComplete()
        self._place.setEnabled(usable and not complete)
        self._delete.setEnabled(usable and self._node.GetNumberOfControlPoints() > 0)
        placing = usable and self._is_placing()
        if usable:
            before = self._place.blockSignals(True)
            self._place.setChecked(placing)
            self._place.blockSignals(before)
        if placing != self._told:
            self.activeMarkupsFiducialPlaceModeChanged.emit(placing)
            self.activeMarkupsPlaceModeChanged.emit(placing)
            keep(self, _told=placing)
        keep(self, _updating=False)


WIDGETS = (qSlicerMarkupsPlaceWidget,)
