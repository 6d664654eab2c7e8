"""The layout manager and the view widgets that effects get: Qt around the host's views."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import slicer

from .cpp import Property, Signal, cpp_class, keep, weak
from .mrml_widgets import qMRMLWidget
from .pythonqt import qt


class _View(qMRMLWidget):
    """What qMRMLSliceView and qMRMLThreeDView share, around a view of SlicerHost.views."""

    def __init__(self, view, parent=None) -> None:
        super().__init__(parent)
        keep(self, _view=view, _default=qt.QCursor(), _scheduled=False)

    def renderWindow(self):
        return self._view.render_window

    def interactor(self):
        return self._view.interactor

    def forceRender(self) -> None:
        if not self._view.closed:
            self._view.render()

    def scheduleRender(self) -> None:
        """Drawn when the event loop runs, once for any number of requests."""
        if not self._scheduled:
            keep(self, _scheduled=True)
            qt.QTimer.singleShot(0, weak(self._render_scheduled))

    def _render_scheduled(self) -> None:
        keep(self, _scheduled=False)
        if slicer.app._paused == 0:
            self.forceRender()

    def setViewCursor(self, cursor) -> None:
        self.setCursor(cursor)

    def unsetViewCursor(self) -> None:
        self.unsetCursor()

    def setDefaultViewCursor(self, cursor) -> None:
        keep(self, _default=cursor)


@cpp_class
class qMRMLSliceView(_View):
    def mrmlSliceNode(self):
        return self._view.slice_node

    def convertDeviceToXYZ(self, xy) -> list[float]:
        return [float(xy[0]), float(xy[1]), 0.0]

    def convertXYZToRAS(self, xyz) -> list[float]:
        matrix = self._view.slice_node.GetXYToRAS()
        return list(matrix.MultiplyPoint((*xyz, 1))[:3])


@cpp_class
class qMRMLThreeDView(_View):
    def mrmlViewNode(self):
        return self._view.view_node


@cpp_class
class qMRMLSliceWidget(qMRMLWidget):
    def __init__(self, view, parent=None) -> None:
        super().__init__(parent)
        keep(self, _view=qMRMLSliceView(view, self), _host_view=view)

    def sliceView(self):
        return self._view

    viewWidget = sliceView

    def sliceLogic(self):
        return self._host_view.slice_logic

    logic = sliceLogic

    def mrmlSliceNode(self):
        return self._host_view.slice_node

    mrmlAbstractViewNode = mrmlSliceNode

    def mrmlSliceCompositeNode(self):
        return self._host_view.slice_logic.GetSliceCompositeNode()

    sliceViewName = Property(str, lambda self: self._host_view.slice_node.GetLayoutName())


@cpp_class
class qMRMLThreeDWidget(qMRMLWidget):
    def __init__(self, view, parent=None) -> None:
        super().__init__(parent)
        keep(self, _view=qMRMLThreeDView(view, self), _host_view=view)

    def threeDView(self):
        return self._view

    viewWidget = threeDView

    def mrmlViewNode(self):
        return self._host_view.view_node

    mrmlAbstractViewNode = mrmlViewNode


@cpp_class
class qSlicerLayoutManager(qt.QObject):
    """The views, by name and by number."""

    layoutChanged = Signal(int)

    def __init__(self, host) -> None:
        super().__init__()
        keep(self, _host=host, _slices={}, _threed=[])

    def sliceViewNames(self) -> list[str]:
        return list(self._slices)

    def sliceWidget(self, name: str):
        return self._slices.get(name)

    def threeDWidget(self, which):
        return self._threed[which] if 0 <= which < len(self._threed) else None

    threeDViewCount = Property(int, lambda self: len(self._threed))

    def mrmlSliceLogics(self):
        return self._host.app.GetSliceLogics()

    def mrmlViewLogics(self):
        return self._host.app.GetViewLogics()

    def mrmlScene(self):
        return self._host.scene

    def activeMRMLThreeDViewNode(self):
        return self._threed[0].mrmlViewNode() if self._threed else None

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.sliceLogic().FitSliceToBackground()


def add(manager: qSlicerLayoutManager, view) -> None:
    """Puts a view of SlicerHost.views into the layout."""
    if hasattr(view, "slice_node"):
        manager._slices[view.slice_node.GetLayoutName()] = qMRMLSliceWidget(view)
    else:
        manager._threed.append(qMRMLThreeDWidget(view))


def close(manager: qSlicerLayoutManager) -> None:
    """Lets go of the views."""
    for widget in [*manager._slices.values(), *manager._threed]:
        widget.deleteLater()
    manager._slices.clear()
    manager._threed.clear()


WIDGETS = (qMRMLSliceView, qMRMLThreeDView, qMRMLSliceWidget, qMRMLThreeDWidget)
