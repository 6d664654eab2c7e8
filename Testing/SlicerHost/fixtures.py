"""For pytest: a scene without a window, and a Slicer that has just started."""

from __future__ import annotations

import pytest


@pytest.fixture
def scene():
    """A `SlicerHost.scene.HeadlessScene`: real MRML and logics, no window."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from .scene import HeadlessScene

    host = HeadlessScene()
    yield host
    host.close()


@pytest.fixture
def builder(scene):
    """A `SlicerHost.scene_builder.SceneBuilder`: makes small volumes and the like."""
    from .scene_builder import SceneBuilder

    return SceneBuilder(scene)


@pytest.fixture
def application():
    """A `SlicerHost.application.Application`: a Slicer that has just started, with real Qt widgets.

    It is its own scene, too: `SceneBuilder(application)` makes nodes in it.
    """
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from .application import Application

    with Application() as host:
        yield host
