"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from TestSupport import properties

properties.register()

# Several threads on fewer free cores wait for each other far longer than they compute. Set before
# torch is imported, and inherited by the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Started in the background of a script, programs do not hear Ctrl+C, and neither would those that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[2]

# Programs that tests start find what the tests find.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [
        *(str(REPOSITORY / folder) for folder in ("SAMSegment", "Testing", ".")),
        os.environ.get("PYTHONPATH", ""),
    ]
)


@pytest.fixture
def scene():
    """A `SlicerHost.scene.HeadlessScene`: real MRML and logics, no window."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from SlicerHost.scene import HeadlessScene

    host = HeadlessScene()
    yield host
    host.close()


@pytest.fixture
def builder(scene):
    """A `SlicerHost.scene_builder.SceneBuilder`: makes small volumes and the like."""
    from SlicerHost.scene_builder import SceneBuilder

    return SceneBuilder(scene)


@pytest.fixture
def application():
    """A `SlicerHost.application.Application`: a Slicer that has just started, with real Qt widgets.

    It is its own scene, too: `SceneBuilder(application)` makes nodes in it.
    """
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from SlicerHost.application import Application

    with Application() as host:
        yield host
