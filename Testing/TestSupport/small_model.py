"""A model of a few bytes that is not embedded, and a folder for it."""

import dataclasses
import hashlib

from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry

CONTENT = bytes(range(256)) * 64


def small_model(content: bytes = CONTENT, **changes) -> ModelEntry:
    """As the catalogue would have it if these were its weights."""
    facts = {"size": len(content), "sha256": sha256(content), "file": "small.safetensors"}
    return dataclasses.replace(model_entry("sam-med3d-turbo"), **{**facts, **changes})


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()
