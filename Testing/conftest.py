"""Fixtures for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from SlicerHost.fixtures import application, builder, scene  # noqa: F401
from TestSupport import properties

properties.register()

# Several threads on fewer free cores wait for each other far longer than they compute. Set before
# torch is imported, and inherited by the programs that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Started in the background of a script, programs do not hear Ctrl+C, and neither would those that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]

# Tests here run whole pipelines, processes or windows; `make test-fast` leaves them out.
WHOLE = (
    *(
        "accuracy",
        "cli",
        "training",
        "ui",
        "worker/client",
        "worker/child/test_leaving_a_device.py",
    ),
    *(f"models/{name}" for name in ("litemedsam", "sammed3d", "samsegment3d", "toy_thresholds")),
    *(f"test_{name}.py" for name in ("api", "documents", "fuzz", "logic", "pictures", "wheel")),
)

# Programs that tests start find what the tests find.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [
        *(str(REPOSITORY / folder) for folder in ("SAMSegment", "Testing", ".")),
        os.environ.get("PYTHONPATH", ""),
    ]
)


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of whole pipelines."""
    places = [REPOSITORY / "Testing" / "Python" / name for name in WHOLE]
    for item in items:
        if any(item.path.is_relative_to(place) for place in places):
            item.add_marker("whole")
