"""The user's folder of models, in a place of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """The folder, which does not exist yet."""
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"
