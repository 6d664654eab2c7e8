"""Trains SAMSegment 3D, or resumes its training.

    python -m Training.train Training/config/full.toml
    torchrun --nproc-per-node 4 -m Training.train Training/config/full.toml

Everything is written to out/training/NAME: checkpoint, log.csv, curves.png, and at the end the
weights.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch import distributed as dist
from torch.nn.utils import parametrize

from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D, unfolded

from .config import Config, Stage, read_config
from .curves import draw_curves, write_log
from .export import export
from .losses import Target, total_loss
from .pack import OUTPUT as PACK
from .pack import read_pack
from .prompts import first_prompts, next_prompts
from .samples import Sample, SampleMaker
from .standardised import start_from
from .state import State

FOLDER = Path("out/training")
#: Steps between lines of the log.
LOGGED = 20
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--pack", type=Path, default=PACK)
    parser.add_argument("--folder", type=Path, help="where everything is written")
    parser.add_argument("--start-from", type=Path, help="weights that ship, for a new training")
    parser.add_argument("--threads", type=int, help="of PyTorch, on a CPU")
    parser.add_argument("--stop-after", type=float, help="minutes, to be resumed later")
    given = parser.parse_args()
    config = read_config(given.config)
    folder = given.folder or FOLDER / given.config.stem
    if given.threads:
        torch.set_num_threads(given.threads)
    with processes() as (rank, device):
        train(config, given.pack, folder, rank, device, given.stop_after, given.start_from)
    return 0


@contextlib.contextmanager
def processes() -> Iterator[tuple[int, torch.device]]:
    """The rank and device of this process, started by torchrun or alone."""
    several = "RANK" in os.environ
    if several:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank = dist.get_rank() if several else 0
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    try:
        yield rank, device
    finally:
        if several:
            dist.destroy_process_group()


def train(
    config: Config,
    pack: Path,
    folder: Path,
    rank: int,
    device: torch.device,
    stop_after: float | None = None,
    weights: Path | None = None,
) -> State:
    """Trains until the end, or for some minutes; the first process writes.

    Args:
        config: the configuration.
        pack: the training set; not read if all samples are random anatomy.
        folder: for everything that is written.
        rank: of this process.
        device: of this process.
        stop_after: minutes; None: until the end.
        weights: initial weights of a new training; None: random ones.
    """
    state = State.new(config, device)
    if state.resume(folder, device):
        if rank == 0:
            print(f"Resumed at step {state.step}, {state.seconds / 60:.1f} min.", flush=True)
    elif weights is not None:
        for network in (state.network, state.smooth):
            start_from(network, load_file(weights, device=str(device)))
    # Different samples and clicks in each process, and after each resumption.
    seed = config.seed + 1_000_003 * rank + 17 * state.step
    random = torch.Generator().manual_seed(seed)
    began = saved = last = time.monotonic()
    samples = None
    while (progress := together(state.progress(config), device)) < 1:
        stage = config.stage(progress)
        if samples is None or samples.stage != stage:
            samples = Samples(config, stage, pack, seed + state.step)
        measured = step(state, config, samples.batch(device), random, device)
        now = time.monotonic()
        state.seconds, last = state.seconds + now - last, now
        if rank == 0:
            state.rows.append(
                {"step": state.step, "minutes": state.seconds / 60, "edge": stage.edge} | measured
            )
            if state.step % LOGGED == 0:
                report(state)
            if now - saved > 60 * config.checkpoint_minutes:
                save(state, folder)
                saved = now
        if stop_after and together((now - began) / 60, device) > stop_after:
            break
    if rank == 0:
        save(state, folder)
        export(state.shipped(config), folder / "samsegment3d.safetensors")
    return state


def step(
    state: State,
    config: Config,
    batch: tuple[Tensor, Tensor],
    random: torch.Generator,
    device: torch.device,
) -> dict[str, float]:
    """One step: some windows, some objects in each, some consecutive prompts for each."""
    pictures, truth = batch
    progress = state.progress(config)
    share = learning_rate(state.step, config.warm_up, progress, config.decay_from)
    state.set_learning_rate(config.learning_rate * share)
    number = int(torch.randint(1, config.clicks + 1, (1,), generator=random))
    autocast = torch.autocast(device.type, TYPES[config.precision], config.precision != "fp32")
    with autocast, parametrize.cached():
        loss, reached = interaction(state.network, pictures, truth, number, config, random)
    state.scaler.scale(loss).backward()
    average_gradients(state.network)
    state.scaler.unscale_(state.optimizer)
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), config.clip)
    if not torch.isfinite(norm):
        state.network.zero_grad(set_to_none=True)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.network.zero_grad(set_to_none=True)
    state.step += 1
    state.follow(config.smoothing)
    return {
        "loss": float(loss.detach()),
        "first": reached[0],
        "last": reached[-1],
        "norm": float(norm),
        "rate": config.learning_rate * share,
    }


def interaction(
    network: SAMSegment3D,
    pictures: Tensor,
    truth: Tensor,
    number: int,
    config: Config,
    random: torch.Generator,
) -> tuple[Tensor, list[float]]:
    """The loss of an interaction with several prompts, and the mean Dice after each of them.

    Args:
        network: the network.
        pictures: its inputs, (B, 2, n, n, n).
        truth: boolean (B, K, n, n, n).
        number: number of prompts.
        config: the configuration.
        random: for the prompts.
    """
    objects = truth.shape[1]
    features = network.encode(pictures).map(lambda level: level.repeat_interleave(objects, 0))
    truth = truth.flatten(0, 1)
    prompts = first_prompts(truth, config.first, random)
    target = Target.of(truth)
    losses, reached, before = [], [], None
    for turn in range(number):
        masks, quality = network.decode(features, prompts)
        loss, scores = total_loss(masks, quality, target, random, config.loss, before)
        losses.append(loss)
        chosen = quality.detach().argmax(1)
        everyone = torch.arange(truth.shape[0], device=truth.device)
        reached.append(float(scores[everyone, chosen].mean()))
        if turn + 1 < number:
            with torch.no_grad():
                before = masks.detach()[everyone, chosen]
                prompts = next_prompts(prompts, truth, unfolded(before), random)
    return torch.stack(losses).mean(), reached


def learning_rate(
    step_number: int, warm_up: int, progress: float, decay_from: float = 0.0
) -> float:
    """The learning rate as a share of the highest: linear warm-up, and half a cosine at the end.

    Args:
        decay_from: the progress from which it falls.
    """
    falling = max(0.0, progress - decay_from) / (1 - decay_from)
    return min(1.0, (step_number + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * falling))


def average_gradients(network: torch.nn.Module) -> None:
    """Averages the gradients of all processes."""
    if not dist.is_initialized():
        return
    for p in network.parameters():
        if p.grad is None:  # no click in the windows of this process, but in those of another
            p.grad = torch.zeros_like(p)
    gradients = [p.grad for p in network.parameters()]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def together(value: float, device: torch.device) -> float:
    """The largest value of all processes, so that all end at the same step."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor(value, device=device, dtype=torch.float64)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return float(shared)


class Samples(torch.utils.data.IterableDataset):
    """Batches of one stage, made by separate processes."""

    def __init__(self, config: Config, stage: Stage, pack: Path, seed: int) -> None:
        self.stage = stage
        self._config, self._pack, self._seed = config, pack, seed
        loader = torch.utils.data.DataLoader(
            self,
            batch_size=stage.windows,
            num_workers=config.workers,
            collate_fn=_collated,
            prefetch_factor=6 if config.workers else None,
            multiprocessing_context="spawn" if config.workers else None,
        )
        self._batches = iter(loader)

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        if info is not None:
            torch.set_num_threads(1)
        cases = read_pack(self._pack) if self._config.shares["anatomy"] < 1 else []
        worker = 0 if info is None else info.id
        maker = SampleMaker(
            cases, self._config.shares, self._config.objects, self._seed + 101 * worker
        )
        while True:
            yield maker.sample(self.stage.edge)

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_batches"}

    def batch(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Inputs float32 (B, 2, n, n, n) and objects boolean (B, K, n, n, n)."""
        pictures, masks = next(self._batches)
        return pictures.to(device).float(), masks.to(device).bool()


def _collated(samples: list[Sample]) -> tuple[Tensor, Tensor]:
    pictures = torch.from_numpy(np.stack([sample.picture for sample in samples]))
    return pictures, torch.from_numpy(np.stack([sample.masks for sample in samples]))


def report(state: State) -> None:
    """Prints the means of the last steps."""
    recent = state.rows[-LOGGED:]
    means = {
        name: np.mean([row[name] for row in recent]) for name in ("loss", "first", "last", "norm")
    }
    values = " ".join(f"{name} {value:.3f}" for name, value in means.items())
    row = recent[-1]
    print(f"{row['minutes']:6.1f} min step {row['step']} edge {row['edge']}: {values}", flush=True)


def save(state: State, folder: Path) -> None:
    """Writes checkpoint, log and curves."""
    state.save(folder)
    write_log(folder / "log.csv", state.rows)
    draw_curves(folder / "curves.png", state.rows)


if __name__ == "__main__":
    sys.exit(main())
