"""The configuration of a training, read from a TOML file and checked; see `config/full.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from .losses import LossWeights
from .prompts import FIRST


@dataclass(frozen=True)
class Stage:
    """A stage of the training, with windows of one size.

    Attributes:
        until: share of the training at which it ends; 1 for the last.
        edge: edge of the windows in voxels.
        windows: number of windows per step, in each process.
    """

    until: float
    edge: int
    windows: int


@dataclass(frozen=True)
class Config:
    """The configuration of one training.

    Attributes:
        seed: of all random choices.
        steps: number of steps after which it ends.
        minutes: time after which it ends if that is earlier, including time before it was resumed.
        objects: number of objects per window.
        clicks: largest number of consecutive prompts for one object.
        learning_rate: highest learning rate.
        weight_decay: of AdamW.
        warm_up: number of steps in which the learning rate rises.
        clip: largest norm of the gradients.
        smoothing: of the exponential moving average of the weights.
        precision: "bf16", "fp16" (on CUDA) or "fp32".
        workers: number of processes that make samples, for each training process.
        checkpoint_minutes: time between checkpoints.
        shares: of the kinds of samples.
        first: shares of the kinds of first prompt, see prompts.FIRST.
        stages: one after the other.
        loss: its parts.
        decay_from: progress from which the learning rate falls, to 0 at the end; 0: half a cosine
            over all of the training.
        widths, decoder_widths: channels of the network's levels.
        edition: of the network.
    """

    seed: int
    steps: int
    minutes: float
    objects: int
    clicks: int
    learning_rate: float
    weight_decay: float
    warm_up: int
    clip: float
    smoothing: float
    precision: str
    workers: int
    checkpoint_minutes: float
    shares: dict[str, float]
    first: dict[str, float]
    stages: tuple[Stage, ...]
    loss: LossWeights = field(default_factory=LossWeights)
    decay_from: float = 0.0
    widths: tuple[int, ...] = (32, 64, 128, 192)
    decoder_widths: tuple[int, ...] = (16, 32, 64, 96)
    edition: int = 2

    def stage(self, progress: float) -> Stage:
        """The stage at a given progress of the training, 0 to 1."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])


def read_config(path: Path) -> Config:
    """Reads a configuration.

    Raises:
        ValueError: if something is missing, unknown or out of range; the message says what.
    """
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {each.name for each in fields(Config)}
    if unknown := set(values) - known:
        raise ValueError(f"{path}: unknown: {', '.join(sorted(unknown))}.")
    try:
        values["stages"] = tuple(Stage(**stage) for stage in values["stages"])
        values["loss"] = LossWeights(**values.get("loss", {}))
        for name in ("widths", "decoder_widths"):
            if name in values:
                values[name] = tuple(values[name])
        config = Config(**values)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}.") from error
    for name in ("shares", "first"):
        total = sum(getattr(config, name).values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"{path}: {name} sum to {total}, not to 1.")
    if unknown := set(config.first) - set(FIRST):
        raise ValueError(f"{path}: unknown kinds of first prompt: {', '.join(sorted(unknown))}.")
    if not 0 <= config.decay_from < 1:
        raise ValueError(f"{path}: decay_from is from 0 to less than 1, not {config.decay_from}.")
    if config.stages[-1].until != 1 or any(stage.edge % 16 for stage in config.stages):
        raise ValueError(f"{path}: the last stage ends at 1, and edges are multiples of 16.")
    if config.precision not in ("bf16", "fp16", "fp32"):
        raise ValueError(f"{path}: precision is bf16, fp16 or fp32, not {config.precision}.")
    return config
