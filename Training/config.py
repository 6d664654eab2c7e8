"""What a training is told: a TOML file, checked; see `config/full.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from .clicks import FirstPrompts


@dataclass(frozen=True)
class Stage:
    """Windows of one size.

    Attributes:
        until: share of the training at which it ends; 1 for the last.
        edge: voxels.
        windows: windows a step, on each process.
    """

    until: float
    edge: int
    windows: int


@dataclass(frozen=True)
class Config:
    """One training.

    Attributes:
        steps: after which it ends.
        minutes: of training in all, resumed ones included, after which it ends if that is sooner.
        objects: objects a window.
        clicks: most prompts in turn for one object.
        learning_rate: highest.
        warm_up: steps in which it rises.
        smoothing: of the weights that are kept (exponential moving average).
        shares: of the kinds of samples.
        precision: "bf16", "fp16" (on CUDA) or "fp32".
        workers: processes that make samples, on each process that trains.
        checkpoint_minutes: between checkpoints.
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
    first: FirstPrompts
    stages: tuple[Stage, ...]
    widths: tuple[int, ...] = (32, 64, 128, 192)
    decoder_widths: tuple[int, ...] = (16, 32, 64, 96)

    def stage(self, progress: float) -> Stage:
        """The stage at a share of the training, 0 to 1."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])


def read_config(path: Path) -> Config:
    """The training told by a file.

    Raises:
        ValueError: if something is missing, unknown or out of range; it says what.
    """
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {field.name for field in fields(Config)}
    if unknown := set(told) - known:
        raise ValueError(f"{path}: unknown: {', '.join(sorted(unknown))}.")
    try:
        told["stages"] = tuple(Stage(**stage) for stage in told["stages"])
        told["first"] = FirstPrompts(**told["first"])
        for name in ("widths", "decoder_widths"):
            if name in told:
                told[name] = tuple(told[name])
        config = Config(**told)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}.") from error
    if abs(sum(config.shares.values()) - 1) > 1e-6:
        raise ValueError(f"{path}: shares sum to {sum(config.shares.values())}, not to 1.")
    if config.stages[-1].until != 1 or any(stage.edge % 16 for stage in config.stages):
        raise ValueError(f"{path}: the last stage ends at 1, and edges are multiples of 16.")
    if config.precision not in ("bf16", "fp16", "fp32"):
        raise ValueError(f"{path}: precision is bf16, fp16 or fp32, not {config.precision}.")
    return config
