"""Slice and 3D views of a `HeadlessScene`, with Slicer's own displayable managers.

    with SliceView(host, "Red") as red, ThreeDView(host) as threed:
        red.show(volume)
        red.look_at((10, 20, 30))
        red.drag((10, 20, 30), (15, 20, 30))
        red.picture("red.png")

What is claimed about Slicer stands in views.md.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from .views_base import View
from .views_picture import four_up

__all__ = ["SliceView", "ThreeDView", "four_up"]

# Name: orientation, label, colour.
SLICE_VIEWS = {
    "Red": ("Axial", "R", (0xF3, 0x4A, 0x33)),
    "Yellow": ("Sagittal", "Y", (0xED, 0xD5, 0x4C)),
    "Green": ("Coronal", "G", (0x6E, 0xB0, 0x4B)),
}


class SliceView(View):
    """A slice view.

    Args:
        host: a `HeadlessScene`.
        name: "Red", "Yellow", "Green", or another.
        orientation: "Axial", "Sagittal", "Coronal"; without it, that of Slicer's view of this name.
            A view that is in the scene already keeps its orientation.
        size: width and height in pixels.

    Attributes:
        slice_logic: vtkMRMLSliceLogic, among the application's slice logics.
        slice_node: vtkMRMLSliceNode.
    """

    FACTORY = slicer.vtkMRMLSliceViewDisplayableManagerFactory
    MANAGERS = (
        "vtkMRMLModelSliceDisplayableManager",
        # Without it, no wheel, no arrow keys, no dragging of the window and level.
        "vtkMRMLCrosshairDisplayableManager",
        "vtkMRMLScalarBarDisplayableManager",
        "vtkMRMLMarkupsDisplayableManager",
        "vtkMRMLSegmentationsDisplayableManager2D",
    )

    def __init__(self, host, name="Red", orientation=None, size=(400, 400)) -> None:
        mrml_style = slicer.vtkMRMLSliceViewInteractorStyle()
        super().__init__(host, size, vtk.vtkInteractorStyleUser(), mrml_style)
        # The handles of ROIs and planes are laid out for this.
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self._image = _image_actor(self.renderer)
        self.slice_logic = slicer.vtkMRMLSliceLogic()
        self.slice_logic.SetMRMLApplicationLogic(host.app)
        mrml_style.SetSliceLogic(self.slice_logic)
        host.app.GetSliceLogics().AddItem(self.slice_logic)
        self.slice_logic.SetDisplayableManagerGroup(self.displayable_managers)
        self.node = self.slice_node = _slice_node(host.scene, name, orientation)
        self.slice_logic.SetMRMLScene(host.scene)
        self.slice_logic.SetSliceNode(self.slice_node)
        self._resize_node()
        self.displayable_managers.SetMRMLDisplayableNode(self.slice_node)
        self.slice_node.SetMappedInLayout(True)
        self._observe(self.slice_logic, "ModifiedEvent", "_on_logic_modified")
        self._observe(host.scene, slicer.vtkMRMLScene.EndBatchProcessEvent, "_resize_node")
        self._on_logic_modified()

    @property
    def composite_node(self):
        """vtkMRMLSliceCompositeNode: which volumes are shown."""
        return self.slice_logic.GetSliceCompositeNode()

    def show(self, volume_node) -> None:
        """Shows a volume in the background, in full; None shows none."""
        self.composite_node.SetBackgroundVolumeID(volume_node.GetID() if volume_node else None)
        self.fit()

    def fit(self) -> None:
        """Slicer's button "Adjust the field of view": the volume in full, its middle slice."""
        self.slice_logic.FitSliceToBackground()
        self.slice_node.UpdateMatrices()

    def set_offset(self, mm: float) -> None:
        """Moves the slice along its normal, as the slider above it does."""
        self.slice_logic.SetSliceOffset(mm)

    def set_orientation(self, name: str) -> None:
        """Turns the slice to "Axial", "Sagittal" or "Coronal".

        Raises:
            ValueError: no such orientation.
        """
        _orient(self.slice_node, name)

    def reformat(self, orientation) -> None:
        """Turns the slice obliquely about its middle.

        Args:
            orientation: a normal (3,) in RAS, to which the slice is tilted by the shortest way; or
                3x3 unit columns: to the right and up in the picture, and along the normal.

        Raises:
            ValueError: the axes are not at right angles, or the normal has no direction.
        """
        orientation = np.asarray(orientation, dtype=float)
        axes = self.axes()
        if orientation.shape == (3,):
            axes = _tilt(axes[:, 2], orientation) @ axes
        else:
            axes = orientation
            if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-6):
                raise ValueError("A slice needs three unit axes at right angles.")
        for row in range(3):
            for column in range(3):
                self.slice_node.GetSliceToRAS().SetElement(row, column, axes[row, column])
        self.slice_node.UpdateMatrices()

    def look_at(self, ras) -> None:
        """Moves the slice so that a position is in its middle."""
        self.slice_node.JumpSliceByCentering(*(float(value) for value in ras))

    def axes(self) -> np.ndarray:
        """3x3 unit columns in RAS: to the right and up in the picture, and along the normal."""
        return _array(self.slice_node.GetSliceToRAS())[:3, :3]

    def xy_of(self, ras) -> np.ndarray:
        """Where a position of the slice is in the picture: pixels from the lower left, (2,).

        Raises:
            ValueError: it is not in the slice, but before or behind it.
        """
        x, y, z, _ = np.linalg.inv(self._xy_to_ras()) @ [*ras, 1]
        pixel = np.linalg.norm(self._xy_to_ras()[:3, 0])
        distance = abs(z) * np.linalg.norm(self._xy_to_ras()[:3, 2])
        if distance > max(self.slice_logic.GetLowestVolumeSliceSpacing()[2] / 2, pixel):
            raise ValueError(f"RAS {tuple(ras)} is {distance:.2f} mm away from the slice.")
        return np.array([x, y])

    def ras_of(self, xy) -> np.ndarray:
        """World RAS in mm, (3,), of a pixel."""
        return (self._xy_to_ras() @ [*xy, 0, 1])[:3]

    def _xy_to_ras(self) -> np.ndarray:
        return _array(self.slice_node.GetXYToRAS())

    def _on_logic_modified(self) -> None:
        """The blended image is another one, or gone."""
        connection = self.slice_logic.GetImageDataConnection()
        self._image.GetMapper().SetInputConnection(connection)
        self._image.SetVisibility(connection is not None)
        self._request_render()

    def _resize_node(self) -> None:
        self.slice_logic.ResizeSliceNode(*self.size)

    def _close_logic(self) -> None:
        self._image.GetMapper().SetInputConnection(None)
        self.host.app.GetSliceLogics().RemoveItem(self.slice_logic)
        self.slice_logic.SetDisplayableManagerGroup(None)
        self.interactor_style.SetSliceLogic(None)
        self.slice_logic.SetMRMLScene(None)
        self.slice_logic = None


class ThreeDView(View):
    """A 3D view, without the box and its labels.

    Attributes:
        view_node: vtkMRMLViewNode.
        camera: vtkMRMLCameraNode.
    """

    FACTORY = slicer.vtkMRMLThreeDViewDisplayableManagerFactory
    MANAGERS = (
        "vtkMRMLCameraDisplayableManager",
        "vtkMRMLViewDisplayableManager",
        "vtkMRMLModelDisplayableManager",
        "vtkMRMLMarkupsDisplayableManager",
        "vtkMRMLSegmentationsDisplayableManager3D",
    )

    def __init__(self, host, name="1", size=(400, 400)) -> None:
        mrml_style = slicer.vtkMRMLThreeDViewInteractorStyle()
        super().__init__(host, size, vtk.vtkInteractorStyle3D(), mrml_style)
        self.view_logic = slicer.vtkMRMLViewLogic()
        self.view_logic.SetMRMLApplicationLogic(host.app)
        self.view_logic.SetName(name)
        self.node = self.view_node = _view_node(host.scene, name)
        self.view_logic.SetMRMLScene(host.scene)
        self.displayable_managers.SetMRMLDisplayableNode(self.view_node)
        self.view_node.SetMappedInLayout(True)
        host.app.GetViewLogics().AddItem(self.view_logic)
        self.view_logic.SetDisplayableManagerGroup(self.displayable_managers)
        for event in ("MouseWheelForwardEvent", "MouseWheelBackwardEvent"):
            self._observe(self.interactor, event, "_announce_camera")
        for event in ("InteractionEvent", "KeyPressEvent"):
            self._observe(self.interactor, event, "_announce_camera")
        self._on_view_modified()
        self._observe(self.view_node, "ModifiedEvent", "_on_view_modified")

    @property
    def camera(self):
        return self.manager("vtkMRMLCameraDisplayableManager").GetCameraNode()

    def show(self, node=None) -> None:
        """Shows all that is visible; a node, if given, is made visible in 3D first."""
        if node is not None:
            if node.IsA("vtkMRMLSegmentationNode"):
                node.CreateClosedSurfaceRepresentation()
            node.GetDisplayNode().SetVisibility(True)
        self.fit()

    def fit(self) -> None:
        """Slicer's "Center the 3D view on the scene", and a distance that shows all of it."""
        self.render()
        self.camera.Reset(False, True, True, self.renderer)
        self.view_node.InvokeEvent(slicer.vtkMRMLViewNode.ResetFocalPointRequestedEvent)
        self.renderer.ResetCameraClippingRange()

    def look_from(self, side: str) -> None:
        """Turns the camera to look from "Left", "Right", "Anterior", "Posterior", "Superior" or
        "Inferior"."""
        self.camera.RotateTo(getattr(slicer.vtkMRMLCameraNode, side))

    def look_at(self, ras) -> None:
        """Moves the camera, without turning it, so that a position is in the middle."""
        ras = np.asarray(ras, dtype=float)
        shift = ras - self.camera.GetFocalPoint()
        self.camera.SetPosition(*(np.array(self.camera.GetPosition()) + shift))
        self.camera.SetFocalPoint(*ras)
        self.renderer.ResetCameraClippingRange()

    def xy_of(self, ras) -> np.ndarray:
        """Where a position is in the picture, seen or hidden: pixels from the lower left, (2,).

        Raises:
            ValueError: it is behind the camera.
        """
        camera = self.camera.GetCamera()
        away = np.asarray(ras, dtype=float) - camera.GetPosition()
        if not camera.GetParallelProjection() and away @ camera.GetDirectionOfProjection() <= 0:
            raise ValueError(f"RAS {tuple(ras)} is behind the camera.")
        self.renderer.SetWorldPoint(*ras, 1)
        self.renderer.WorldToDisplay()
        return np.array(self.renderer.GetDisplayPoint()[:2])

    def ras_of(self, xy) -> np.ndarray | None:
        """World RAS in mm, (3,), of the surface that a pixel shows; None where there is none."""
        self.render_if_requested()
        picker = vtk.vtkCellPicker()
        picker.SetTolerance(0.005)
        found = picker.Pick(*xy, 0, self.renderer)
        return np.array(picker.GetPickPosition()) if found else None

    def _announce_camera(self) -> None:
        self.camera.InvokeCustomModifiedEvent(slicer.vtkMRMLCameraNode.CameraInteractionEvent)

    def _on_view_modified(self) -> None:
        self.renderer.SetUseDepthPeeling(self.view_node.GetUseDepthPeeling())
        self.renderer.SetUseDepthPeelingForVolumes(self.view_node.GetUseDepthPeeling())
        self._request_render()

    def _close_logic(self) -> None:
        self.host.app.GetViewLogics().RemoveItem(self.view_logic)
        self.view_logic.SetDisplayableManagerGroup(None)
        self.view_logic.SetMRMLScene(None)
        self.view_logic = None


def _slice_node(scene, name: str, orientation):
    """The scene's slice node of a name, made as the layout makes it."""
    node = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
    if node is None:
        if not scene.GetDefaultNodeByClass("vtkMRMLSliceNode"):
            slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
        usual, label, color = SLICE_VIEWS.get(name, ("Axial", name[:1], (140, 140, 140)))
        orientation = orientation or usual
        node = scene.CreateNodeByClass("vtkMRMLSliceNode")
        node.UnRegister(None)
        node.SetName(name)
        node.SetLayoutName(name)
        node.SetLayoutLabel(label)
        node.SetLayoutColor(*(value / 255 for value in color))
        node = scene.AddNode(node)
        node.SetDefaultOrientation(orientation)
    if orientation:
        _orient(node, orientation)
    return node


def _orient(slice_node, name: str) -> None:
    names = vtk.vtkStringArray()
    slice_node.GetSliceOrientationPresetNames(names)
    known = [names.GetValue(n) for n in range(names.GetNumberOfValues())]
    if name not in known:
        raise ValueError(f"No orientation {name}; there are {known}.")
    slice_node.SetOrientation(name)


def _view_node(scene, name: str):
    """The scene's 3D view node of a name, made as the layout makes it, without box and labels."""
    node = scene.GetSingletonNode(name, "vtkMRMLViewNode")
    if not scene.GetDefaultNodeByClass("vtkMRMLViewNode"):
        # Not in the node itself: closing the scene sets it to the default.
        usual = slicer.vtkMRMLViewNode()
        usual.SetBoxVisible(False)
        usual.SetAxisLabelsVisible(False)
        scene.AddDefaultNode(usual)
    if node is None:
        node = scene.CreateNodeByClass("vtkMRMLViewNode")
        node.UnRegister(None)
        node.SetName(f"View{name}")
        node.SetLayoutName(name)
        node.SetLayoutLabel(name)
        node = scene.AddNode(node)
    return node


def _image_actor(renderer):
    """The slice's pixels behind everything else; window and level are applied already."""
    mapper = vtk.vtkImageMapper()
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    actor.SetVisibility(False)
    renderer.AddViewProp(actor)
    return actor


def _tilt(start, end) -> np.ndarray:
    """3x3 of the smallest rotation that turns one direction to another."""
    if not np.linalg.norm(end) > 0:
        raise ValueError("A normal needs a direction.")
    start, end = (np.asarray(v, float) / np.linalg.norm(v) for v in (start, end))
    axis, cosine = np.cross(start, end), start @ end
    if cosine < -1 + 1e-9:
        # Any axis across will do.
        across = np.cross(start, np.eye(3)[np.argmin(np.abs(start))])
        across /= np.linalg.norm(across)
        return 2 * np.outer(across, across) - np.eye(3)
    skew = np.cross(np.eye(3), axis)
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def _array(matrix) -> np.ndarray:
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
