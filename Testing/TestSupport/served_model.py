"""Models whose weights lie on a server of this computer."""

from __future__ import annotations

import dataclasses
import hashlib

from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry

from .weights_server import WeightsServer


def served_model(server: WeightsServer, **changes) -> ModelEntry:
    """A model of the catalogue, but with the server's file as its weights; and other changes."""
    facts = {
        "size": len(server.content),
        "sha256": hashlib.sha256(server.content).hexdigest(),
        "downloads": (server.url,),
    }
    return dataclasses.replace(model_entry("sam-med3d-turbo"), **{**facts, **changes})


def has_come(entry: ModelEntry, count: int) -> bool:
    """Whether so many bytes of an unfinished download are on this computer."""
    return entry.files.partial_bytes >= count
