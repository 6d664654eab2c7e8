"""The toy model as a user has it: its package on Python's path, its folder among the own models."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from SAMSegmentLib.core.image import Image
from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry
from TestSupport.phantoms import ellipsoid, grid

HERE = Path(__file__).parent
NAME = "toy-thresholds"
BODY, AIR = "Body", "Air in the body"
GEOMETRY = grid((14, 40, 44), (2.0, 2.0, 3.0))


def voxels() -> np.ndarray:
    """A body of 40 HU with two lungs, in air; and a table under it, which is no part of it."""
    grey = np.full(GEOMETRY.shape, -1000, dtype=np.int16)
    grey[ellipsoid(GEOMETRY, (44, 36, 20), (34, 26, 30))] = 40
    grey[lungs()] = -850
    grey[:, -2:, 4:-4] = 200
    return grey


def lungs() -> np.ndarray:
    """Boolean, (k, j, i)."""
    left, right = (ellipsoid(GEOMETRY, (x, 34, 20), (9, 14, 12)) for x in (29, 59))
    return left | right


def truth() -> dict[str, np.ndarray]:
    """The structures, boolean, (k, j, i)."""
    return {BODY: ellipsoid(GEOMETRY, (44, 36, 20), (34, 26, 30)), AIR: lungs()}


def ct() -> Image:
    """The phantom."""
    return Image(voxels(), GEOMETRY, "CT")


@pytest.fixture
def model(monkeypatch, tmp_path) -> ModelEntry:
    """The entry of the toy, installed; child processes find its package, too."""
    from safetensors.numpy import save_file

    folder = tmp_path / "models" / NAME
    shutil.copytree(HERE / NAME, folder)
    thresholds = {"body": np.array(-300, np.float32), "air": np.array(-600, np.float32)}
    save_file(thresholds, folder / "thresholds.safetensors")
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ["PYTHONPATH"]]))
    importlib.invalidate_caches()
    return model_entry(NAME)
