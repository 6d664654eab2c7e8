"""Who is scored: the model under test, and the plain rule as the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from Accuracy.plain_rule import PlainRule
from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.evaluation.protocol import PROTOCOLS, ROI_ALONE, Protocol
from SAMSegmentLib.models.base import Engine
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.registry import engine_of
from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry
from SAMSegmentLib.worker.child.devices import find_device
from SAMSegmentLib.worker.protocol.events import PredictionRequest

PLAIN_RULE = "plain-rule"
#: Unless others are asked for: all but the ROI alone, which is a step of another.
DEFAULTS = (PLAIN_RULE, *(name for name in PROTOCOLS if name != ROI_ALONE.name))
#: Enough for every slice of a volume in three directions.
CACHE_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Contender:
    """A model, and the protocols under which it is scored."""

    model: str
    predict: Callable[[Image, Prompts], Answer]
    protocols: tuple[Protocol, ...]


def contenders(
    entry: ModelEntry,
    device: str,
    names: Iterable[str] | None,
    cache: EmbeddingCache,
    weights: Path | None = None,
) -> list[Contender]:
    """The plain rule and the model, with one store of embeddings for both.

    Args:
        names: "plain-rule" and names of protocols; None: DEFAULTS, as far as the model takes them.
        weights: a file to use in place of the model's own, which need not be installed; if the
            model is made of others, in place of SAMSegment 3D's.

    Raises:
        InputError: if there is no such protocol, or the model does not take its prompts.
        WeightsError: if the weights are not those of the model.
    """
    protocols = _protocols(names, entry)
    result = []
    if names is None or PLAIN_RULE in names:
        plain_entry = model_entry("litemedsam")
        plain = PlainRule(plain_entry.verified_path(), find_device(device).device, cache)
        result.append(Contender(PLAIN_RULE, _asker(plain, plain_entry), (ROI_ALONE,)))
    if protocols:
        engine = _engine(entry, find_device(device).device, cache, weights)
        result.append(Contender(entry.name, _asker(engine, entry), protocols))
    return result


def _engine(
    entry: ModelEntry, device: torch.device, cache: EmbeddingCache, weights: Path | None = None
) -> Engine:
    engine, options = engine_of(entry)
    of_parts = {
        part.role: (part.model, weights if _is_trained(part.model) else None)
        for part in entry.parts
    }
    parts = {
        role: partial(_engine, model, device, cache, own) for role, (model, own) in of_parts.items()
    }
    return engine(parts or weights or entry.verified_path(), device, cache, **options)


def _is_trained(entry: ModelEntry) -> bool:
    """Whether it is the model that is trained here, of which there are other weights to score."""
    return entry.architecture == "samsegment3d"


def _protocols(names: Iterable[str] | None, entry: ModelEntry) -> tuple[Protocol, ...]:
    wanted = [name for name in (DEFAULTS if names is None else names) if name != PLAIN_RULE]
    if unknown := [name for name in wanted if name not in PROTOCOLS]:
        choices = ", ".join((PLAIN_RULE, *PROTOCOLS))
        raise InputError(f"There is no protocol {unknown[0]!r}: choose from {choices}.")
    chosen = tuple(PROTOCOLS[name] for name in dict.fromkeys(wanted))
    fitting = tuple(protocol for protocol in chosen if protocol.kinds <= set(entry.prompts))
    if names is None:
        return fitting or (ROI_ALONE,)
    if fitting != chosen:
        refused = next(protocol for protocol in chosen if protocol not in fitting)
        raise InputError(
            f"{entry.title} does not take the prompts of {refused.name}: leave it out."
        )
    return chosen


def _asker(engine: Engine, entry: ModelEntry) -> Callable[[Image, Prompts], Answer]:
    def predict(image: Image, prompts: Prompts) -> Answer:
        PredictionRequest(entry, image, prompts).check()
        return engine.predict(image, prompts, Watch())

    return predict
