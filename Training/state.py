"""The state of a training, and its checkpoints."""

from __future__ import annotations

import copy
import io
from dataclasses import dataclass, field
from pathlib import Path

import torch

from SAMSegmentLib.core.outputs import write_atomically
from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D

from .config import Config
from .standardised import plain_tensors, standardise

#: A checkpoint is stored in pieces of at most this size, which some file transfers require.
PIECE_BYTES = 15_000_000
NAME = "checkpoint"


@dataclass
class State:
    """The state of a training after some steps.

    Attributes:
        network: the standardised network that is trained.
        smooth: its moving average.
        optimizer: of the network.
        scaler: of the gradients, for float16.
        step, seconds: done so far, including before it was resumed.
        rows: the measurements, one dict per line of the log.
    """

    network: SAMSegment3D
    smooth: SAMSegment3D
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    seconds: float = 0.0
    rows: list[dict] = field(default_factory=list)

    @classmethod
    def new(cls, config: Config, device: torch.device) -> State:
        """The state at the beginning."""
        torch.manual_seed(config.seed)
        network = standardise(_network(config)).to(device)
        network = network.to(memory_format=torch.channels_last_3d)
        scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        smooth = copy.deepcopy(network).requires_grad_(False)
        return cls(network, smooth, optimizer_of(network, config), scaler)

    def set_learning_rate(self, rate: float) -> None:
        """For the next step."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    @torch.no_grad()
    def follow(self, smoothing: float) -> None:
        """Updates the moving average; faster at the beginning."""
        share = 1 - min(smoothing, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.smooth.parameters()), list(self.network.parameters()), share)

    def progress(self, config: Config) -> float:
        """The part of the training that is done, 0 to 1."""
        return min(1.0, max(self.step / config.steps, self.seconds / 60 / config.minutes))

    def shipped(self, config: Config) -> SAMSegment3D:
        """The averaged network without weight standardisation, as it is included."""
        network = _network(config)
        network.load_state_dict(plain_tensors(self.smooth))
        return network.eval()

    def save(self, folder: Path) -> None:
        """Writes a checkpoint in pieces, marks it as the latest and removes the previous one."""
        folder.mkdir(parents=True, exist_ok=True)
        whole = io.BytesIO()
        torch.save(
            {
                "network": self.network.state_dict(),
                "smooth": self.smooth.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "rows": self.rows,
            },
            whole,
        )
        before = list(folder.glob(f"{NAME}-*.part*"))
        data = whole.getvalue()
        for n, start in enumerate(range(0, len(data), PIECE_BYTES)):
            piece = folder / f"{NAME}-{self.step:07d}.part{n:02d}"
            piece.write_bytes(data[start : start + PIECE_BYTES])
        write_atomically(folder / f"{NAME}.latest", f"{self.step} {len(data)}\n")
        for old in before:
            if f"-{self.step:07d}." not in old.name:
                old.unlink()

    def resume(self, folder: Path, device: torch.device) -> bool:
        """Restores the latest checkpoint; False if there is none.

        Raises:
            ValueError: if a piece of it is missing.
        """
        latest = folder / f"{NAME}.latest"
        if not latest.exists():
            return False
        step, size = map(int, latest.read_text().split())
        pieces = sorted(folder.glob(f"{NAME}-{step:07d}.part*"))
        data = b"".join(piece.read_bytes() for piece in pieces)
        if len(data) != size:
            raise ValueError(f"The checkpoint of step {step} in {folder} is not complete.")
        stored = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
        for name in ("network", "smooth", "optimizer", "scaler"):
            getattr(self, name).load_state_dict(stored[name])
        self.step, self.seconds, self.rows = stored["step"], stored["seconds"], stored["rows"]
        return True


def optimizer_of(network: torch.nn.Module, config: Config) -> torch.optim.Optimizer:
    """AdamW; only what is multiplied with decays."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=True)


def _network(config: Config) -> SAMSegment3D:
    return SAMSegment3D(config.widths, config.decoder_widths, edition=config.edition)
