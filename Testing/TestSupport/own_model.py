"""A model of a few bytes in the user's own folder of models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

CONTENT = b"weights of mine"
FILE = "mine.safetensors"


def put_own_model(models_folder: Path, place: str = "mine", **changes: object) -> Path:
    """Makes its folder, with model.json and the weights.

    Args:
        place: name of the folder.
        changes: to what model.json says; its name is that of the folder otherwise.
    """
    folder = models_folder / place
    folder.mkdir(parents=True, exist_ok=True)
    model = {
        "version": 1,
        "name": place,
        "title": "Mine",
        "architecture": "samsegment3d",
        "task": "interactive",
        "prompts": ["points"],
        "modalities": ["CT"],
        "file": FILE,
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        **changes,
    }
    (folder / "model.json").write_text(json.dumps(model))
    (folder / FILE).write_bytes(CONTENT)
    return folder
