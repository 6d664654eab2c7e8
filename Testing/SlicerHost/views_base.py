"""What slice and 3D views share: an offscreen window, displayable managers, drawing."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path

import numpy as np
import vtk
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

from .views_input import Hand


class View(Hand):
    """A view of a `HeadlessScene` without a window.

    Attributes:
        host: the `HeadlessScene`.
        node: the view's MRML node.
        render_window, renderer: of VTK; `render_window.GetSize()` is in pixels.
        interactor: gets all mouse and key events. Observe it with priority 1.0 to see them before
            the view does, as the Segment Editor does.
        interactor_style: hands the events to the displayable managers.
        displayable_managers: vtkMRMLDisplayableManagerGroup.
        rendered: how many times the view was drawn.
    """

    FACTORY = None
    MANAGERS: tuple[str, ...] = ()

    def __init__(self, host, size, vtk_style, mrml_style) -> None:
        self.host = host
        self.rendered = 0
        self._render_requested = True
        self._observed = []
        self.renderer = vtk.vtkRenderer()
        # Before anybody asks for coordinates.
        self.renderer.GetActiveCamera()
        self.render_window = _offscreen_window(self.renderer, size)
        self.interactor = _interactor(self.render_window, vtk_style)
        self.displayable_managers = self._make_managers()
        self.interactor_style = mrml_style
        mrml_style.SetDisplayableManagers(self.displayable_managers)
        mrml_style.SetInteractor(self.interactor)
        self._observe(self.displayable_managers, "UpdateEvent", "_request_render")
        self._observe(self.interactor, "RenderEvent", "_request_render")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return tuple(self.render_window.GetSize())

    @property
    def closed(self) -> bool:
        return self.render_window is None

    def manager(self, class_name: str):
        """A displayable manager, e.g. "vtkMRMLMarkupsDisplayableManager"; None without it."""
        return self.displayable_managers.GetDisplayableManagerByClassName(class_name)

    def render(self) -> None:
        """Draws now. While the scene is loaded or closed, nothing is drawn, as in Slicer."""
        if self.host.scene.IsBatchProcessing():
            return
        self._render_requested = False
        self._before_render()
        self.render_window.Render()
        self.rendered += 1

    def render_if_requested(self) -> None:
        """Draws if something changed since the last time; Slicer's event loop does it in time."""
        if self._render_requested:
            self.render()

    def pixels(self) -> np.ndarray:
        """The view, drawn now: uint8 RGB (rows from the top, columns, 3)."""
        self.render()
        scalars = vtk.vtkUnsignedCharArray()
        width, height = self.size
        self.render_window.GetPixelData(0, 0, width - 1, height - 1, True, scalars, 0)
        return vtk_to_numpy(scalars).reshape(height, width, 3)[::-1].copy()

    def picture(self, path) -> Path:
        """Writes the view as a PNG; returns the path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self.pixels()).save(path)
        return path

    def close(self) -> None:
        """Frees everything; the view's node stays in the scene, as in Slicer."""
        if self.closed:
            return
        self.leave()
        for caller, tag in self._observed:
            caller.RemoveObserver(tag)
        self._observed.clear()
        self.node.SetMappedInLayout(False)
        self.interactor_style.SetInteractor(None)
        self.displayable_managers.SetMRMLDisplayableNode(None)
        self._close_logic()
        self.renderer.RemoveAllViewProps()
        self.render_window.Finalize()
        self.interactor.SetInteractorStyle(None)
        # The style holds the managers, and these the renderer: the last reference goes first.
        self.interactor_style = self.displayable_managers = None
        self.render_window = self.interactor = self.renderer = None

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _make_managers(self):
        factory = self.FACTORY.GetInstance()
        # It is one for the whole process, and hands this to the managers that it makes.
        factory.SetMRMLApplicationLogic(self.host.app)
        for name in self.MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        managers = factory.InstantiateDisplayableManagers(self.renderer)
        # It came with a reference that nobody owns.
        managers.UnRegister(None)
        # Another test's scene must not get managers that are registered later.
        managers.SetAndObserveDisplayableManagerFactory(None)
        factory.SetMRMLApplicationLogic(None)
        return managers

    def _observe(self, caller, event: str, method: str) -> None:
        """Calls a method at an event, without keeping the view alive."""
        reference = weakref.ref(self)

        def call(*_) -> None:
            view = reference()
            if view is not None:
                getattr(view, method)()

        self._observed.append((caller, caller.AddObserver(event, call)))

    def _request_render(self) -> None:
        self._render_requested = True

    def _before_render(self) -> None:
        """For what must be up to date when the view is drawn."""

    def _close_logic(self) -> None:
        """Takes the view's logic out of the application."""


def _offscreen_window(renderer, size):
    # On Linux the factory would look for an X server first, and complain.
    window = vtk.vtkEGLRenderWindow() if sys.platform == "linux" else vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetAlphaBitPlanes(1)
    window.SetMultiSamples(0)
    window.AddRenderer(renderer)
    window.SetSize(*size)
    return window


def _interactor(window, style):
    interactor = vtk.vtkGenericRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    interactor.SetInteractorStyle(style)
    interactor.Initialize()
    # Drawing is for `View.render` alone.
    interactor.EnableRenderOff()
    return interactor
