"""Models of the catalogue that another architecture runs, such as one without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from SAMSegmentLib.weights.catalogue import ModelEntry, catalogue, model_entry

NAME = "litemedsam"


def model_run_by(architecture: str, name: str = NAME) -> ModelEntry:
    """A model of the catalogue, but for its architecture; see TestSupport.dist-info."""
    return dataclasses.replace(model_entry(name), architecture=architecture)


@contextmanager
def catalogue_run_by(architecture: str, name: str = NAME) -> Iterator[ModelEntry]:
    """Within it, the catalogue has that model instead of its own of that name."""
    before = catalogue()[name]
    catalogue()[name] = model_run_by(architecture, name)
    try:
        yield catalogue()[name]
    finally:
        catalogue()[name] = before
