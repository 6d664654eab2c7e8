"""Static methods of effects that have to do with views: positions, renderers, actors."""

from __future__ import annotations

import slicer
import vtk

from . import errors
from .pythonqt import qt


def view_of(viewWidget):
    """The qMRMLSliceView or qMRMLThreeDView in a view widget, or None."""
    if viewWidget is None:
        return None
    if hasattr(viewWidget, "sliceView"):
        return viewWidget.sliceView()
    if hasattr(viewWidget, "threeDView"):
        return viewWidget.threeDView()
    errors.critical("Unsupported view widget type!")
    return None


def render_window(viewWidget):
    view = view_of(viewWidget)
    return view.renderWindow() if view else None


def renderer(viewWidget):
    window = render_window(viewWidget)
    return window.GetRenderers().GetItemAsObject(0) if window else None


def view_node(viewWidget):
    if viewWidget is None:
        return None
    if hasattr(viewWidget, "sliceLogic"):
        return viewWidget.sliceLogic().GetSliceNode()
    return viewWidget.mrmlViewNode()


def change_actors(viewWidget, actor, method: str) -> None:
    target = renderer(viewWidget)
    if target is None:
        errors.critical("Failed to get renderer for view widget")
        return
    getattr(target, method)(actor)
    schedule_render(viewWidget)


def force_render(viewWidget) -> None:
    view_of(viewWidget).forceRender()


def schedule_render(viewWidget) -> None:
    view_of(viewWidget).scheduleRender()


def slice_spacing(sliceWidget) -> float:
    logic = sliceWidget.sliceLogic()
    return slicer.vtkSlicerSegmentEditorLogic.GetSliceSpacing(logic.GetSliceNode(), logic)


# Vectors are QVector3D, which is single precision, as in Slicer.


def ras_to_xy(ras, sliceWidget):
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(_slice_node(sliceWidget).GetXYToRAS())
    matrix.Invert()
    x, y, _, _ = matrix.MultiplyPoint((ras.x(), ras.y(), ras.z(), 1))
    return qt.QPoint(int(x), int(y))


def xyz_to_ras(xyz, sliceWidget):
    matrix = _slice_node(sliceWidget).GetXYToRAS()
    return qt.QVector3D(*matrix.MultiplyPoint((xyz.x(), xyz.y(), xyz.z(), 1))[:3])


def xy_to_ras(xy, sliceWidget):
    return xyz_to_ras(qt.QVector3D(xy.x(), xy.y(), 0), sliceWidget)


def xyz_to_ijk(xyz, sliceWidget, image, parentTransform=None):
    ijk = [0, 0, 0]
    slicer.vtkSlicerSegmentEditorLogic.XyzToIjk(
        [xyz.x(), xyz.y(), xyz.z()], ijk, _slice_node(sliceWidget), image, parentTransform
    )
    return qt.QVector3D(*ijk)


def xy_to_ijk(xy, sliceWidget, image, parentTransform=None):
    return xyz_to_ijk(qt.QVector3D(xy.x(), xy.y(), 0), sliceWidget, image, parentTransform)


def _slice_node(sliceWidget):
    return sliceWidget.sliceLogic().GetSliceNode()
